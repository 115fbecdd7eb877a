"""Texts in PNG files: who made a picture, its title, what may be done with it. PNG, 11.3.4."""

from __future__ import annotations

import zlib

from hyperfocal.imaging.picture import Text

MOST, MOST_BYTES = 200, 1_000_000
"""Texts that are kept, and bytes of all of them: more is no description of a photograph."""

# Bytes of a keyword (section 11.3.4.2).
_LONGEST_KEYWORD = 79
# What programs note of a small copy that they keep (Thumbnail Managing Standard, freedesktop.org):
# size and date of another file.
_UNTRUE = "Thumb::"


def dropped(keyword: str) -> str:
    """A note; what a terminal obeys and a line that forges another are no names."""
    is_name = bool(keyword) and len(keyword) <= _LONGEST_KEYWORD and keyword.isprintable()
    return f"the text '{keyword}' was dropped" if is_name else "a text was dropped"


def read(kind: bytes, keyword: str, rest: bytes, room: int) -> Text | None:
    """A text of at most ``room`` bytes, or None where it is no text, or one that is not kept.

    ``kind``: b"tEXt", b"zTXt" or b"iTXt"; ``rest``: the chunk behind the keyword. Raises
    ValueError, IndexError or zlib.error where it is damaged.
    """
    is_name = 0 < len(keyword) <= _LONGEST_KEYWORD and keyword.isprintable()
    if not is_name or keyword.startswith(_UNTRUE):
        return None
    language = translated = b""
    if kind == b"iTXt":
        is_compressed = bool(rest[0])
        language, translated, data = rest[2:].split(b"\0", 2)
        data = _inflated(data, room) if is_compressed else data
    else:
        data = _inflated(rest[1:], room) if kind == b"zTXt" else rest
    if len(data) + len(language) + len(translated) > room or b"\0" in data:
        return None
    text = data.decode("utf-8" if kind == b"iTXt" else "latin-1")
    return Text(keyword, text, language.decode("ascii"), translated.decode("utf-8"))


def written(text: Text) -> tuple[bytes, bytes]:
    """The chunk that holds it: its kind and its body."""
    keyword = text.keyword.encode("latin-1") + b"\0"
    if not text.language and not text.translated:
        try:
            return b"tEXt", keyword + text.text.encode("latin-1")
        except UnicodeEncodeError:
            pass
    language, translated = text.language.encode("ascii"), text.translated.encode()
    return b"iTXt", keyword + b"\0\0" + b"\0".join((language, translated, text.text.encode()))


def _inflated(data: bytes, room: int) -> bytes:
    """At most one byte more than there is room for."""
    worker = zlib.decompressobj()
    text = worker.decompress(data, room + 1)
    if not worker.eof and len(text) <= room:
        raise ValueError("the text ends too early")
    return text
