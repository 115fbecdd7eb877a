"""Verdicts as JSON lines, for whoever learns from them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from hyperfocal.feedback.records import Given
from hyperfocal.imaging.atomic import write_file
from hyperfocal.storage import FileMissing, Storage


def write_lines(
    given: Iterable[Given],
    file: BinaryIO,
    *,
    pictures: Path | None = None,
    storage: Storage | None = None,
) -> int:
    """Write one JSON object a line, UTF-8; gives how many.

    ``pictures``: folder into which the kept pictures are copied from ``storage`` under the name
    that their line has as ``picture``. A picture that is gone meanwhile is null there.
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
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        file.write(text.encode() + b"\n")
        lines += 1
    return lines


def _copy(storage: Storage, name: str, target: Path) -> None:
    def fill(file: BinaryIO) -> None:
        for chunk in storage.chunks(name):
            file.write(chunk)

    write_file(target, fill)
