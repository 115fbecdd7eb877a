"""Whether a measurement agrees with the literature, shown by bicubic before anything else.

A wrong kernel, a wrong border, luma of another standard or mispaired files all move the score of
bicubic enlargement, which is published; so a run that does not reproduce it measures something
else, and its other figures mean nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from hyperfocal.errors import PairMismatch

TOLERANCE_DB = 0.05
"""How far bicubic may be from its published PSNR, in dB."""


@dataclass(frozen=True, slots=True)
class Published:
    """Bicubic on a whole suite at one scale, as the literature has it."""

    suite: str
    images: int
    psnr: float
    ssim: float


@dataclass(frozen=True, slots=True)
class ProtocolCheck:
    """``passed``: bicubic agreed with its published value; None where there is none to compare.

    ``measured`` and ``published``: PSNR of bicubic in dB. ``reason``: the outcome as a sentence.
    """

    passed: bool | None
    reason: str
    measured: float | None = None
    published: float | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values by name."""
        return asdict(self)


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, dict[str, float]]]:
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def published(suite: str, scale: int) -> Published | None:
    """What bicubic is known to score on a suite, or None; the case of its name does not matter."""
    entry = _table().get(suite.lower())
    if entry is None or str(scale) not in entry["psnr"]:
        return None
    return Published(
        suite=str(entry["name"]),
        images=int(entry["images"]),  # type: ignore[call-overload]
        psnr=entry["psnr"][str(scale)],
        ssim=entry["ssim"][str(scale)],
    )


def check_protocol(suite: str, scale: int, images: int, bicubic_psnr: float) -> ProtocolCheck:
    """Compare the mean PSNR of bicubic over ``images`` pictures with its published value.

    :class:`PairMismatch` when it is off by more than :data:`TOLERANCE_DB`.
    """
    known = published(suite, scale)
    if known is None:
        return ProtocolCheck(None, f"no published value of bicubic for {suite} x{scale}")
    if images < known.images:
        return ProtocolCheck(
            None, f"only {images} of the {known.images} pictures that the published value is for"
        )
    off = bicubic_psnr - known.psnr
    if images > known.images or abs(off) > TOLERANCE_DB:
        raise PairMismatch(
            f"bicubic scores {bicubic_psnr:.2f} dB over {images} pictures called {known.suite}, "
            f"where {known.psnr:.2f} dB over {known.images} is published for x{scale}: the "
            "pictures are not those of the literature. Mend them, or give the folder another name"
        )
    return ProtocolCheck(
        True,
        f"bicubic scores {bicubic_psnr:.2f} dB where {known.psnr:.2f} dB is published",
        measured=bicubic_psnr,
        published=known.psnr,
    )
