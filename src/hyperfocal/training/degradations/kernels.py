"""Blur kernels, and blurring by them.

Gaussian, generalised Gaussian and plateau kernels, with an angle; and the sinc, whose ringing is
that of sharpened and twice-compressed pictures. X. Wang, L. Xie, C. Dong, Y. Shan,
"Real-ESRGAN: Training real-world blind super-resolution with pure synthetic data", ICCVW 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hyperfocal.training.degradations.ranges import (
    FORBID,
    Pixels,
    Range,
    check_range,
    check_share,
    uniform,
)

Kernel = npt.NDArray[np.float32]
Kind = Literal["gaussian", "generalised", "plateau", "sinc"]

# Points of the mean over a half turn that gives the Bessel function: exact to 1e-12 for
# arguments below this number.
_BESSEL_POINTS = 96


def gaussian(sigma: float, ratio: float = 1.0, angle: float = 0.0) -> Kernel:
    """A Gaussian kernel ``(side, side)``, side odd, summing to 1.

    ``sigma``: the standard deviation in pixels along the longer axis, ``sigma * ratio`` across
    it; ``angle`` in radians, counted from the x axis towards the y axis.
    """
    return generalised(sigma, ratio, angle, 1.0)


def generalised(sigma: float, ratio: float, angle: float, shape: float) -> Kernel:
    """``exp(-d**shape / 2)`` of the squared Mahalanobis distance d: a Gaussian for shape 1.

    Below 1 the tails are heavier, above it the kernel is more like a disc.
    """
    # Heavy tails reach farther before they may be cut off.
    distance = _distance(sigma, ratio, angle, reach=3.0 if shape >= 1.0 else 5.0)
    return _normalised(np.exp(-0.5 * distance**shape))


def plateau(sigma: float, ratio: float, angle: float, shape: float) -> Kernel:
    """``1 / (1 + d**shape)`` of the squared Mahalanobis distance d: flat, then falling."""
    return _normalised(1.0 / (1.0 + _distance(sigma, ratio, angle, reach=4.0) ** shape))


def sinc(cutoff: float, radius: int) -> Kernel:
    """The ideal low-pass of circular ``cutoff`` in radians a pixel, (0, pi], cut at ``radius``.

    ``J1(cutoff r) cutoff / (2 pi r)``, the Fourier transform of a disc.
    """
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    # Few distances are different.
    squares, where = np.unique(x * x + y * y, return_inverse=True)
    r = np.sqrt(squares[1:])
    values = cutoff * _bessel_j1(cutoff * r) / (2.0 * math.pi * r)
    centre = cutoff * cutoff / (4.0 * math.pi)
    return _normalised(np.concatenate([[centre], values])[where].reshape(y.shape))


def convolve(pixels: Pixels, kernel: Kernel) -> Pixels:
    """``pixels`` blurred by ``kernel``, the border reflected; float32 of the same shape.

    By Fourier transforms: the cost does not depend on the kernel, and torch's are several times
    faster than numpy's.
    """
    import torch

    height, width = pixels.shape[:2]
    radius = kernel.shape[0] // 2
    size = _smooth(height + 2 * radius), _smooth(width + 2 * radius)
    spare_y, spare_x = size[0] - height - radius, size[1] - width - radius
    padded = np.pad(pixels, ((radius, spare_y), (radius, spare_x), (0, 0)), mode="symmetric")
    planes = torch.from_numpy(padded).permute(2, 0, 1).contiguous()
    spectrum = torch.fft.rfft2(planes)
    spectrum *= torch.fft.rfft2(torch.from_numpy(kernel), s=size)
    made = torch.fft.irfft2(spectrum, s=size)
    inner = made[:, 2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]
    return inner.permute(1, 2, 0).contiguous().numpy()


@dataclass(frozen=True, slots=True)
class Blur:
    """Convolution with one kernel. ``sigma``, or for a sinc ``cutoff``, in pixels as they are."""

    kind: Kind
    sigma: float
    ratio: float = 1.0
    angle: float = 0.0
    shape: float = 1.0
    cutoff: float = math.pi

    def kernel(self) -> Kernel:
        """The kernel, ``(side, side)``, summing to 1."""
        if self.kind == "sinc":
            return sinc(self.cutoff, 10)
        make = plateau if self.kind == "plateau" else generalised
        return make(self.sigma, self.ratio, self.angle, self.shape)

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The blurred picture."""
        return convolve(pixels, self.kernel())

    def __str__(self) -> str:
        if self.kind == "sinc":
            return f"sinc, cutoff {self.cutoff / math.pi:.2f} of Nyquist"
        turned = f", {self.ratio:.2f} of it across" if self.ratio < 1.0 else ""
        return f"{self.kind} blur, sigma {self.sigma:.2f} px{turned}"


@dataclass(frozen=True, slots=True)
class BlurRange:
    """Which blurs happen. ``sigma`` is in pixels of the *low-resolution* picture.

    ``anisotropic``, ``generalised``, ``plateau``, ``sinc``: shares of the blurs that are drawn
    so; ``ratio``: the short axis over the long one; ``shape_*``: the exponents; ``cutoff``: of
    the sinc, as a share of the Nyquist frequency.
    """

    __pydantic_config__ = FORBID

    probability: float = 0.75
    sigma: Range = (0.1, 0.8)
    anisotropic: float = 0.4
    ratio: Range = (0.4, 1.0)
    generalised: float = 0.15
    shape_generalised: Range = (0.6, 3.0)
    plateau: float = 0.1
    shape_plateau: Range = (1.0, 2.0)
    sinc: float = 0.08
    cutoff: Range = (0.6, 1.0)

    def __post_init__(self) -> None:
        for name in ("probability", "anisotropic", "generalised", "plateau", "sinc"):
            check_share(name, getattr(self, name))
        if self.generalised + self.plateau + self.sinc > 1.0:
            raise ValueError("generalised, plateau and sinc together are more than all blurs")
        check_range("sigma", self.sigma, 0.01, 10.0)
        check_range("ratio", self.ratio, 0.05, 1.0)
        check_range("shape_generalised", self.shape_generalised, 0.3, 8.0)
        check_range("shape_plateau", self.shape_plateau, 0.5, 8.0)
        check_range("cutoff", self.cutoff, 0.1, 1.0)

    def draw(self, generator: np.random.Generator, pixel: float) -> Blur | None:
        """A blur for a picture ``pixel`` times as fine as the low-resolution one, or none."""
        if generator.random() >= self.probability:
            return None
        kind = generator.random()
        if kind < self.sinc:
            # Relative to the low-resolution picture: ringing finer than it would not be seen.
            cutoff = math.pi * uniform(generator, self.cutoff) / max(pixel, 1.0)
            return Blur("sinc", 0.0, cutoff=cutoff)
        sigma = uniform(generator, self.sigma) * pixel
        ratio, angle = 1.0, 0.0
        if generator.random() < self.anisotropic:
            ratio = uniform(generator, self.ratio)
            angle = uniform(generator, (0.0, math.pi))
        if kind < self.sinc + self.generalised:
            return Blur(
                "generalised", sigma, ratio, angle, uniform(generator, self.shape_generalised)
            )
        if kind < self.sinc + self.generalised + self.plateau:
            return Blur("plateau", sigma, ratio, angle, uniform(generator, self.shape_plateau))
        return Blur("gaussian", sigma, ratio, angle)


def _distance(sigma: float, ratio: float, angle: float, *, reach: float) -> npt.NDArray[np.float64]:
    """Squared Mahalanobis distance from the centre, out to ``reach`` deviations."""
    radius = max(1, math.ceil(reach * sigma))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    along = math.cos(angle) * x + math.sin(angle) * y
    across = math.cos(angle) * y - math.sin(angle) * x
    return (along / sigma) ** 2 + (across / (sigma * ratio)) ** 2


def _normalised(kernel: npt.NDArray[np.float64]) -> Kernel:
    return (kernel / kernel.sum()).astype(np.float32)


def _bessel_j1(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bessel's function by its integral, the mean of ``cos(t - x sin t)`` over a half turn.

    The trapezium rule over a period of a smooth function converges faster than any power.
    """
    t = np.arange(_BESSEL_POINTS) * (2.0 * math.pi / _BESSEL_POINTS)
    return np.cos(t - x[..., None] * np.sin(t)).mean(axis=-1)


def _smooth(length: int) -> int:
    """The next length that fast Fourier transforms like: no prime factor over 5."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
