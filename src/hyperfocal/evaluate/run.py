"""Measuring a model on a suite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean

from hyperfocal.errors import GarbledOutput, InputError, UsageError
from hyperfocal.evaluate.engine import Enlarge, load_engine
from hyperfocal.evaluate.pairs import Bytes, Example, read_example
from hyperfocal.evaluate.protocol import ProtocolCheck, check_protocol
from hyperfocal.evaluate.report import BicubicMean, ImageScore, Report, mean_of
from hyperfocal.evaluate.suites import Suite, find_suite
from hyperfocal.quality.fidelity import consistency
from hyperfocal.quality.metrics import Scores, scores
from hyperfocal.quality.resize import enlarge_bicubic
from hyperfocal.quality.similarity import WINDOW
from hyperfocal.settings import Settings

OnImage = Callable[[ImageScore, int, int], None]
"""Told after each picture: its scores, how many are done, and of how many."""


def evaluate(
    suite: str | Path,
    model: str,
    scale: int | None = None,
    first: int | None = None,
    settings: Settings | None = None,
    precision: str | None = None,
    *,
    least: int = WINDOW,
    on_image: OnImage | None = None,
) -> Report:
    """Score a model on a suite, beside bicubic, by the protocol of the literature.

    What transparency hides does not count, as in :func:`compare`.

    ``suite``: a name or a folder, see :func:`find_suite`. ``scale``: the model's own when not
    given. ``first``: only so many pictures, in the order of their names. ``precision``:
    "float", "int8" or "bf16", overriding that of ``settings``. ``least``: the side in pixels that
    pictures must have without their border, as for SSIM, where more is measured afterwards.

    Bicubic is measured first, on every picture; where its score is published and not met,
    nothing else is measured. :class:`InputMissing`, :class:`PairMismatch`,
    :class:`ModelMissing`, :class:`UsageError` for a scale or count that cannot be,
    :class:`InputError` for a picture that is too small.
    """
    settings = settings or Settings.read()
    engine = load_engine(model, scale, settings, precision)
    pairs = select(find_suite(suite, engine.scale), first)
    check, bicubic = measure_bicubic(pairs, engine.scale, settings, least)
    images = tuple(measure(pairs, engine.enlarge, engine.scale, bicubic, settings, on_image))
    return Report(
        suite=pairs.name,
        model=engine.model,
        scale=engine.scale,
        precision=engine.precision,
        low_resolution="given" if pairs.brings_low else "made",
        protocol_check=check,
        mean=mean_of(images),
        bicubic=BicubicMean(
            fmean(score.psnr for score in bicubic), fmean(score.ssim for score in bicubic)
        ),
        images=images,
    )


def select(suite: Suite, first: int | None) -> Suite:
    """The first pictures of a suite; all of them for None."""
    if first is None:
        return suite
    if first < 1:
        raise UsageError(f"the number of pictures must be at least 1, not {first}")
    return Suite(suite.name, suite.pairs[:first])


def measure_bicubic(
    suite: Suite, scale: int, settings: Settings | None = None, least: int = WINDOW
) -> tuple[ProtocolCheck, tuple[Scores, ...]]:
    """Scores of bicubic, picture by picture, and whether they are the published ones."""
    found = tuple(
        scores(
            enlarge_bicubic(example.low, scale),
            scored(example, scale, least),
            shave=scale,
            visible=example.visible,
        )
        for example in _examples(suite, scale, settings)
    )
    mean = fmean(score.psnr for score in found)
    if suite.brings_low:
        # The published value is for pictures made by the protocol; those given may have been
        # degraded in another way, on purpose.
        return ProtocolCheck(None, "the low-resolution pictures came with the suite"), found
    return check_protocol(suite.name, scale, len(found), mean), found


def scored(example: Example, scale: int, least: int) -> Bytes:
    """The original; :class:`InputError` where its sides are under ``least`` without the border."""
    (height, width), least = example.high.shape[:2], least + 2 * scale
    if min(height, width) < least:
        raise InputError(
            f"{example.name} has {width}x{height} pixels; at x{scale} pictures are scored from "
            f"{least}x{least} on"
        )
    return example.high


def measure(
    suite: Suite,
    enlarge: Enlarge,
    scale: int,
    bicubic: tuple[Scores, ...],
    settings: Settings | None = None,
    on_image: OnImage | None = None,
) -> Iterator[ImageScore]:
    """Scores of ``enlarge``, picture by picture, beside those of bicubic."""
    for index, example in enumerate(_examples(suite, scale, settings)):
        if index == 0:
            # Compiling and first touches of memory belong to start-up, not to a picture's time.
            enlarge(example.low)
        start = time.perf_counter()
        made = enlarge(example.low)
        milliseconds = (time.perf_counter() - start) * 1e3
        if made.shape != example.high.shape:
            raise GarbledOutput(
                f"{example.name}: the model gave {made.shape} where {example.high.shape} is due"
            )
        found = scores(made, example.high, shave=scale, visible=example.visible)
        cubic = bicubic[index]
        score = ImageScore(
            name=example.name,
            **found.to_dict(),
            consistency=consistency(made, example.low, example.visible_low),
            bicubic_psnr=cubic.psnr,
            bicubic_ssim=cubic.ssim,
            milliseconds=milliseconds,
        )
        if on_image is not None:
            on_image(score, index + 1, len(suite.pairs))
        yield score


def _examples(suite: Suite, scale: int, settings: Settings | None) -> Iterator[Example]:
    return (read_example(pair, scale, settings) for pair in suite.pairs)
