"""JSON bodies that may carry pictures: read without ever holding a picture in memory.

The body lies in a file. Its long strings stay there; what remains is small, or is refused, and is
parsed with a limit on depth. Pictures are then decoded from base64 piece by piece into files.
"""

from __future__ import annotations

import binascii
import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from hyperfocal.server.errors import Malformed

SHORT = 4096
"""Characters of a string that is kept as it is; of a longer one there is only a mark."""

_SKELETON_BYTES = 1 << 16
_DEPTH = 32
# Quantifiers that never give back: a string is scanned once, whatever is in it.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_MARK = re.compile("\x01([0-9]{1,6})")
_DATA_URL = re.compile(rb"data:([a-z0-9!#$&^_.+/-]{0,100})((?:;[a-z0-9=._-]{1,100}){0,4}),", re.I)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PIECE = 4 << 18


class JsonBody:
    """One JSON object in a file: ``fields``, and the long strings it left where they are.

    Raises :class:`Malformed` for what is no JSON object, nests deeper than 32, names a member
    twice, or has more than 64 KiB besides its long strings. To be closed. Blocks.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise Malformed("the body is empty; send a JSON object")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._long: list[tuple[int, int]] = []
        try:
            self.fields = parse_object(self._skeleton())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> JsonBody:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()

    def is_long(self, text: str) -> bool:
        """Whether this value of ``fields`` only stands for a string that was left in the file."""
        return self._find(text) is not None

    def write_picture(self, text: str, target: Path) -> None:
        """Decode a value, base64 or a data URL, into a file. Raises :class:`Malformed`."""
        place = self._find(text)
        if place is None:
            source = text.encode("utf-8", "replace")
        elif self._map.find(b"\\", *place) >= 0:
            # Some programs write "/" and "+" as escapes; then it has to be unescaped first.
            source = _unescape(self._map[place[0] - 1 : place[1] + 1])
        else:
            with target.open("wb") as file:
                for piece in _decoded(self._map, *place):
                    file.write(piece)
            return
        with target.open("wb") as file:
            for piece in _decoded(source, 0, len(source)):
                file.write(piece)

    def _find(self, text: str) -> tuple[int, int] | None:
        mark = _MARK.fullmatch(text)
        at = int(mark[1]) if mark else len(self._long)
        return self._long[at] if at < len(self._long) else None

    def _skeleton(self) -> bytes:
        """The body with a mark in place of each long string."""
        out = bytearray()
        after = 0
        while len(out) <= _SKELETON_BYTES:
            at = self._map.find(b'"', after)
            stop = at if at >= 0 else len(self._map)
            if stop - after > _SKELETON_BYTES:
                break
            out += self._map[after:stop]
            if at < 0:
                return bytes(out)
            match = _STRING.match(self._map, at)
            if match is None:
                raise Malformed("the JSON breaks off in a string")
            after = match.end()
            if after - at - 2 > SHORT:
                out += b'"\\u0001%d"' % len(self._long)
                self._long.append((at + 1, after - 1))
            else:
                out += self._map[at:after]
        raise Malformed("the JSON has more than 64 KiB besides its pictures")


def looks_like_base64(text: str) -> bool:
    """Whether a short text could be base64 rather than, say, a path."""
    return len(text) % 4 == 0 and _BASE64.fullmatch(text) is not None


def is_data_url(text: str) -> bool:
    """Whether a text begins like a data URL."""
    return text[:5].lower() == "data:"


def parse_object(data: bytes) -> dict[str, Any]:
    """A small JSON object; :class:`Malformed` as for :class:`JsonBody`."""
    depth = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"[{":
            depth += 1
            if depth > _DEPTH:
                raise Malformed(f"the JSON nests deeper than {_DEPTH}")
        elif byte in b"]}":
            depth -= 1
    try:
        parsed = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
        # Half a pair of surrogates is a string to Python, but no text: nothing could repeat it.
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not JSON") from error
    if not isinstance(parsed, dict):
        raise Malformed("the body must be a JSON object")
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Malformed("the JSON names a member twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON")


def _unescape(literal: bytes) -> bytes:
    try:
        return str(json.loads(literal)).encode("utf-8")
    except ValueError as error:
        raise Malformed("the body is not JSON") from error


def _decoded(data: bytes | mmap.mmap, start: int, stop: int) -> Iterator[bytes]:
    """What the base64 in ``data[start:stop]`` stands for, nothing but base64 being let through."""
    head = bytes(data[start : min(start + 512, stop)])
    if head[:5].lower() == b"data:":
        match = _DATA_URL.match(head)
        if match is None or not match[2].lower().endswith(b";base64"):
            raise Malformed("a data URL must be of the kind data:image/png;base64,…")
        if match[1] and not match[1].lower().startswith((b"image/", b"application/octet-stream")):
            raise Malformed("the data URL is not of a picture")
        start += match.end()
    if start == stop:
        raise Malformed("the picture is empty")
    for at in range(start, stop, _PIECE):
        end = min(at + _PIECE, stop)
        piece = data[at:end]
        # Padding may end the whole, never a piece of it.
        padding = len(piece) - len(piece.rstrip(b"="))
        if len(piece) % 4 or padding > (2 if end == stop else 0):
            raise Malformed("the picture is not base64: its length or its padding is wrong")
        try:
            yield binascii.a2b_base64(piece, strict_mode=True)
        except binascii.Error as error:
            raise Malformed("the picture is neither base64 nor a data URL") from error
