"""Taking in a picture and its options: from a form or a raw body into the request's folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from hyperfocal.errors import Cancelled
from hyperfocal.paths import scratch
from hyperfocal.server.errors import Draining, Malformed, QueueFull, UnsupportedBody
from hyperfocal.server.multipart import read_form_data
from hyperfocal.server.service import service_of
from hyperfocal.server.spool import check_reserve, folder_of, writing

if TYPE_CHECKING:
    from starlette.requests import Request

    from hyperfocal.server.service import Service

_RAW = ("image/", "application/octet-stream")
_FORM = "multipart/form-data"
_SMALLEST = 1

# Pictures on their way, for each that may be worked on or wait. A slow line may take half a minute
# for what is worked on for a fifth of a second: those who send hold no places of the queue.
_ARRIVING = 4
# Files of the form, and what they are.
_CALLED = {"image": "picture", "reference": "reference", "depth": "depth map"}


@dataclass(frozen=True)
class Incoming:
    """Files in the request's folder, and the options as they were sent.

    ``name``: the picture's file name as its sender calls it, "" where it does not.
    """

    source: Path
    reference: Path | None = None
    fields: dict[str, str] = field(default_factory=dict)
    name: str = ""
    depth: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All that was sent."""
        return tuple(path for path in (self.source, self.reference, self.depth) if path is not None)


async def receive_picture(request: Request) -> Incoming:
    """Read a request: a form with the file ``image``, or a raw picture.

    A form may have the files ``reference`` and ``depth``, too.

    Options are fields of the form or parameters of the address. The files go when the request
    ends, unless they are moved away. Raises :class:`UnsupportedBody`, :class:`Malformed`,
    :class:`BodyTooLarge`, :class:`BodyTooSlow`, :class:`SpoolFull`, :class:`SpoolUnusable`
    or, where the client has gone, :class:`Cancelled`.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    folder = folder_of(request)
    fields = _query(request)
    with writing("another picture"):
        if kind == _FORM:
            places = {name: folder / name for name in _CALLED}
            form = await read_form_data(chunks(request), content_type, places)
            twice = fields.keys() & form.fields.keys()
            if twice:
                raise Malformed(f"'{min(twice)[:50]}' is in the form and in the address")
            incoming = Incoming(
                places["image"],
                form.files.get("reference"),
                fields | form.fields,
                form.names.get("image", ""),
                form.files.get("depth"),
            )
            if "image" not in form.files:
                raise Malformed("the form has no file 'image'")
        elif not kind or kind.startswith(_RAW):
            incoming = Incoming(folder / "image", fields=fields)
            await save(request, incoming.source)
        else:
            raise UnsupportedBody(
                "send a picture (image/…, application/octet-stream) or multipart/form-data"
            )
    for path in incoming.files:
        if path.stat().st_size < _SMALLEST:
            raise Malformed(f"the {_CALLED[path.name]} is empty")
    return incoming


async def save(request: Request, path: Path) -> None:
    """Write the body to a file as it comes."""
    with path.open("wb") as file:
        async for chunk in chunks(request):
            file.write(chunk)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; :class:`Cancelled` where the client leaves in the middle."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect as error:
        raise Cancelled("the client left before its request was complete") from error


def check_room(request: Request) -> None:
    """Raise before the body is read what would be raised after it.

    :class:`Draining`; :class:`QueueFull` where the queue is full by now, or far more pictures than
    it holds are being sent; :class:`SpoolFull`.
    """
    service = service_of(request)
    if service.draining or not service.pool.accepts:
        raise Draining("the service is starting or stopping; try again soon")
    if service.pool.running >= service.pool.capacity and (
        service.pool.waiting >= service.settings.queue
    ):
        raise QueueFull("too many pictures are waiting; try again later")
    if service.in_progress >= _most_arriving(service):
        raise QueueFull("too many pictures are being sent; try again in a moment")
    _check_disks(service)


@contextmanager
def ordering(request: Request) -> Iterator[Service]:
    """Around the taking in of a job: as many at once as pictures that somebody waits for.

    Raises :class:`Draining`, :class:`QueueFull` or :class:`SpoolFull`, before a byte of the
    picture is read.
    """
    service = service_of(request)
    if service.draining:
        raise Draining("the service is stopping; try again in a moment")
    if service.ordering >= _most_arriving(service):
        raise QueueFull("too many jobs are being sent; try again in a moment")
    _check_disks(service)
    service.ordering += 1
    try:
        yield service
    finally:
        service.ordering -= 1


def _most_arriving(service: Service) -> int:
    return _ARRIVING * (service.pool.capacity + service.settings.queue)


def _check_disks(service: Service) -> None:
    check_reserve(
        service.settings.disk_reserve,
        service.settings.spool,
        service.results.folder,
        # Where the workers keep large results until they are encoded.
        Path(scratch()),
    )


def _query(request: Request) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in fields:
            raise Malformed(f"the address has '{name[:50]}' twice")
        fields[name] = value
    return fields
