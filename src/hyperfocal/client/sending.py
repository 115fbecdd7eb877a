"""Pictures to the service and back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hyperfocal import paths
from hyperfocal.client.answers import Restored
from hyperfocal.client.calling import Call
from hyperfocal.client.errors import StrangeAnswer
from hyperfocal.client.headers import read_restored
from hyperfocal.client.options import Options
from hyperfocal.client.pictures import Upload, upload_of, upload_of_depth
from hyperfocal.errors import OutputError, OutputRefused
from hyperfocal.kinds import check_kinds

if TYPE_CHECKING:
    import httpx


def picture_call(
    path: str,
    picture: object,
    options: Options,
    reference: object | None = None,
    depth: object | None = None,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """A call that sends a picture: as the body, or as a part beside a reference or a depth map."""
    upload = upload_of(picture)
    media_type = upload.media_type()
    fields = options.fields()
    beside: dict[str, Upload] = {}
    if reference is not None:
        beside["reference"] = upload_of(reference)
    if depth is not None and depth is not False:
        beside["depth"] = upload_of_depth(depth)
    if not beside:
        return Call(
            "POST",
            path,
            params=fields,
            headers={"Content-Type": media_type, **(headers or {})},
            body=lambda files: {"content": files.enter_context(upload.open())},
        )
    all_of_it = {"image": upload, **beside}
    media_types = {name: one.media_type() for name, one in all_of_it.items()}

    def body(files: contextlib.ExitStack) -> dict[str, Any]:
        parts = {
            name: (one.name(), files.enter_context(one.open()), media_types[name])
            for name, one in all_of_it.items()
        }
        return {"data": fields, "files": parts}

    return Call("POST", path, headers=headers or {}, body=body)


def check_output(
    output: str | Path | None, overwrite: bool = True, picture: object | None = None
) -> None:
    """Whether the result of ``picture`` can be written, before the work rather than after it.

    :class:`OutputError` where it cannot, or would replace the picture itself.
    """
    check_kinds(output=(output, str | os.PathLike | None), overwrite=(overwrite, bool))
    if output is None:
        return
    from hyperfocal.imaging.atomic import check_target

    own = paths.of_picture(picture)
    if own is not None and paths.identity(own) == paths.identity(output):
        raise OutputError(f"the result would replace the input {output}; name another output")
    check_target(Path(output), overwrite=overwrite)


def receiver(
    output: str | Path | None,
    overwrite: bool,
    go_on: Callable[[], None],
    *,
    asked: str | None = None,
    as_named: bool = False,
) -> Callable[[httpx.Response], Restored]:
    """Takes a picture out of an answer: into memory, or into a file that is whole or not there.

    ``go_on``: raises where the call was broken off meanwhile, which may look like an answer's end.
    :class:`StrangeAnswer` where the picture is not of the format ``asked`` for; ``as_named``:
    :class:`OutputRefused` where it is not of that of the file's name. What is no picture, or ends
    too early, is refused in any case.
    """

    def receive(response: httpx.Response) -> Restored:
        from hyperfocal.client.whole import check_whole, check_whole_file

        if output is None:
            data = response.read()
            go_on()
            _check_size(len(data))
            facts = read_restored(response.headers, data=data, path=None, size=len(data))
            _check_asked(asked, facts.media_type)
            check_whole(data, facts.media_type)
            return facts
        from hyperfocal.imaging.atomic import write_file

        path = Path(output)
        # First of all, so that a stranger's page does not end in the file.
        facts = read_restored(response.headers, data=None, path=path, size=0)
        _check_asked(asked, facts.media_type)
        if as_named:
            _check_name(path, facts.media_type)

        size = 0

        def fill(file: BinaryIO) -> None:
            nonlocal size
            for chunk in response.iter_bytes(1 << 20):
                # A proxy may have compressed what arrives.
                size += file.write(chunk)
            go_on()
            _check_size(size)
            check_whole_file(file, facts.media_type)

        write_file(path, fill, overwrite=overwrite)
        return read_restored(response.headers, data=None, path=path, size=size)

    return receive


def _check_asked(asked: str | None, media_type: str) -> None:
    from hyperfocal.imaging.formats import FORMATS, format_of_suffix

    if asked is None:
        return
    # Some services' "jpg" is our "jpeg"; what is not known here, they may know.
    name = asked.lower().lstrip(".")
    form = FORMATS.get(name) or FORMATS.get(format_of_suffix(f"x.{name}") or "")
    if form is not None and form.media_type != media_type:
        raise StrangeAnswer(f"{form.name} was asked for, and the answer is {_plain(media_type)}")


def _check_name(path: Path, media_type: str) -> None:
    from hyperfocal.imaging.formats import FORMATS, format_of_suffix

    named = format_of_suffix(path)
    if named is not None and FORMATS[named].media_type != media_type:
        raise OutputRefused(
            f"the picture is {_plain(media_type)}, and the name of {path} says {named}; choose "
            f"another name, or submit the picture with format='{named}'"
        )


def _plain(media_type: str) -> str:
    return media_type.removeprefix("image/")


def _check_size(size: int) -> None:
    if not size:
        raise StrangeAnswer("a picture was expected, and the answer is empty")
