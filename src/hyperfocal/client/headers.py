"""From the headers of a picture that the service sends to typed values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hyperfocal.client.answers import Restored
from hyperfocal.client.errors import StrangeAnswer


def read_restored(
    headers: Mapping[str, str], *, data: bytes | None, path: Path | None, size: int
) -> Restored:
    """The facts in the headers of a picture. ``size``: bytes of the picture."""
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    model = headers.get("hyperfocal-model")
    if model is None or not media_type.startswith("image/"):
        raise StrangeAnswer("a picture was expected, and this is none of the service's")
    basis = headers.get("hyperfocal-basis", "consistency")
    return Restored(
        data=data,
        path=path,
        request_id=headers.get("x-request-id", ""),
        model=model,
        model_version=headers.get("hyperfocal-model-version", ""),
        width=_pixels(headers, "hyperfocal-width"),
        height=_pixels(headers, "hyperfocal-height"),
        scale=_figure(headers, "hyperfocal-scale"),
        media_type=media_type,
        bytes=size,
        consistency_db=_figure(headers, "hyperfocal-consistency-db")
        if headers.get("hyperfocal-consistency-db")
        else None,
        psnr=_figure(headers, "hyperfocal-psnr"),
        ssim=_figure(headers, "hyperfocal-ssim"),
        basis="reference" if basis == "reference" else "consistency",
        timing_ms=_server_timing(headers.get("server-timing", "")),
        notes=_notes(headers.get("hyperfocal-notes", "")),
        choice=choice_of(_json(headers.get("hyperfocal-choice", ""))),
        depth=depth_of(_json(headers.get("hyperfocal-depth", ""))),
        file_name=_file_name(headers.get("content-disposition", "")),
    )


def _figure(headers: Mapping[str, str], name: str) -> float:
    try:
        value = float(headers[name])
    except (KeyError, ValueError) as error:
        raise StrangeAnswer(f"the header {name} is missing or no number") from error
    if math.isnan(value):
        raise StrangeAnswer(f"the header {name} is no number")
    return value


def _pixels(headers: Mapping[str, str], name: str) -> int:
    value = _figure(headers, name)
    if not (value.is_integer() and value > 0):
        raise StrangeAnswer(f"the header {name} is no number of pixels")
    return int(value)


def _server_timing(text: str) -> dict[str, float]:
    """``decode;dur=1.5, model;dur=20`` by name. W3C Server Timing."""
    pairs = re.findall(r"([\w-]+)\s*;\s*dur=([0-9]+(?:\.[0-9]+)?)", text)
    return {name: float(value) for name, value in pairs}


def _notes(text: str) -> tuple[str, ...]:
    notes = _json(text)
    return tuple(str(note) for note in notes) if isinstance(notes, list) else ()


def choice_of(told: object) -> dict[str, Any] | None:
    """Which kind of model was chosen and why; None for anything else."""
    match told:
        case {"kind": str(kind), "reasons": list(reasons)}:
            return {"kind": kind, "reasons": [str(reason) for reason in reasons]}
    return None


def depth_of(told: object) -> dict[str, Any] | None:
    """What a depth map was good for; None for anything else."""
    match told:
        case {
            "source": str(source),
            "used": bool(used),
            "share": float() | int() as share,
            "blur": float() | int() as blur,
            "given_back": float() | int() as given_back,
        }:
            figures = {"share": share, "blur": blur, "given_back": given_back}
            return {
                "source": source,
                "used": used,
                **{name: float(figure) for name, figure in figures.items()},
            }
    return None


def _json(text: str) -> object:
    """Of a header; None where it is no JSON."""
    try:
        return json.loads(unquote(text))
    except (ValueError, RecursionError):
        return None


def _file_name(text: str) -> str:
    """Of a Content-Disposition header (RFC 6266), without any folder."""
    match = re.search(r"filename\*\s*=\s*UTF-8''([^;\s]+)", text, re.IGNORECASE)
    name = unquote(match[1]) if match else ""
    if not name:
        match = re.search(r'filename\s*=\s*"((?:[^"\\]|\\.)*)"', text) or re.search(
            r"filename\s*=\s*([^;\s]+)", text
        )
        name = match[1] if match else ""
    return re.split(r"[/\\]", name)[-1]
