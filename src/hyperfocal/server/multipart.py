"""Forms with files (multipart/form-data, RFC 7578), written to disk as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hyperfocal.server.errors import BodyTooLarge, Malformed

_PARTS = 64
_FIELD_BYTES = 1 << 16
_HEADER_BYTES = 1 << 13
_TEXT_BYTES = 1 << 18


@dataclass(frozen=True)
class Form:
    """``fields``: text by name. ``files``: where those asked for lie. ``names``: as their
    sender calls them, "" where it does not.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


async def read_form_data(
    stream: AsyncIterator[bytes], content_type: str, files: Mapping[str, Path]
) -> Form:
    """Read a form; ``files``: parts that are files, and where to put them.

    Any other part is text of 64 KiB at most; what stands before the first part, and after the
    last, is passed over. :class:`Malformed` for what is no such form,
    lacks its end, or has a part twice; :class:`BodyTooLarge`.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise Malformed("multipart/form-data needs a boundary of 1 to 70 characters")
    reader = _Reader(files)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": reader.part_begin,
            "on_header_field": reader.header_field,
            "on_header_value": reader.header_value,
            "on_header_end": reader.header_end,
            "on_headers_finished": reader.headers_finished,
            "on_part_data": reader.part_data,
            "on_part_end": reader.part_end,
            "on_end": reader.end,
        },
    )
    try:
        async for chunk in _without_preamble(stream, boundary):
            if not reader.ended:
                parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Malformed("the body is no multipart/form-data with this boundary") from error
    finally:
        reader.close()
    if not reader.ended:
        raise Malformed("the form breaks off before its end")
    return reader.form


async def _without_preamble(stream: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """The body from its first boundary on: text before that is allowed (RFC 2046, 5.1.1)."""
    # At the start of a line, as which the body's beginning counts.
    mark, held = b"\n--" + boundary, b"\n"
    async for chunk in stream:
        held += chunk
        at = held.find(mark)
        if at >= 0:
            yield held[at + 1 :]
            break
        # It may go on in the next chunk.
        held = held[-len(mark) :]
    async for chunk in stream:
        yield chunk


class _Reader:
    """Takes the parser's calls, which may cut anything anywhere."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.form = Form()
        self.ended = False
        self._wanted = files
        self._parts = 0
        self._text_bytes = 0
        self._header_bytes = 0
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._file: BinaryIO | None = None

    def part_begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise Malformed(f"the form has more than {_PARTS} parts")
        self._header_bytes, self._header, self._disposition = 0, (b"", b""), b""
        self._text = bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header = (self._header[0] + data[start:end], self._header[1])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header = (self._header[0], self._header[1] + data[start:end])

    def header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = (b"", b"")

    def headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        kind, parameters = parse_options_header(self._disposition)
        name = parameters.get(b"name", b"")
        if kind != b"form-data" or not name:
            raise Malformed("a part of the form has no name")
        self._name = name.decode("utf-8", "replace")
        if self._name in self.form.fields or self._name in self.form.files:
            raise Malformed(f"the form has '{self._name[:50]}' twice")
        if self._name in self._wanted:
            path = self._wanted[self._name]
            self.form.files[self._name] = path
            self.form.names[self._name] = parameters.get(b"filename", b"").decode(
                "utf-8", "replace"
            )
            self._file = path.open("wb")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
            return
        self._text_bytes += end - start
        if len(self._text) + end - start > _FIELD_BYTES or self._text_bytes > _TEXT_BYTES:
            raise BodyTooLarge(f"'{self._name[:50]}' is no file here, and too long for an option")
        self._text += data[start:end]

    def part_end(self) -> None:
        if self._file is not None:
            self.close()
            return
        try:
            self.form.fields[self._name] = self._text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(f"'{self._name[:50]}' is not UTF-8") from error

    def end(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _HEADER_BYTES:
            raise Malformed("a part of the form has headers that are too long")
