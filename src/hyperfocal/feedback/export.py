"""Verdicts as JSON lines and the pictures kept with consent, for whoever learns from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from hyperfocal.feedback.records import Given
from hyperfocal.feedback.retention import own_names
from hyperfocal.imaging.atomic import refusal, write_file
from hyperfocal.imaging.temporary import sweep
from hyperfocal.storage import FileMissing, Storage


def write_lines(
    given: Iterable[Given],
    file: BinaryIO,
    *,
    pictures: Path | None = None,
    storage: Storage | None = None,
    missing: list[str] | None = None,
) -> int:
    """Write one JSON object a line, UTF-8; gives how many.

    ``pictures``: folder into which the kept pictures are copied from ``storage`` under the name
    that their line has as ``picture``. A picture that is gone meanwhile is null there, and its
    name is put into ``missing``.
    :class:`OutputRefused` where one cannot be written; it is there whole or not at all.
    """
    lines = 0
    for one in given:
        content = one.to_dict()
        if pictures is not None and storage is not None and one.picture is not None:
            try:
                _copy(storage, one.picture, pictures / one.picture)
            except FileMissing:
                content["picture"] = None
                if missing is not None:
                    missing.append(one.picture)
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        file.write(text.encode() + b"\n")
        lines += 1
    return lines


def remove_withdrawn(folder: Path, database: str, kept: Callable[[], Collection[str]]) -> int:
    """Remove what earlier exports put into a folder and may not be kept any more; gives how many.

    Only files that are named as pictures of this ``database`` (:func:`book.identity`) are, those
    that ``kept`` names excepted. It is asked once the folder was listed: what another export puts
    there meanwhile is no business of this one. :class:`OutputError`, once all others are gone,
    where one cannot be removed.
    """
    own, gone, failed = own_names(database), 0, None
    # Copies that a killed export had begun are pictures too.
    sweep(folder)
    found = [path for path in folder.iterdir() if own.fullmatch(path.name)]
    for name in sorted({path.name for path in found}.difference(kept())):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            failed = failed or refusal(folder / name, error)
        else:
            gone += 1
    if failed is not None:
        raise failed
    return gone


def _copy(storage: Storage, name: str, target: Path) -> None:
    def fill(file: BinaryIO) -> None:
        for chunk in storage.chunks(name):
            file.write(chunk)

    write_file(target, fill)
