"""Sending many pictures to the service: one bad picture does not stop the rest."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hyperfocal import paths
from hyperfocal.cli.depth_maps import DepthMaps
from hyperfocal.cli.ledger import Entry, Ledger, digest_of
from hyperfocal.cli.outcome import Batch, Failure, Outcome, cancelled
from hyperfocal.cli.place import Job
from hyperfocal.cli.sending_hopeless import is_hopeless
from hyperfocal.cli.stopping import terminated_as_interrupt
from hyperfocal.client.answers import Job as RemoteJob
from hyperfocal.client.answers import Restored
from hyperfocal.client.client import Client
from hyperfocal.client.errors import DeadlinePassed, NotFound
from hyperfocal.client.options import Options
from hyperfocal.errors import (
    Cancelled,
    HyperfocalError,
    InputMissing,
    OutputError,
    OutputExists,
    OutputRefused,
)
from hyperfocal.imaging.formats import format_of_suffix


@dataclass(frozen=True, slots=True)
class Sent(Outcome):
    """One picture. ``request_id``: names it in the service's log; ``version``: of the model."""

    request_id: str | None = None
    version: str | None = None


class _Hopeless(Exception):
    """Every picture would fail of this."""


class _Halted(Exception):
    """Not begun, because another picture was hopeless."""


@dataclass(frozen=True, slots=True)
class Sending:
    """Everything that is the same for all pictures of one call.

    ``given``: what every picture is asked for, as of :meth:`Client.upscale`; ``folder``: of the
    results; ``together``: how many pictures are under way at once; ``maps``: which depth map is
    of which picture.
    """

    client: Client
    given: Mapping[str, Any]
    folder: Path
    ledger: Ledger
    together: int = 1
    overwrite: bool = False
    maps: DepthMaps = field(default_factory=DepthMaps)

    def run(self, jobs: Sequence[Job], ignored: int, tell: Callable[[Outcome], None]) -> Batch:
        """All of them. ``tell`` is called in this thread, for each as it ends.

        What every picture would fail of ends the batch, such as a service that is gone or a disk
        that is full, and so does Ctrl-C.
        """
        start = time.perf_counter()
        stopped: Failure | None = None
        halt = threading.Event()
        outcomes: dict[int, Outcome] = {}
        with ThreadPoolExecutor(self.together, thread_name_prefix="send") as pool:
            numbers: dict[Future[Outcome], int] = {}
            of_output = defaultdict[str, list[Future[Outcome]]](list)
            try:
                with terminated_as_interrupt():
                    for number, job in enumerate(jobs):
                        earlier = of_output[paths.identity(str(job.output))]
                        # Begun in order, so that whoever waits for one waits for what has begun.
                        future = pool.submit(self._one, job, halt, tuple(earlier))
                        earlier.append(future)
                        numbers[future] = number
                    for ended in as_completed(numbers):
                        if isinstance(ended.exception(), _Halted):
                            continue
                        outcomes[numbers[ended]] = ended.result()
                        tell(outcomes[numbers[ended]])
            except KeyboardInterrupt:
                stopped = cancelled()
            except _Hopeless as error:
                stopped = Failure.of(error.__cause__ or error)
            finally:
                if stopped is not None:
                    halt.set()
                    self.client.cancel()
                pool.shutdown(wait=True, cancel_futures=True)
        # Some may have ended while the others were being stopped.
        for future, number in numbers.items():
            if number not in outcomes and not future.cancelled() and future.exception() is None:
                outcomes[number] = future.result()
        inside = tuple(outcomes[number] for number in sorted(outcomes))
        return Batch(inside, ignored, time.perf_counter() - start, stopped)

    def _one(self, job: Job, halt: threading.Event, earlier: Sequence[Future[Outcome]]) -> Outcome:
        """``earlier``: what becomes of inputs before it whose results have the same name."""
        name, output = job.found.name, str(job.output)
        try:
            if halt.is_set():
                raise _Halted
            if job.found.problem:
                raise InputMissing(f"{name}: {job.found.problem}")
            if job.error is not None:
                raise job.error
            _check_untaken(job, earlier)
            return self._send(job, halt)
        except _Halted:
            raise
        except _Hopeless:
            halt.set()
            raise
        except Cancelled as error:
            if halt.is_set():
                raise _Hopeless from error
            # Nobody stopped this batch: somebody else has cancelled this picture's job.
            return Sent(name, output, "failed", error=Failure(error.code, str(error)))
        except Exception as error:
            # One picture's failure must not lose the others, whatever it is.
            if is_hopeless(error, self.client, self.folder):
                halt.set()
                raise _Hopeless from error
            failed = error
        request_id = getattr(failed, "request_id", None)
        return Sent(name, output, "failed", error=Failure.of(failed), request_id=request_id)

    def _send(self, job: Job, halt: threading.Event) -> Outcome:
        source, output = job.found.path, job.output
        assert source is not None
        assert output is not None
        given = {**self.given, "format": format_of_suffix(output)}
        depth = self.maps.of(job.found)
        asked = Options(**given, use_depth=depth is not False).fields()
        if isinstance(depth, Path):
            asked["depth"] = _digest(depth)
        given["depth"] = depth
        begun = Entry(
            job.found.below.as_posix(),
            _digest(source),
            asked,
            output.relative_to(self.folder).as_posix(),
            "begun",
            source=_folder_of(job),
        )
        exists = paths.exists(output)
        known = self.ledger.entry(begun.output)
        if not self.overwrite and exists:
            if known is None:
                raise OutputExists(f"{output} exists and is no result of this; use --overwrite")
            # The same bytes asked for in the same way may have been moved to another folder.
            if known.state == "done" and known.input == begun.input and known.asks_as(begun):
                if known.source != begun.source and not _is_there(known):
                    self._note(replace(known, source=begun.source))
                return Sent(job.found.name, str(output), "skipped", request_id=known.request_id)
            if not known.is_of(begun):
                of = Path(known.source, known.input) if known.source else f"another {known.input}"
                raise OutputExists(
                    f"{output} exists and is the result of {of}; "
                    "use --overwrite, or name another folder"
                )
        # First, so that a result whose line below is lost is known for one's own.
        self._note(begun)
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputRefused(
                f"the folder {output.parent} cannot be made: {error.strerror}"
            ) from error
        start = time.perf_counter()
        try:
            # What appears meanwhile is somebody else's.
            made = self._restored(source, output, given, self.overwrite or exists, halt)
        except BaseException as error:
            # Another program that sends the same folder may have been quicker.
            if isinstance(error, OutputExists) and self.ledger.made_meanwhile(begun):
                return Sent(job.found.name, str(output), "skipped")
            if exists or isinstance(error, OutputExists) or not paths.exists(output):
                # What lies there, or comes to lie there, is still whose it was.
                before = known if exists and known is not None else replace(begun, state="failed")
                with contextlib.suppress(OutputRefused):
                    self.ledger.take_back(begun, before)
            raise
        seconds = time.perf_counter() - start
        self._note(
            replace(
                begun,
                state="done",
                request_id=made.request_id,
                model=made.model,
                model_version=made.model_version,
            )
        )
        return Sent(
            job.found.name,
            str(output),
            "done",
            width=made.width,
            height=made.height,
            scale=made.scale,
            model=made.model,
            fidelity=made.consistency_db,
            timings={
                **{stage: duration / 1000 for stage, duration in made.timing_ms.items()},
                "total": seconds,
            },
            bytes=made.bytes,
            notes=made.notes,
            choice=made.choice,
            depth=made.depth,
            request_id=made.request_id,
            version=made.model_version,
        )

    def _note(self, entry: Entry) -> None:
        try:
            self.ledger.note(entry)
        except OutputError as error:
            raise _Hopeless from error

    def _restored(
        self,
        source: Path,
        output: Path,
        given: Mapping[str, Any],
        overwrite: bool,
        halt: threading.Event,
    ) -> Restored:
        """At once, or as a job where that takes longer than the service lets a request last."""
        try:
            try:
                return self.client.upscale(source, output, overwrite=overwrite, **given)
            except DeadlinePassed:
                job = self.client.jobs.submit(source, **given)
        except NotFound as error:
            # It is not the job that is not there: the service is at another address.
            raise _Hopeless from error
        try:
            return self.client.jobs.result(self.client.jobs.wait(job), output, overwrite=overwrite)
        except Cancelled:
            if halt.is_set():
                self._abandon(job)
            raise

    def _abandon(self, job: RemoteJob) -> None:
        """Whoever stops the batch does not want its jobs either."""
        with contextlib.suppress(HyperfocalError), self.client.again() as other:
            other.jobs.cancel(job)


def _is_there(known: Entry) -> bool:
    """Whether the input of an earlier result still lies where it was; older lines do not say."""
    return bool(known.source) and paths.exists(Path(known.source, known.input))


def _check_untaken(job: Job, earlier: Sequence[Future[Outcome]]) -> None:
    """:class:`OutputError` where the output is another input's; one that failed has none."""
    for future in earlier:
        try:
            before = future.result()
        except (CancelledError, _Halted, _Hopeless) as error:
            raise _Halted from error
        if before.status != "failed":
            raise OutputError(f"{job.output} is already the result of {before.input}")


def _digest(source: Path) -> str:
    try:
        return digest_of(source)
    except OSError as error:
        raise InputMissing(f"{source}: {error.strerror or error}") from error


def _folder_of(job: Job) -> str:
    """Identity of the folder that an input was found in, which its name is relative to."""
    assert job.found.path is not None
    return paths.identity(job.found.path.parents[len(job.found.below.parts) - 1])
