"""What has been sent already, so that a batch that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hyperfocal.cli import say
from hyperfocal.errors import OutputRefused
from hyperfocal.imaging.atomic import refusal

NAME = ".hyperfocal-sent.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One input. ``input``, ``output``: relative to their folders, with slashes. ``digest``:
    SHA-256 of the input's bytes. ``options``: what was asked for. ``state``: "begun" before the
    input is sent, "done" when its result is in place.
    """

    input: str
    digest: str
    options: Mapping[str, str]
    output: str
    state: Literal["begun", "done"]
    request_id: str = ""
    model: str = ""
    model_version: str = ""


class Ledger:
    """A file of lines in the folder of the results; the last line about an input counts.

    Lines are only ever added, so that a program that is killed loses at most the last one.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()
        lines = _read(self._path)
        self._entries = {entry.input: entry for entry in lines}
        self._made = {(entry.input, entry.output) for entry in lines}

    def entry(self, name: str) -> Entry | None:
        """The last that was noted about an input."""
        with self._lock:
            return self._entries.get(name)

    def made(self) -> set[tuple[str, str]]:
        """Every input with every result that earlier calls noted of it, under whatever name."""
        return self._made

    def note(self, entry: Entry) -> None:
        """Add a line. :class:`OutputRefused` where the folder may not be written."""
        line = say.encoded(asdict(entry), indent=None)
        with self._lock:
            self._entries[entry.input] = entry
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("ab") as file:
                    # One write, and on a line of its own even after half a line.
                    start = b"" if file.tell() == 0 or _ends_a_line(self._path) else b"\n"
                    file.write(start + line + b"\n")
            except OSError as error:
                raise refusal(self._path, error) from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _read(path: Path) -> list[Entry]:
    """Lines that cannot be read are passed over: their inputs are sent again."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputRefused(f"{path}: cannot be read: {error.strerror}") from error
    entries: list[Entry] = []
    for line in lines:
        try:
            entry = Entry(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        texts = (entry.input, entry.digest, entry.output)
        if all(isinstance(text, str) for text in texts) and isinstance(entry.options, dict):
            entries.append(entry)
    return entries
