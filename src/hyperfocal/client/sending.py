"""Pictures to the service and back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hyperfocal.client.answers import Restored
from hyperfocal.client.calling import Call
from hyperfocal.client.headers import read_restored
from hyperfocal.client.options import Options
from hyperfocal.client.pictures import upload_of

if TYPE_CHECKING:
    import httpx


def picture_call(
    path: str,
    picture: object,
    options: Options,
    reference: object | None = None,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """A call that sends a picture: as the body, or as one part of two with a reference."""
    upload = upload_of(picture)
    media_type = upload.media_type()
    fields = options.fields()
    if reference is None:
        return Call(
            "POST",
            path,
            params=fields,
            headers={"Content-Type": media_type, **(headers or {})},
            body=lambda files: {"content": files.enter_context(upload.open())},
        )
    second = upload_of(reference)
    second_type = second.media_type()

    def body(files: contextlib.ExitStack) -> dict[str, Any]:
        parts = {
            "image": (upload.name(), files.enter_context(upload.open()), media_type),
            "reference": (second.name(), files.enter_context(second.open()), second_type),
        }
        return {"data": fields, "files": parts}

    return Call("POST", path, headers=headers or {}, body=body)


def receiver(output: str | Path | None, overwrite: bool) -> Callable[[httpx.Response], Restored]:
    """Takes a picture out of an answer: into memory, or into a file that is whole or not there."""

    def receive(response: httpx.Response) -> Restored:
        if output is None:
            data = response.read()
            return read_restored(response.headers, data=data, path=None, size=len(data))
        from hyperfocal.imaging.atomic import write_file

        path = Path(output)
        # First of all, so that a stranger's page does not end in the file.
        read_restored(response.headers, data=None, path=path, size=0)

        def fill(file: BinaryIO) -> None:
            for chunk in response.iter_bytes(1 << 20):
                file.write(chunk)

        write_file(path, fill, overwrite=overwrite)
        size = response.num_bytes_downloaded
        return read_restored(response.headers, data=None, path=path, size=size)

    return receive
