"""Restored pictures as HTTP answers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from hyperfocal.server.pool import Answer

_CHUNK = 1 << 18
_UNSAFE = re.compile(r"[^\w .()@+-]")


class FileBody(Response):
    """A file as it lies there, piece by piece; it must stay until the answer has been sent."""

    def __init__(self, path: Path, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(media_type=media_type)
        # Type names of pictures take no charset.
        self.headers["content-type"] = media_type
        self.headers.update(headers)
        self.headers["content-length"] = str(path.stat().st_size)
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for chunk in pieces(self._path, _CHUNK):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """The content of a file."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


def picture_answer(path: Path, answer: Answer, name: str = "") -> FileBody:
    """The picture, with what is known about it in headers; ``name``: of the input's file."""
    return FileBody(path, answer.media_type, {**facts(answer), **disposition(answer, name)})


def facts(answer: Answer) -> dict[str, str]:
    """The headers that tell about a result."""
    headers = {
        "Hyperfocal-Model": answer.model,
        "Hyperfocal-Model-Version": answer.model_version,
        "Hyperfocal-Width": str(answer.width),
        "Hyperfocal-Height": str(answer.height),
        "Hyperfocal-Scale": f"{answer.scale:g}",
        "Hyperfocal-PSNR": f"{answer.psnr:.3f}",
        "Hyperfocal-SSIM": f"{answer.ssim:.5f}",
        "Hyperfocal-Basis": answer.basis,
        "Server-Timing": ", ".join(
            f"{name};dur={value:.1f}" for name, value in answer.timing_ms.items()
        ),
    }
    if answer.consistency_db is not None:
        headers["Hyperfocal-Consistency-DB"] = f"{answer.consistency_db:.3f}"
    for header, value in (
        ("Hyperfocal-Notes", list(answer.notes)),
        ("Hyperfocal-Choice", answer.choice),
        ("Hyperfocal-Depth", answer.depth),
    ):
        if value:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            headers[header] = quote(text)
    return headers


def finite(value: float | None) -> float | None:
    """For JSON, which has no infinity: None."""
    return value if value is not None and math.isfinite(value) else None


def disposition(answer: Answer, name: str) -> dict[str, str]:
    """The header that names the result's file, after ``name``, the input's."""
    from hyperfocal.imaging.formats import FORMATS

    # Only the last part of what the sender calls it, and only harmless characters of that.
    stem = PurePosixPath(name.replace("\\", "/")).stem
    stem = _UNSAFE.sub("_", stem).strip(" .")[:100] or "picture"
    file = f"{stem}@{answer.scale:g}x{FORMATS[answer.format].suffixes[0]}"
    plain = file.encode("ascii", "replace").decode().replace("?", "_")
    value = f'attachment; filename="{plain}"'
    if plain != file:
        value += f"; filename*=UTF-8''{quote(file)}"
    return {"content-disposition": value}
