"""What a model is: a card, not a class.

The engine asks the card how to treat a model (scale, multiple, radius) and never its name.
Cards are TOML files beside the weights.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hyperfocal.errors import ModelBroken
from hyperfocal.imaging.atomic import write_file
from hyperfocal.models.toml import write_toml

Precision = Literal["float", "int8"]

VALIDATION = "validation"
"""What a card calls the pictures that a training chooses by: no suite can be called so."""


class _Section(BaseModel):
    # JSON, in which cards are told too, has neither infinity nor NaN.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Weights(_Section):
    """One ONNX file beside the card.

    ``exact_anywhere``: of int8, processors that add products in pairs of 16 bits compute it
    exactly, too, as no such pair can overflow (:mod:`hyperfocal.training.nets.steps`).
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*\.onnx$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    exact_anywhere: bool = False


class Quality(_Section):
    """Measured by ``hyperfocal evaluate``: mean PSNR in dB and SSIM of luma over a suite."""

    suite: str
    precision: Precision
    images: int
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float

    @classmethod
    def of(
        cls,
        suite: str,
        precision: str,
        images: int,
        model: tuple[float, float],
        bicubic: tuple[float, float],
    ) -> Quality:
        """From means of PSNR in dB and of SSIM, rounded as cards tell them."""
        return cls.model_validate(
            {
                "suite": suite,
                "precision": precision,
                "images": images,
                "psnr": round(model[0], 3),
                "ssim": round(model[1], 4),
                "bicubic_psnr": round(bicubic[0], 3),
                "bicubic_ssim": round(bicubic[1], 4),
            }
        )


class Speed(_Section):
    """Measured by ``hyperfocal bench``: a picture in memory to a picture in memory.

    Milliseconds; ``side`` of the square picture in pixels; ``reference``: a fixed matrix
    product timed between the runs, which tells how busy the machine was; ``peak_mb``: largest
    resident memory of the process in millions of bytes, 0 where the system does not tell.
    """

    precision: Precision
    processor: str
    threads: int
    side: int
    runs: int
    median: float
    p95: float
    reference: float
    peak_mb: float = 0.0


class Training(_Section):
    """Where the weights come from, and what they cost.

    ``steps``, ``hours``: of the last training, up to the checkpoint that was chosen.
    ``total_steps``, ``total_hours``: with the trainings before it, each going on from the weights
    of another; 0 where nothing of those is known. ``more_before``: not all of them are known; the
    totals are the least it can have been. What teachers cost is not in it. ``averaged_with``: the
    file, and the beginning of its digest, whose weights these are the mean with.
    """

    data: str = ""
    experiment: str = ""
    steps: int = 0
    hours: float = 0.0
    total_steps: int = 0
    total_hours: float = 0.0
    more_before: bool = False
    averaged_with: str = ""
    hardware: str = ""


class ModelCard(_Section):
    """A model's card.

    ``scale``: native enlargement. ``input_multiple``: sides of the input must be multiples of
    this many pixels. ``receptive_radius``: how many input pixels away can still matter, which
    is the overlap that makes tiles exact. ``kind``: ``onnx``, or ``builtin`` for what is code
    rather than weights (bicubic). ``weights``: files by precision; the network takes float32
    ``(1, 3, H, W)`` in [0, 1] and gives ``(1, 3, scale*H, scale*W)``. ``self_ensemble``: ask the
    network with the picture mirrored either way as well, and give the mean of the three answers.
    ``takes_depth``: the network takes blur away, so that what depth shows to be out of focus has to
    be kept from it; see :mod:`hyperfocal.restore.soften`.
    ``lineage``: of a retrained model, the best figures that any model it comes from had on frozen
    suites, by which its successors are judged, too; no picture counts for more than 50 dB there.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    purpose: str = ""
    kind: Literal["onnx", "builtin"] = "onnx"
    scale: int = Field(ge=1, le=8)
    tier: str = ""
    licence: str = ""
    version: str = "1"
    input_multiple: int = Field(default=1, ge=1, le=256)
    receptive_radius: int = Field(default=16, ge=0, le=1024)
    takes_depth: bool = False
    self_ensemble: bool = False
    weights: dict[Precision, Weights] = Field(default_factory=dict)
    training: Training = Field(default_factory=Training)
    quality: tuple[Quality, ...] = ()
    lineage: tuple[Quality, ...] = ()
    speed: tuple[Speed, ...] = ()

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a card file; :class:`ModelBroken` when it is not one."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}"
                for each in error.errors()
            )
            raise ModelBroken(f"{path}: not a model card: {wrong}") from error
        # No UTF-8, no TOML, or a path with a null byte.
        except (OSError, ValueError) as error:
            raise ModelBroken(f"{path}: not a model card: {error}") from error
        except RecursionError as error:
            raise ModelBroken(f"{path}: not a model card: nested too deep") from error

    def to_toml(self) -> str:
        """The card as TOML text, without what has its default value."""
        return write_toml(self.model_dump(exclude_defaults=True))

    def write(self, path: Path) -> None:
        """Write the card file, all or nothing; :class:`OutputRefused` where that fails."""
        text = self.to_toml().encode("utf-8")
        write_file(path, lambda file: file.write(text))
