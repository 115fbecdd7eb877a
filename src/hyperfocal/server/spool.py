"""The folder of a request: whatever lies in it goes when the request ends."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.requests import Request

_PREFIX = "request-"


@contextlib.contextmanager
def prepared(spool: Path) -> Iterator[None]:
    """The spool folder, without what an earlier run left; :class:`SettingsError`.

    Where another service works in the same folder, nothing is removed: it may be in use.
    """
    from hyperfocal.server.store.lock import FileLock

    lock = FileLock(spool / "lock")
    try:
        if lock.take():
            for left in spool.glob(f"{_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
        # With those that come and go while this one works: the first may leave before the last.
        lock.share()
    except OSError as error:
        raise SettingsError(f"{spool}: the spool cannot be used: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def folder_of(request: Request) -> Path:
    """The request's own folder, made when first asked for."""
    folder: Path | None = getattr(request.state, "folder", None)
    if folder is None:
        spool = request.app.state.service.settings.spool
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=spool))
        request.state.folder = folder
    return folder


def clear(state: MutableMapping[str, object]) -> None:
    """Remove the folder of a request that has ended."""
    folder = state.pop("folder", None)
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
