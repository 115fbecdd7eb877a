"""What a worker does with one task: decode, restore, write, measure."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hyperfocal.errors import Cancelled, HyperfocalError
from hyperfocal.imaging.formats import FORMATS
from hyperfocal.server.pool.asked import (
    check_writable,
    crop_of,
    cropped,
    format_of,
    sizes,
    target_of,
)
from hyperfocal.server.pool.checking import checked
from hyperfocal.server.pool.estimate import Rates, estimate
from hyperfocal.server.pool.leftovers import workplace
from hyperfocal.server.pool.models import Choice, Models
from hyperfocal.server.pool.task import Answer, Options, Task
from hyperfocal.server.served import Served
from hyperfocal.server.spool import writing

if TYPE_CHECKING:
    from hyperfocal.depth.filters import Plane
    from hyperfocal.imaging import Picture
    from hyperfocal.restore import Result
    from hyperfocal.restore.samples import Array
    from hyperfocal.settings import Settings

# Of the progress that is told: decoding, and everything up to encoding.
_DECODED, _RESTORED = 0.05, 0.9
_MADE = "result"


@dataclass(frozen=True)
class Job:
    """One task with what surrounds it.

    ``report`` is told the progress, 0 to 1; ``is_cancelled`` is asked before each tile.
    ``model_loaded`` is called when another model was loaded, which moves the limit on memory.
    ``chosen`` is told which models the picture is given to: before it is decoded those for what
    the header says, and once more where the picture had a say.
    """

    task: Task
    models: Models
    settings: Settings
    report: Callable[[float], None]
    is_cancelled: Callable[[], bool]
    rates: Rates
    model_loaded: Callable[[], None] = lambda: None
    chosen: Callable[[Served], None] = lambda _: None

    def check(self) -> None:
        """:class:`Cancelled` if it was asked for."""
        if self.is_cancelled():
            raise Cancelled("stopped on request")


class _Clock:
    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def milliseconds(self) -> dict[str, float]:
        found = {name: round(value * 1e3, 3) for name, value in self.seconds.items()}
        return {**found, "total": round((time.perf_counter() - self.start) * 1e3, 3)}


def do(job: Job) -> Answer:
    """Work on one task. Raises what the picture, the options or the models give rise to."""
    from hyperfocal import imaging
    from hyperfocal.imaging.source import read_all

    clock = _Clock()
    task, options = job.task, job.task.options
    data = read_all(task.source, job.settings.max_bytes)
    if task.kind == "check":
        return checked(data, job.settings)
    facts = imaging.inspect(data, settings=job.settings)
    crop = crop_of(task, facts.width, facts.height)
    if crop is not None:
        facts = replace(facts, width=crop[2], height=crop[3])
    target = target_of(options)
    loads = job.models.loads
    choice = job.models.choose(options.model, preview=task.kind == "preview")
    height, width = choice.upscaler.plan(facts.height, facts.width, target)
    form = format_of(options, facts.format)
    check_writable(options, form, width, height)
    choice.upscaler.warm(max(height / facts.height, width / facts.width))
    if job.models.loads != loads:
        job.model_loaded()
    if task.kind == "estimate":
        found = estimate(facts, target, form, choice, job.rates, job.settings)
        return replace(found, timing_ms=clock.milliseconds())
    job.chosen(_served(choice, (facts.height, facts.width), (height, width)))
    with clock.phase("decode"):
        picture = imaging.open(data, settings=job.settings)
        statistics = _statistics(picture, data)
        del data
        depth = _depth_map(job, picture, crop)
        if crop is not None:
            picture = cropped(picture, crop)
        reference = _reference(job)
    job.check()
    job.report(_DECODED)

    def told(names: tuple[str, ...]) -> None:
        job.chosen(choice.served(names))

    # Large results lie in a file until they are encoded, and its disk may be full as well.
    with clock.phase("model"), writing("the result"):
        result = choice.upscaler(
            picture,
            **sizes(options),
            on_progress=lambda done, total: job.report(
                _DECODED + (_RESTORED - _DECODED) * done / total
            ),
            cancel=job.is_cancelled,
            # Where the picture has a say: told before it is given to them, whatever comes of it.
            on_models=None if choice.damaged is None else told,
            min_fidelity=options.min_fidelity,
            depth=depth,
        )
    served = choice.served(result.models)
    job.check()
    psnr, ssim = _scores(job, picture, result, reference)
    job.check()
    job.report(_RESTORED)
    with clock.phase("encode"):
        assert task.output is not None
        size = _save(result.picture, task.output, form, options)
    _learn(job.rates, picture, result, clock)
    timing = clock.milliseconds()
    made = result.picture
    return Answer(
        model=served.model,
        model_version=served.version,
        width=made.width,
        height=made.height,
        scale=result.scale,
        format=form,
        media_type=FORMATS[form].media_type,
        bytes=size,
        consistency_db=_finite(result.fidelity.consistency_db),
        psnr=_finite(psnr),
        ssim=_finite(ssim),
        basis="consistency" if reference is None else "reference",
        timing_ms=timing,
        statistics=statistics,
        notes=_notes(picture, made, form, options),
        choice=_choice(result),
        depth={} if result.depth is None else result.depth.to_dict(),
    )


def _served(choice: Choice, have: tuple[int, int], wanted: tuple[int, int]) -> Served:
    """Those that lead from one size (height, width) to the other, if the picture has no say."""
    from hyperfocal.restore.passes import passes_between

    chain = passes_between(have, wanted, choice.shelf.scales)
    return choice.served(choice.shelf.card(native).name for native in chain)


def _choice(result: Result) -> dict[str, object]:
    found = result.choice
    return {} if found is None else {"kind": found.kind, "reasons": list(found.reasons)}


def _depth_map(
    job: Job, picture: Picture, crop: tuple[int, int, int, int] | None
) -> Plane | Literal[False] | None:
    """What an upscaler takes for what is wanted of a picture; :class:`UsageError`."""
    from hyperfocal.depth.given import cut_map, read_map

    if not job.task.options.use_depth:
        return False
    if job.task.depth is None:
        return None
    found = read_map(job.task.depth, job.settings, size=(picture.height, picture.width))
    return found if crop is None else cut_map(found, crop, picture.height, picture.width)


def _statistics(picture: Picture, data: bytes) -> dict[str, float]:
    from hyperfocal.imaging.jpeg_quality import estimate_jpeg_quality
    from hyperfocal.quality.statistics import measure

    found = {"width": float(picture.width), "height": float(picture.height)}
    found.update(
        (name, float(f"{_finite(value):.5g}"))
        for name, value in measure(_visible(picture)).to_dict().items()
    )
    quality = estimate_jpeg_quality(data)
    if quality is not None:
        found["jpeg_quality"] = float(quality)
    return found


def _reference(job: Job) -> Picture | None:
    from hyperfocal import imaging

    if job.task.reference is None:
        return None
    # As large as a result may be, not as an input.
    room = job.settings.model_copy(update={"max_pixels": job.settings.max_output_pixels})
    return imaging.open(job.task.reference, settings=room)


def _scores(
    job: Job, picture: Picture, result: Result, reference: Picture | None
) -> tuple[float, float]:
    from hyperfocal.server.pool.scoring import against_input, against_reference

    made = result.picture
    if reference is not None:
        alphas = [alpha for alpha in (made.alpha, reference.alpha) if alpha is not None]
        return against_reference(made.pixels, reference.pixels, job.check, alphas)
    # Windows on the border of what is visible see some of the rest.
    similarity = against_input(made.pixels, _visible(picture), picture.alpha)
    return result.fidelity.consistency_db, similarity


def _visible(picture: Picture) -> Array:
    """The pixels without the colour that transparency hides, as the result is made of them."""
    from hyperfocal.restore.alpha import bleed

    return picture.pixels if picture.alpha is None else bleed(picture.pixels, picture.alpha)


def _save(picture: Picture, output: Path, form: str, options: Options) -> int:
    """Write the result, whole or not at all, and say how many bytes."""
    import shutil

    from hyperfocal import imaging

    folder = workplace(output)
    made = folder / _MADE
    try:
        with writing("the result"):
            folder.mkdir()
            imaging.save(
                picture,
                made,
                format=form,
                quality=options.quality,
                bit_depth=options.bit_depth,
                strip_metadata=options.strip_metadata,
                # Whoever keeps it longer than a request sees to that.
                durable=False,
            )
            size = made.stat().st_size
            made.replace(output)
        return size
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _learn(rates: Rates, picture: Picture, result: Result, clock: _Clock) -> None:
    pixels = picture.width * picture.height
    seen, model = pixels, result.timings.model
    if len(result.models) == 1:
        rates.learn(result.models[0], seen, model)
    around = time.perf_counter() - clock.start - model
    rates.learn_around(pixels + result.picture.width * result.picture.height, around)


def _notes(picture: Picture, made: Picture, form: str, options: Options) -> tuple[str, ...]:
    from hyperfocal import imaging

    lost = imaging.conversions(made, form, options.bit_depth, strip_metadata=options.strip_metadata)
    # A file can say as much as it likes; an answer cannot.
    return tuple(note[:300] for note in (*picture.notes, *lost))[:20]


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def tell(error: HyperfocalError, task: Task) -> str:
    """The error's message without the paths of files that the caller never named."""
    text = str(error).replace("the picture given as bytes", "the picture")
    names = {
        task.source: "the picture",
        task.reference: "the reference",
        task.depth: "the depth map",
    }
    if task.output is not None:
        names |= {workplace(task.output) / _MADE: "the result", task.output: "the result"}
    for path, name in names.items():
        if path is not None:
            text = text.replace(str(path), name)
    return text
