"""Restoring many files: one bad file does not stop the rest."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from hyperfocal import paths
from hyperfocal.cli import say
from hyperfocal.cli.choices import check_depth
from hyperfocal.cli.depth_maps import DepthMaps
from hyperfocal.cli.outcome import Batch, Failure, Outcome, cancelled
from hyperfocal.cli.place import Job, check_free, check_writable, is_device, is_taken
from hyperfocal.errors import (
    GarbledOutput,
    InputMissing,
    ModelError,
    OutputError,
    OutputExists,
    OutputRefused,
)

if TYPE_CHECKING:
    from hyperfocal.cli.progress import Watcher
    from hyperfocal.imaging import Picture
    from hyperfocal.restore import Upscaler
    from hyperfocal.restore.target import Target
    from hyperfocal.settings import Settings

Existing = Literal["refuse", "skip", "overwrite"]


@dataclass(frozen=True, slots=True)
class Writing:
    """How results are written; what the options of the same names say."""

    quality: int | None = None
    bit_depth: int | None = None
    strip_metadata: bool = False
    existing: Existing = "refuse"


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that is the same for all files of one call."""

    model: str
    load: Callable[[], Upscaler]
    settings: Settings
    target: Target
    writing: Writing
    min_fidelity: float | None = None
    back_project: float | None = None
    depth: DepthMaps = field(default_factory=DepthMaps)
    dry_run: bool = False
    verbose: bool = False

    def run(self, jobs: Sequence[Job], ignored: int, watcher: Watcher) -> Batch:
        """All jobs in order. A model that cannot be used ends the batch, and so does Ctrl-C."""
        start = time.perf_counter()
        outcomes: list[Outcome] = []
        stopped: Failure | None = None
        taken: dict[str, str] = {}
        try:
            for job in jobs:
                watcher.begin(job.found.name)
                outcomes.append(self._one(job, watcher, taken))
                watcher.end(outcomes[-1])
        except KeyboardInterrupt:
            stopped = cancelled()
        except ModelError as error:
            stopped = Failure.of(error)
        return Batch(tuple(outcomes), ignored, time.perf_counter() - start, stopped)

    def _one(self, job: Job, watcher: Watcher, taken: dict[str, str]) -> Outcome:
        """``taken``: whose results earlier outputs are; an input that failed has none."""
        outcome = self._attempt(job, watcher, taken)
        if job.output is not None and outcome.status != "failed":
            taken[paths.identity(job.output)] = job.found.name
        return outcome

    def _attempt(self, job: Job, watcher: Watcher, taken: Mapping[str, str]) -> Outcome:
        name, output = job.found.name, None if job.output is None else str(job.output)
        try:
            if job.found.problem:
                raise InputMissing(f"{name}: {job.found.problem}")
            if job.error is not None:
                raise job.error
            if job.output is not None and (of := taken.get(paths.identity(job.output))):
                raise OutputError(f"{job.output} is already the result of {of}")
            if job.output is not None and self.writing.existing != "overwrite":
                if self.writing.existing == "skip" and is_taken(job.output):
                    return Outcome(name, output, "skipped")
                check_free(job.output)
            if job.output is not None:
                check_writable(job.output, overwrite=self.writing.existing == "overwrite")
            return self._forecast(job) if self.dry_run else self._restore(job, watcher)
        except OutputExists as error:
            if self.writing.existing == "skip":
                # Another program made it meanwhile; several may share the work so.
                return Outcome(name, output, "skipped")
            failure = Failure.of(error)
        except (GarbledOutput, OSError, MemoryError) as error:
            failure = Failure.of(error)
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug met on one file must not lose the others
            failure = Failure.of(error)
            if self.verbose and failure.code == "unexpected":
                say.line(traceback.format_exc().rstrip())
        return Outcome(name, output, "failed", error=failure)

    def _restore(self, job: Job, watcher: Watcher) -> Outcome:
        from hyperfocal import imaging

        clock = _Clock()
        picture = imaging.open(_source(job), settings=self.settings)
        opened = clock.lap()
        up = self.load()
        form = self._format(job, picture.source)
        height, width = up.plan(picture.height, picture.width, self.target)
        # Before the work rather than after it.
        imaging.check_fits(form, width, height)
        loaded = clock.lap()
        result = up(
            picture,
            scale=self.target.scale,
            size=self.target.size,
            long_edge=self.target.long_edge,
            megapixels=self.target.megapixels,
            on_progress=watcher.tiles,
            min_fidelity=self.min_fidelity,
            back_project=self.back_project,
            depth=self.depth.of(job.found),
        )
        clock.lap()
        made = result.picture
        notes = (
            *picture.notes,
            *imaging.conversions(
                made,
                form,
                self.writing.bit_depth,
                strip_metadata=self.writing.strip_metadata,
            ),
        )
        size = self._save(made, form, job.output)
        timings = asdict(result.timings)
        del timings["total"]
        return Outcome(
            job.found.name,
            None if job.output is None else str(job.output),
            "done",
            input_width=picture.width,
            input_height=picture.height,
            width=made.width,
            height=made.height,
            scale=result.scale,
            model="+".join(result.models),
            tiles=result.tiles,
            fidelity=result.fidelity.consistency_db,
            worst_fidelity=result.fidelity.worst_db,
            timings={
                "open": opened,
                "load": loaded,
                **timings,
                "save": clock.lap(),
                "total": clock.total(),
            },
            bytes=size,
            notes=notes,
            choice=None if result.choice is None else result.choice.to_dict(),
            depth=None if result.depth is None else result.depth.to_dict(),
        )

    def _forecast(self, job: Job) -> Outcome:
        from hyperfocal import imaging
        from hyperfocal.depth.given import check_belongs
        from hyperfocal.models.automatic import AUTOMATIC
        from hyperfocal.restore.auto import choose
        from hyperfocal.restore.forecast import forecast, forecast_of
        from hyperfocal.restore.route import Shape
        from hyperfocal.restore.shelf import Shelf

        depth = self.depth.of(job.found)
        choice = None
        if (families := AUTOMATIC.get(self.model)) is not None:
            # What is chosen depends on the pixels.
            picture = imaging.open(_source(job), settings=self.settings)
            choice = choose(picture)
            shelf = Shelf.find(families.of(choice.kind), self.settings)
            planned = forecast_of(Shape.of(picture), self.target, shelf, self.settings)
            source, before = picture.source, (picture.height, picture.width)
        else:
            facts = imaging.inspect(_source(job), settings=self.settings, limits=True)
            source, before = facts.format, (facts.height, facts.width)
            shelf = Shelf.at(self.model, self.settings)
            planned = forecast(facts, self.target, shelf, self.settings)
        if isinstance(depth, Path):
            # What it holds shows when restoring.
            of_map = imaging.inspect(depth, settings=self.settings)
            check_belongs((of_map.height, of_map.width), *before)
        height, width = planned.size
        imaging.check_fits(self._format(job, source), width, height)
        return Outcome(
            job.found.name,
            None if job.output is None else str(job.output),
            "planned",
            input_width=before[1],
            input_height=before[0],
            width=width,
            height=height,
            scale=width / before[1],
            model="+".join(planned.models),
            tiles=planned.tiles,
            choice=None if choice is None else choice.to_dict(),
        )

    def _format(self, job: Job, source: str | None) -> str:
        """What to write; ``source``: the input's format, which the pipe's result keeps.

        :class:`UsageError` where it cannot be written as deep as asked for.
        """
        from hyperfocal.imaging import WRITABLE

        form = job.form or (source if source in WRITABLE else "png")
        check_depth(form, self.writing.bit_depth)
        return form

    def _save(self, picture: Picture, form: str, output: Path | None) -> int:
        """Write, and say how many bytes."""
        from hyperfocal import imaging
        from hyperfocal.imaging.atomic import refusal, write_file

        if output is None or is_device(output):
            data = imaging.encode(
                picture,
                form,
                quality=self.writing.quality,
                bit_depth=self.writing.bit_depth,
                strip_metadata=self.writing.strip_metadata,
            )
            if output is not None:
                # It would not say afterwards how many there were.
                write_file(output, lambda sink: sink.write(data))
                return len(data)
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            except OSError as error:
                raise refusal("standard output", error) from error
            return len(data)
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputRefused(
                f"the folder {output.parent} cannot be made: {error.strerror}"
            ) from error
        imaging.save(
            picture,
            output,
            format=form,
            quality=self.writing.quality,
            bit_depth=self.writing.bit_depth,
            strip_metadata=self.writing.strip_metadata,
            overwrite=self.writing.existing == "overwrite",
        )
        return output.stat().st_size


def _source(job: Job) -> Path | BinaryIO:
    return sys.stdin.buffer if job.found.path is None else job.found.path


class _Clock:
    """Seconds since it was made, and since the last lap."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds

    def total(self) -> float:
        return time.perf_counter() - self._start
