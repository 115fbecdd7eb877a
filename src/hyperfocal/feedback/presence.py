"""Whether the pictures that the database names are where it is looked for them."""

from __future__ import annotations

from collections.abc import Iterable

from hyperfocal.storage import FileMissing, Storage


def not_found(names: Iterable[str], storage: Storage) -> list[str]:
    """Those of the pictures that the storage does not have.

    They are not deleted by being deleted from there: whoever named the database of one service and
    the storage of another would hear that they are, while they stay where they lie.
    """
    return [name for name in names if not _is_there(name, storage)]


def _is_there(name: str, storage: Storage) -> bool:
    try:
        storage.size(name)
    except FileMissing:
        return False
    return True
