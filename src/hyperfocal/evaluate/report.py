"""What an evaluation found, as plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from hyperfocal.evaluate.protocol import ProtocolCheck


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One picture. ``psnr``, ``snr``, ``consistency`` in dB; ``mse`` in squared 8-bit levels.

    Against the original, but for ``consistency``, which is against the low-resolution picture.
    ``milliseconds``: enlarging in memory, without reading files.
    """

    name: str
    psnr: float
    ssim: float
    mse: float
    snr: float
    consistency: float
    bicubic_psnr: float
    bicubic_ssim: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Mean:
    """Means over the pictures, of the model."""

    psnr: float
    ssim: float
    mse: float
    snr: float
    consistency: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class BicubicMean:
    """Means over the pictures, of bicubic enlargement."""

    psnr: float
    ssim: float


@dataclass(frozen=True, slots=True)
class Report:
    """A model measured on a suite.

    ``precision``: of the weights that ran; ``low_resolution``: ``"made"`` by the protocol from
    the originals, or ``"given"`` with the suite.
    """

    suite: str
    model: str
    scale: int
    precision: str
    low_resolution: str
    protocol_check: ProtocolCheck
    mean: Mean
    bicubic: BicubicMean
    images: tuple[ImageScore, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values by name, lists and dicts only."""
        return {**asdict(self), "images": [asdict(image) for image in self.images]}

    def to_json(self) -> str:
        """JSON text, indented."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def mean_of(images: Sequence[ImageScore]) -> Mean:
    """The model's means; of decibels, as the literature takes them, not of errors."""
    return Mean(
        psnr=fmean(image.psnr for image in images),
        ssim=fmean(image.ssim for image in images),
        mse=fmean(image.mse for image in images),
        snr=fmean(image.snr for image in images),
        consistency=fmean(image.consistency for image in images),
        milliseconds=fmean(image.milliseconds for image in images),
    )
