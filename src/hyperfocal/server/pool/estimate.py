"""What a task would take, without doing it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hyperfocal.imaging.formats import FORMATS
from hyperfocal.server.pool.models import Choice
from hyperfocal.server.pool.task import Answer

if TYPE_CHECKING:
    from hyperfocal.imaging import Facts
    from hyperfocal.models.loaded import LoadedModel
    from hyperfocal.restore import Target
    from hyperfocal.restore.forecast import Forecast
    from hyperfocal.settings import Settings

# Side in pixels of the tile on which a model is timed.
_SIDE = 256


@dataclass
class Rates:
    """How fast this worker is: microseconds a pixel, by model, learnt from its own work.

    ``around``: of decoding, resizing, checking and encoding, a pixel of input and output.
    """

    models: dict[str, float] = field(default_factory=dict)
    around: float = 0.05

    def learn(self, model: str, pixels: int, seconds: float) -> None:
        """``model`` took so long for that many pixels of input."""
        self.models[model] = _mixed(self.models.get(model), seconds * 1e6 / pixels)

    def try_out(self, net: LoadedModel) -> None:
        """Time a model on a small tile; a run before that makes it ready."""
        import numpy as np

        multiple = net.card.input_multiple
        side = -(-_SIDE // multiple) * multiple
        tile = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        net.run(tile)
        start = time.perf_counter()
        net.run(tile)
        self.learn(net.card.name, side * side, time.perf_counter() - start)

    def learn_around(self, pixels: int, seconds: float) -> None:
        """Everything but the models took so long for that many pixels of input and output."""
        self.around = _mixed(self.around, seconds * 1e6 / pixels)


def _mixed(old: float | None, new: float) -> float:
    return new if old is None else 0.8 * old + 0.2 * new


def estimate(
    facts: Facts, target: Target, form: str, choice: Choice, rates: Rates, settings: Settings
) -> Answer:
    """From the header, and from how fast the models are; one not used so far is tried out.

    ``form``: the format of the result; ``timing_ms`` is left empty. ``choice``: its models are
    loaded. Where the picture decides between two kinds of them, time and memory are those of the
    kind that takes more.

    Raises TooLarge as the work itself would.
    """
    from hyperfocal.imaging.header import Header, check_limits
    from hyperfocal.restore.forecast import forecast
    from hyperfocal.server.pool.process import resident

    header = Header(facts.format, facts.width, facts.height, facts.mode, frames=facts.frames)
    check_limits(header, settings)
    shelves = [choice.shelf] if choice.damaged is None else [choice.shelf, choice.damaged]
    plans = [forecast(facts, target, shelf, settings) for shelf in shelves]
    planned = plans[0]
    height, width = planned.size
    around = (facts.width * facts.height + width * height) * rates.around
    seconds = around + max(_microseconds(plan, choice, rates) for plan in plans)
    served = choice.served(planned.models)
    return Answer(
        model=served.model,
        model_version=served.version,
        width=width,
        height=height,
        scale=width / facts.width,
        format=form,
        media_type=FORMATS[form].media_type,
        bytes=0,
        consistency_db=None,
        psnr=0.0,
        ssim=0.0,
        basis="consistency",
        timing_ms={},
        statistics={"width": float(facts.width), "height": float(facts.height)},
        estimate={
            "seconds": round(seconds / 1e6, 3),
            "memory_bytes": float(max(plan.memory for plan in plans) + (resident() or 0)),
            "tiles": float(planned.tiles),
        },
    )


def _microseconds(plan: Forecast, choice: Choice, rates: Rates) -> float:
    """What the models take for a plan; those that nothing has been made with yet are tried out."""
    for name in plan.models:
        if name not in rates.models:
            rates.try_out(choice.nets[name])
    return sum(seen * rates.models[name] for name, seen in zip(plan.models, plan.seen, strict=True))
