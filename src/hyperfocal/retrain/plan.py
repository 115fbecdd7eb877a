"""What is going to be retrained: the data staged, the training written down."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from hyperfocal import paths
from hyperfocal.errors import InputMissing, SettingsError, UsageError
from hyperfocal.evaluate.measuring import SuiteChoice
from hyperfocal.evaluate.suites import find_suite
from hyperfocal.lock import LOCK
from hyperfocal.models.hardware import processor
from hyperfocal.models.registry import SHIPPED, in_shipped_family
from hyperfocal.retrain.champion import Champion
from hyperfocal.retrain.data import Parted
from hyperfocal.retrain.staging import CHOOSING, HELD_BACK, TRAINING, stage
from hyperfocal.settings import Settings
from hyperfocal.text import encodable
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.given_pairs import HIGH

Degradation = Literal["bicubic", "real", "given"]

DATA, PLAN, OPTIONS, PICTURES = "data", "experiment.toml", "options.json", "pictures.csv"
"""In the work folder: what is learnt from, the plan of the training, what the whole retraining was
asked for, and which picture became what."""

_START, _CARD = "champion.onnx", "champion.toml"
_PATCH, _LEAST_PATCH = 64, 24  # The least one has whole cells, be they of 2, 3 or 4 pixels.


@dataclass(frozen=True, slots=True)
class Plan:
    """What to retrain, on what, for how long, and what counts as better.

    ``champion``: a model's name, or its card's file. ``out``: where the results go,
    ``retrained/NAME`` if not given. ``suites``: frozen suites. ``name``: of
    the challenger, made from the champion's if not given. ``degradation``: of LR pictures made
    here, by the champion's name if not given. Exactly one of ``minutes`` and ``steps``.
    ``margin`` and ``tolerance`` in dB, see :func:`judge`. ``rate``: the highest learning rate.
    ``bench``: whether a better one is timed for its card. ``any_quality``: whether damaged
    originals are learnt from, too.
    """

    data: Path
    champion: str
    out: Path | None = None
    suites: tuple[SuiteChoice, ...] = ()
    name: str | None = None
    degradation: Literal["bicubic", "real"] | None = None
    minutes: float | None = None
    steps: int | None = None
    margin: float = 0.02
    tolerance: float = 0.02
    rate: float = 2e-4
    seed: int = 0
    bench: bool = True
    any_quality: bool = False

    def __post_init__(self) -> None:
        for name in ("margin", "tolerance"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise UsageError(f"the {name} must be a number of dB, at least 0, not {value:g}")
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("give either minutes or steps, not both")


def name_of(plan: Plan, champion: Champion) -> str:
    """The challenger's; :class:`UsageError` where it is taken."""
    name = plan.name or champion.successor
    if (SHIPPED / f"{name}.toml").is_file() or name == champion.card.name:
        raise UsageError(f"there is a model '{name}' already; give the new one another name")
    if in_shipped_family(name):
        raise UsageError(f"'{name}' is a name in a family that is shipped; choose another one")
    return name


def degradation_of(plan: Plan, champion: Champion, data: Path) -> Degradation:
    """How LR pictures are made: as the champion's were, unless the data bring their own.

    :class:`InputMissing`, or :class:`UsageError` where pictures that are there shall be made.
    """
    if not paths.is_folder(data):
        raise InputMissing(f"there is no folder {data}")
    if find_suite(data, champion.card.scale).brings_low:
        if plan.degradation is not None:
            raise UsageError(f"{data} brings its own low-resolution pictures; none are to be made")
        return "given"
    return plan.degradation or ("real" if champion.card.name.startswith("restore-") else "bicubic")


def least_side(degradation: Degradation, scale: int) -> int:
    """Side of the smallest original that patches can be cut from, in pixels."""
    return (_LEAST_PATCH + _border(degradation)) * scale


def full_side(degradation: Degradation, scale: int) -> int:
    """Side of an original that patches of the full size can be cut from, in pixels."""
    return (_PATCH + _border(degradation)) * scale


def _border(degradation: Degradation) -> int:
    """LR pixels around a patch that real degradations need."""
    return 16 if degradation == "real" else 0


def draft(
    plan: Plan,
    champion: Champion,
    name: str,
    degradation: Degradation,
    parted: Parted,
    work: Path,
) -> Callable[[int], Experiment]:
    """The training, by the largest side of its patches; :class:`SettingsError` where it cannot be.

    Writes nothing.
    """
    source = f"{champion.card.name}, then {described(parted, degradation)}"

    def planned(patch: int) -> Experiment:
        values = {
            "name": name,
            "file": PLAN,
            "purpose": champion.card.purpose,
            "seed": plan.seed,
            # Emulated bfloat16 is slower than float32.
            "precision": "bf16-mixed" if processor().has_bf16 else "32-true",
            "tracking": False,
            "data": {
                "train": str((work / DATA / TRAINING / HIGH).resolve()),
                "validation": str((work / DATA / CHOOSING / HIGH).resolve()),
                "held_back": 0.0,
                "description": source,
                "patch": patch,
                "degradation": degradation,
            },
            "net": {
                **champion.net,
                "qat": "int8" in champion.card.weights,
                "start": str((work / _START).resolve()),
            },
            "schedule": {
                "rate": plan.rate,
                "warmup": min(100, (plan.steps or 1000) // 10),
                "validate_every": max(1, min(200, (plan.steps or 1000) // 4)),
                **({"steps": plan.steps} if plan.steps else {"minutes": plan.minutes}),
            },
        }
        return Experiment.checked(values, "the retraining")

    cell = int(champion.net.get("unshuffle", 1))
    planned(_PATCH // cell * cell)
    return planned


def prepare(
    plan: Plan,
    champion: Champion,
    name: str,
    degradation: Degradation,
    parted: Parted,
    work: Path,
    settings: Settings,
) -> Experiment:
    """Stage the data and plan the training, or take both up where they are the same.

    :class:`SettingsError` names what is not.
    """
    scale = champion.card.scale
    planned = draft(plan, champion, name, degradation, parted, work)
    options = _options(plan, name, degradation)
    if (work / PLAN).is_file():
        _check_options(options, work)
        old = Experiment.read(work / PLAN)
        now = planned(old.data.patch)
        # Older plans tell what they ran on. The arithmetic is the processor's, not the plan's, and
        # stays what it was on another one.
        if old.model_copy(update={"hardware": "", "precision": now.precision}) != now:
            raise SettingsError(
                f"{work.parent} was begun with other data or options; go on with the same, or "
                "name another folder"
            )
        if (work / _START).read_bytes() != champion.weights:
            raise SettingsError(
                f"{work.parent} was begun with another model called {champion.card.name}; name "
                "another folder"
            )
        return old
    # What is there without a plan was interrupted while it was being staged.
    work.mkdir(parents=True, exist_ok=True)
    for entry in work.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != LOCK:
            entry.unlink()
    (work / _START).write_bytes(champion.weights)
    # Tells the training what its start cost.
    champion.card.write(work / _CARD)
    shortest = stage(parted, scale, degradation, work / DATA, settings)
    room = shortest // scale - _border(degradation)
    cell = int(champion.net.get("unshuffle", 1))
    experiment = planned(min(_PATCH, room) // cell * cell)
    (work / PICTURES).write_text(listed(parted), encoding="utf-8")
    (work / OPTIONS).write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
    partial = work / f"{PLAN}.partial"
    partial.write_text(experiment.to_toml(), encoding="utf-8")
    partial.replace(work / PLAN)
    return experiment


def may_stage(work: Path) -> bool:
    """Whether a folder without a plan holds nothing but what :func:`prepare` began to put there."""
    if not paths.is_folder(work):
        return not paths.exists(work)
    names = {entry.name for entry in work.iterdir()} - {LOCK}
    # Which begins with the start.
    ours = {_START, _CARD, DATA, PICTURES, OPTIONS, f"{PLAN}.partial"}
    return not names or {_START} <= names <= ours


def _options(plan: Plan, name: str, degradation: Degradation) -> dict[str, object]:
    """All that was asked for, as JSON keeps it, but data and champion, which are compared whole."""
    plain = {entry.name: getattr(plan, entry.name) for entry in fields(plan)}
    for other in ("data", "champion", "out"):
        del plain[other]
    # By where they are: two folders may have one name.
    suites = [f"{_place(choice)}:{choice.first or 'all'}" for choice in plan.suites]
    return {**plain, "name": name, "degradation": degradation, "suites": suites}


def _place(choice: SuiteChoice) -> str:
    folder = Path(choice.suite)
    return encodable(str(folder.resolve()) if paths.is_folder(folder) else choice.suite)


def _check_options(options: Mapping[str, object], work: Path) -> None:
    """:class:`SettingsError` that names what is not as it was when it was begun."""
    try:
        before = json.loads((work / OPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise SettingsError(
            f"{work.parent} does not tell what it was begun with; name another folder"
        )
    changed = [
        f"{key} was {_told(before.get(key))} and is {_told(value)}"
        for key, value in options.items()
        if before.get(key) != value
    ]
    if changed:
        raise SettingsError(
            f"{work.parent} was begun with other options ({'; '.join(changed)}); go on with the "
            "same, or name another folder"
        )


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not given" if value is None else str(value)


def listed(parted: Parted) -> str:
    """Which pictures train, choose and are held back, with the sha256 of their files, as CSV.

    By this a picture that is withdrawn later is found in what a model learnt from.
    """
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("part", "file", "sha256"))
    parts = {
        TRAINING: parted.training,
        CHOOSING: parted.choosing,
        HELD_BACK: parted.held_back,
    }
    for part, pairs in parts.items():
        for pair in pairs:
            for path in (pair.high, pair.low):
                if path is not None:
                    file = encodable(os.path.relpath(path, parted.folder.resolve()))
                    rows.writerow((part, file, hashlib.sha256(path.read_bytes()).hexdigest()))
    return table.getvalue()


def described(parted: Parted, degradation: Degradation) -> str:
    """What the challenger learns from, for its card."""
    kinds = {
        "bicubic": "reduced bicubically",
        "real": "blurred, resized, made noisy and compressed at random",
        "given": "with low-resolution pictures of their own",
    }
    pictures = f"{len(parted.training)} {source_of(parted)}{parted.digest[:16]})"
    return f"{pictures}, {kinds[degradation]}"


def source_of(parted: Parted) -> str:
    """What stands on the card of any model that learnt from pictures of this folder."""
    return f"pictures of {encodable(parted.folder.resolve().name)} (sha256 "
