"""New pictures for a retraining: read, checked, told apart, and parted into three.

Some train, some choose the checkpoint, and some are held back to judge the result. Which is
which follows from what the pictures show, not from their names: a picture that was held back
once tends to be held back again when more are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperfocal.errors import BrokenPicture, InputError, InputMissing, TooLarge, UnknownFormat
from hyperfocal.evaluate.pairs import Example, PictureTooSmall, read_example
from hyperfocal.evaluate.suites import Pair, Suite, find_suite
from hyperfocal.imaging.jpeg_quality import estimate_jpeg_quality
from hyperfocal.quality.evidence import examine, signs
from hyperfocal.retrain.looks import Gallery, Seen, digest_of
from hyperfocal.retrain.sizes import left_out
from hyperfocal.settings import Settings

LEAST_PICTURES = 8
"""Fewer different pictures cannot be parted into three that each say anything."""

HELD_BACK_SHARE, MOST_HELD_BACK = 0.25, 24
"""How many of the different pictures judge the result."""

_CHOOSING, _MOST_CHOOSING = 0.125, 12

# What says that one file cannot be read, and nothing about the others.
_UNREADABLE = (InputMissing, UnknownFormat, BrokenPicture, TooLarge)


@dataclass(frozen=True, slots=True)
class Parted:
    """Where every picture goes. ``judging``: the digest of the original of each held back, which
    may have several LR pictures.

    ``copies``, ``small``: how many were left out because they are there already, or too small to
    cut a patch from; ``unreadable``: for each that cannot be read, what is wrong with it;
    ``damaged``: for each that is no original to learn from, the signs of that; ``tiny``: those that
    would train, but with so small patches that the others would suffer.
    ``digest``: of all pixels that are used; ``brings_low``: whether LR pictures were given.
    """

    folder: Path
    training: tuple[Pair, ...]
    choosing: tuple[Pair, ...]
    held_back: tuple[Pair, ...]
    judging: tuple[str, ...]
    copies: int
    small: int
    unreadable: tuple[str, ...]
    damaged: tuple[str, ...]
    tiny: tuple[Path, ...]
    digest: str
    brings_low: bool
    pictures: tuple[Seen, ...]

    def counts(self) -> dict[str, int]:
        """How many pictures became what."""
        return {
            "training": len(self.training),
            "choosing": len(self.choosing),
            "held_back": len(self.held_back),
            "copies_left_out": self.copies,
            "too_small_left_out": self.small,
            "unreadable_left_out": len(self.unreadable),
            "damaged_left_out": len(self.damaged),
            "smaller_than_patches_left_out": len(self.tiny),
        }


def survey(
    folder: Path,
    scale: int,
    least: int,
    settings: Settings,
    *,
    any_quality: bool = False,
    wanted: int = 0,
) -> Parted:
    """Read all pictures of ``folder`` (originals, or ``HR`` and ``LR``) and part them.

    ``least``: side of the smallest usable original, in pixels; ``wanted``: that of one from which
    patches of the full size can be cut, so that a few smaller ones do not train, see
    :func:`left_out`. What cannot be read is left out, and so are originals with signs of damage
    (:func:`~hyperfocal.quality.evidence.signs`), unless ``any_quality`` is taken: a model would
    learn to make what it should take away. :class:`InputMissing` for no folder or too few different
    pictures, :class:`PairMismatch` for pairs that do not belong together.
    """
    if not folder.is_dir():
        raise InputMissing(f"there is no folder {folder}")
    suite = find_suite(folder, scale)
    gallery = Gallery()
    used: dict[tuple[str, str], Pair] = {}
    sizes: dict[str, tuple[int, int]] = {}
    groups: list[list[Pair]] = []
    digests: list[str] = []
    group_of: list[int] = []  # by number in the gallery
    copies = small = 0
    unreadable: list[str] = []
    damaged: list[str] = []
    for pair in suite.pairs:
        try:
            example = read_example(pair, scale, settings)
        except PictureTooSmall:
            small += 1
            continue
        except _UNREADABLE as error:
            unreadable.append(str(error))
            continue
        if min(example.high.shape[:2]) < least:
            small += 1
            continue
        seen = Seen.of(pair.high, example.high)
        known = gallery.find(seen)
        # Another LR picture of the same original is new; with LR pictures made here it is not.
        low = digest_of(example.low) if suite.brings_low else ""
        if (known is not None and not suite.brings_low) or (seen.digest, low) in used:
            copies += 1
            continue
        if not any_quality and (signs := _damage(pair.high, example)):
            damaged.append(f"{pair.high}: {signs}")
            continue
        used[seen.digest, low] = pair
        sizes[pair.name] = example.high.shape[:2]
        gallery.add(seen)
        if known is None:
            group_of.append(len(groups))
            groups.append([pair])
            digests.append(seen.digest)
        else:
            group_of.append(group_of[known])
            groups[group_of[known]].append(pair)
    if len(unreadable) == len(suite.pairs):
        raise InputMissing(
            f"none of the {len(unreadable)} pictures in {folder} can be read; the first: "
            f"{unreadable[0]}"
        )
    if len(groups) < LEAST_PICTURES:
        raise InputMissing(
            f"{folder} has {len(groups)} different pictures to train on, and at least "
            f"{LEAST_PICTURES} are needed{_why(copies, small, least, unreadable, damaged)}"
        )
    by_digest = sorted(zip(digests, groups, strict=True), key=_first)
    ordered = [group for _, group in by_digest]
    judges = _share(len(ordered), HELD_BACK_SHARE, 2, MOST_HELD_BACK)
    chooses = judges + _share(len(ordered), _CHOOSING, 1, _MOST_CHOOSING)
    held_back = _sorted(ordered[:judges])
    original = {pair.name: digest for digest, group in by_digest for pair in group}
    training = _sorted(ordered[chooses:])
    out = left_out([sizes[pair.name] for pair in training], wanted) if wanted else set[int]()
    tiny = [pair for at, pair in enumerate(training) if at in out]
    kept = (each for each, pair in used.items() if pair not in tiny)
    every = "\n".join(sorted(f"{high} {low}".strip() for high, low in kept))
    return Parted(
        folder=folder,
        training=tuple(pair for pair in training if pair not in tiny),
        choosing=_sorted(ordered[judges:chooses]),
        held_back=held_back,
        judging=tuple(original[pair.name] for pair in held_back),
        copies=copies,
        small=small,
        unreadable=tuple(unreadable),
        damaged=tuple(damaged),
        tiny=tuple(pair.high for pair in tiny),
        digest=hashlib.sha256(every.encode()).hexdigest(),
        brings_low=suite.brings_low,
        pictures=gallery.pictures,
    )


def _first(entry: tuple[str, list[Pair]]) -> str:
    return entry[0]


def _share(count: int, share: float, least: int, most: int) -> int:
    return min(max(round(count * share), least), most)


def _sorted(groups: Sequence[list[Pair]]) -> tuple[Pair, ...]:
    return tuple(sorted((pair for group in groups for pair in group), key=lambda pair: pair.name))


def _damage(path: Path, example: Example) -> str:
    """Signs that a picture is no original; empty if there are none."""
    quality = estimate_jpeg_quality(path.read_bytes())
    return "; ".join(signs(examine(quality, example.high, example.visible)))


def _why(
    copies: int, small: int, least: int, unreadable: Sequence[str], damaged: Sequence[str]
) -> str:
    reasons = []
    if copies:
        reasons.append(f"{copies} show what another one shows")
    if small:
        reasons.append(f"{small} have a side under {least} pixels")
    if unreadable:
        reasons.append(f"{len(unreadable)} cannot be read, the first: {unreadable[0]}")
    if damaged:
        reasons.append(
            f"{len(damaged)} are damaged and would teach that, the first: {damaged[0]}; "
            "--any-quality takes them all the same"
        )
    return f" ({', '.join(reasons)})" if reasons else ""


def refuse_shared(suite: Suite, scale: int, parted: Parted, settings: Settings) -> None:
    """:class:`InputError` if any picture of a frozen suite is among the new ones too."""
    gallery = Gallery(parted.pictures)
    shared: list[tuple[Path, Path]] = []
    for pair in suite.pairs:
        example: Example = read_example(pair, scale, settings)
        if (known := gallery.find(Seen.of(pair.high, example.high))) is not None:
            shared.append((pair.high, gallery[known].path))
    if shared:
        ours, theirs = shared[0]
        more = f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""
        raise InputError(
            f"{ours} of the suite {suite.name} is among the new pictures, as {theirs}{more}: a "
            "model is not judged on what it was trained on; take them out of one of the two"
        )
