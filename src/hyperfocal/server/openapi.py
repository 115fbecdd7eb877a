"""The OpenAPI document: bodies that the framework does not read itself, problems, keys."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

from hyperfocal.imaging.formats import FORMATS, READABLE, WRITABLE
from hyperfocal.server.problems import MEDIA_TYPE, Problem
from hyperfocal.server.schemas import PredictRequest, ReloadRequest
from hyperfocal.server.security.caller import scope_needed

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

_BINARY = {"type": "string", "format": "binary"}
_READ = tuple(FORMATS[name].media_type for name in READABLE)
_WRITTEN = tuple(FORMATS[name].media_type for name in WRITABLE)
_REFERENCE = "A picture of the result's size; PSNR and SSIM are then against it."
_DEPTH = (
    "A grey picture of how near or far things are, of any size over the same field of view: what "
    "is out of focus is then kept so."
)

# What may go wrong with any request, by where it goes.
_ANYWHERE = {
    "400": "No valid HTTP request.",
    "431": "The head of the request is too large.",
    "500": "A bug; the log has it.",
    "503": "Too much to do, or about to stop; Retry-After tells when to come back.",
}
_GUARDED = {
    "401": "No API key, or none that is known.",
    "403": "The key does not allow this, or another site's page asks.",
    "408": "The request took too long to arrive.",
    "413": "Too many bytes, pixels or frames.",
    "429": "Too many requests; Retry-After tells when to come back.",
}
_PICTURES = {
    "404": "No model of that name, or no such file in the media folder.",
    "406": "Accept admits no picture that can be written.",
    "415": "Not a kind of body, or not a kind of picture, that is taken.",
    "422": "A damaged picture, an impossible option, or a result below min_fidelity.",
    "504": "The time for one picture is over; send it as a job.",
}
_JSON_BODY = {"415": "Not a kind of body that is taken.", "422": "Not what is expected."}


def example_picture() -> bytes:
    """A PNG of 16 x 12 pixels, for the examples."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    rows = b"".join(
        b"\0" + bytes(value for x in range(16) for value in (16 * x, 20 * y, 128))
        for y in range(12)
    )
    header = struct.pack(">IIBBBBB", 16, 12, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows, 9)),
            chunk(b"IEND", b""),
        )
    )


def picture_in(form: type[BaseModel]) -> dict[str, Any]:
    """Extra of an operation that takes a picture: as a form or raw, the options in the address."""
    schema = form.model_json_schema()
    options: dict[str, Any] = dict(schema["properties"])
    for one in options.values():
        one.pop("title", None)
    if "crop" in options:
        options["crop"] = {
            "type": "string",
            "pattern": r"^\d{1,7},\d{1,7},\d{1,7},\d{1,7}$",
            "description": options["crop"]["description"],
        }
    whole = {
        "type": "object",
        "required": ["image"],
        "additionalProperties": False,
        "properties": {
            "image": {**_BINARY, "description": "The picture."},
            "reference": {**_BINARY, "description": _REFERENCE},
            "depth": {**_BINARY, "description": _DEPTH},
            **options,
        },
    }
    raw = {kind: {"schema": _BINARY} for kind in (*_READ, "application/octet-stream")}
    return {
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": whole}, **raw},
        },
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": one.get("description", ""),
                "schema": {key: value for key, value in one.items() if key != "description"},
            }
            for name, one in options.items()
        ],
    }


def picture_out() -> dict[int | str, dict[str, Any]]:
    """Responses of an operation that gives a picture."""
    text = {"schema": {"type": "string"}}
    number = {"schema": {"type": "number"}}
    whole = {"schema": {"type": "integer"}}
    return {
        200: {
            "description": "The restored picture.",
            "content": {kind: {"schema": _BINARY} for kind in _WRITTEN},
            "headers": {
                "Hyperfocal-Model": text,
                "Hyperfocal-Model-Version": text,
                "Hyperfocal-Width": whole,
                "Hyperfocal-Height": whole,
                "Hyperfocal-Scale": number,
                "Hyperfocal-Consistency-DB": number,
                "Hyperfocal-PSNR": number,
                "Hyperfocal-SSIM": number,
                "Hyperfocal-Basis": text,
                "Hyperfocal-Notes": text,
                "Hyperfocal-Choice": text,
                "Hyperfocal-Depth": text,
                "Server-Timing": text,
            },
        }
    }


def predict_in() -> dict[str, Any]:
    """Extra of ``POST /predict``."""
    picture = base64.b64encode(example_picture()).decode()
    return _json_in(
        PredictRequest,
        {
            "base64": {"image": picture},
            "data URL": {"image": f"data:image/png;base64,{picture}", "scale": 2},
            "with the result": {"image": picture, "model": "photo-fast-x2", "return": "image"},
        },
    )


def reload_in() -> dict[str, Any]:
    """Extra of ``POST /v1/admin/reload``."""
    return _json_in(ReloadRequest, {"one model": {"models": ["photo-fast-x2"]}})


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    from fastapi.openapi.utils import get_openapi

    made = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    # The framework's own form of an error, which is never sent.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    app.openapi_schema = made
    return made


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        responses["422"] = {"description": "A parameter is not as it should be."}
    needed = scope_needed(path, metrics_public=False)
    described = dict(_ANYWHERE)
    if needed is not None:
        described |= _GUARDED
        operation["security"] = [{"bearer": []}, {"key": []}, {}]
    if "pictures" in operation.get("tags", ()):
        described |= _PICTURES
    elif method == "post":
        described |= _JSON_BODY
    if path == "/readyz":
        described["503"] = "The models are being loaded, or the service is about to stop."
    if needed == "admin" and method == "post":
        described["404"] = "No model of that name."
        described["409"] = "There is nothing to go back to."
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, text in described.items():
        responses.setdefault(status, {"description": text})
    for status, response in responses.items():
        if status.startswith(("4", "5")):
            response["content"] = problem


def _json_in(form: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": form.model_json_schema(by_alias=True),
                    "examples": {name: {"value": value} for name, value in examples.items()},
                }
            },
        }
    }
