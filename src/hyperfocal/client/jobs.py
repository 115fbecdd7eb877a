"""Work that takes long: handed over, watched, fetched."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal.client.answers import Job, Restored
from hyperfocal.client.calling import Call, Caller
from hyperfocal.client.errors import (
    NoAnswer,
    NotFound,
    ServiceError,
    StrangeAnswer,
    Unreachable,
    error_of,
)
from hyperfocal.client.options import Options
from hyperfocal.client.reading import read_job
from hyperfocal.client.retry import BUSY, check_seconds
from hyperfocal.client.sending import check_output, picture_call, receiver
from hyperfocal.errors import Cancelled, UsageError
from hyperfocal.kinds import check_kinds

if TYPE_CHECKING:
    import httpx

# Seconds for asking what has become of a job when the time for waiting is over.
_LAST_LOOK = 5.0


class Jobs:
    """The jobs of one :class:`~hyperfocal.client.Client`; ``job`` is a Job or its ``id``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def submit(
        self,
        picture: object,
        *,
        scale: float | None = None,
        size: tuple[int | None, int | None] | None = None,
        long_edge: int | None = None,
        megapixels: float | None = None,
        model: str | None = None,
        format: str | None = None,
        quality: int | None = None,
        bit_depth: int | None = None,
        strip_metadata: bool = False,
        min_fidelity: float | None = None,
        reference: object | None = None,
        depth: object = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Hand over a picture; see :meth:`Client.upscale` for the options.

        ``idempotency_key``: the same key with the same picture gives the same job, however often
        it is submitted, unless that was cancelled, has expired, or failed for no fault of the
        picture. Left out, one is drawn, so that the client's own retries make one job.
        """
        options = Options(
            scale=scale,
            size=size,
            long_edge=long_edge,
            megapixels=megapixels,
            model=model,
            format=format,
            quality=quality,
            bit_depth=bit_depth,
            strip_metadata=strip_metadata,
            min_fidelity=min_fidelity,
            use_depth=depth is not False,
        )
        headers = {"Idempotency-Key": _key(idempotency_key)}
        call = picture_call("/v1/jobs", picture, options, reference, depth, headers)
        return read_job(self._caller.json(call))

    def get(self, job: Job | str) -> Job:
        """The job as it is now."""
        return read_job(self._caller.json(Call("GET", _path(job))))

    def events(self, job: Job | str, *, timeout: float | None = None) -> Iterator[Job]:
        """The job now and at every change, until it has ended.

        ``timeout``: seconds without any word from the service, after which NoAnswer is raised.
        A connection that breaks off raises Unreachable; :meth:`wait` goes on by itself.
        """
        check_seconds(timeout)
        call = Call("GET", _path(job, "/events"), headers={"Accept": "text/event-stream"})
        yield from self._caller.stream(call, _events, timeout=timeout)

    def wait(
        self,
        job: Job | str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Job:
        """Wait until the job has succeeded, and give it.

        ``timeout``: seconds, after which the job is asked after once more, for a moment, and
        NoAnswer is raised where it has not ended (it goes on); ``on_progress`` is told the progress
        from 0 to 1. Raises what the job failed of, :class:`Cancelled` where it was cancelled,
        NotFound where it has expired. A service that restarts is waited for.
        """
        name = _id(job)
        check_kinds(timeout=(timeout, Real | None), on_progress=(on_progress, Callable | None))
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _left(end, name)
            now = None
            # The next call tries as often as the client's patience allows, and then raises.
            with _away():
                for now in self.events(name, timeout=left):
                    if on_progress is not None:
                        on_progress(now.progress)
                    if now.ended or (end is not None and time.monotonic() >= end):
                        break
            if now is None or not now.ended:
                until = None if end is None else max(end, time.monotonic() + _LAST_LOOK)
                now = read_job(self._caller.json(Call("GET", _path(name)), until=until))
            if now.ended:
                return _succeeded(now)
            self._caller.sleep(min(_left(end, name), self._caller.retry.first))

    def result(
        self, job: Job | str, output: str | Path | None = None, *, overwrite: bool = True
    ) -> Restored:
        """What a job made; ``output``: stream it into this file.

        A ServiceError of status 409 says that there is no result yet, or will be none; an
        OutputRefused, that the picture is of another format than the name says.
        """
        check_output(output, overwrite)
        receive = receiver(output, overwrite, self._caller.go_on, as_named=True)
        return self._caller.run(Call("GET", _path(job, "/result")), receive)

    def cancel(self, job: Job | str) -> Job:
        """Stop a job, and give it as it is then."""
        return read_job(self._caller.json(Call("DELETE", _path(job))))


@contextlib.contextmanager
def _away() -> Iterator[None]:
    """What may pass: no connection, or a proxy that has none to the service."""
    try:
        yield
    except (Unreachable, NoAnswer):
        pass
    except ServiceError as error:
        if error.status not in BUSY:
            raise


def _key(given: str | None) -> str:
    check_kinds(idempotency_key=(given, str | None))
    if not given:
        return secrets.token_hex(16)
    if not given.isascii() or not given.isprintable() or given != given.strip():
        raise UsageError(f"idempotency_key {given!r} holds what a header cannot hold")
    return given


def _id(job: Job | str) -> str:
    check_kinds(job=(job, Job | str))
    return job.id if isinstance(job, Job) else job


def _path(job: Job | str, below: str = "") -> str:
    name = _id(job)
    # It may come from outside, and must not lead to another address.
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise UsageError(f"'{name}' is no job's identifier")
    return f"/v1/jobs/{name}{below}"


def _left(end: float | None, name: str) -> float:
    if end is None:
        return 60.0
    left = end - time.monotonic()
    if left <= 0:
        raise NoAnswer(f"job {name} has not ended in time; it goes on")
    return min(left, 60.0)


def _succeeded(job: Job) -> Job:
    if job.status == "succeeded":
        return job
    if job.status == "cancelled":
        raise Cancelled(f"job {job.id} was cancelled")
    if job.status == "expired":
        raise NotFound(f"job {job.id} has expired, and its result with it")
    if job.problem is None:
        raise StrangeAnswer(f"job {job.id} failed without saying why")
    problem = {
        "code": job.problem.code,
        "detail": job.problem.detail,
        "request_id": job.problem.request_id,
    }
    raise error_of(problem, job.problem.status, job.request_id, None)


def _events(response: httpx.Response) -> Iterator[Job]:
    """Jobs out of an event stream (HTML standard, 9.2.6): ``data`` lines up to an empty one."""
    data: list[str] = []
    for line in response.iter_lines():
        name, _, value = line.partition(":")
        if line and name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            try:
                yield read_job(json.loads("\n".join(data)))
            except (ValueError, RecursionError) as error:
                raise StrangeAnswer("an event of a job is not JSON") from error
            data = []
