"""Trying values of an experiment: every combination, or some drawn at random."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hyperfocal import paths
from hyperfocal.errors import OutputExists, SettingsError
from hyperfocal.paths import made_folder
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.experiment import Experiment, SweepSection
from hyperfocal.training.facts import flat

# In the folder of a trial: what came of it, and the experiment that it was, whole.
RESULT, PLAN = "result.json", "trial.json"
# Of an experiment, besides the description of its data: nothing that is trained depends on these.
_NAMES = {"name", "file", "purpose", "hardware", "tracking", "sweep"}
BEST = "best.toml"
_MOST = 1000


@dataclass(frozen=True)
class Trial:
    """One training of a sweep. PSNR in dB over the validation pictures.

    ``values``: what was tried, by dotted name. ``error``: why there are no figures, where it
    failed. ``test_psnr``: on pictures that chose nothing; None without any.
    """

    name: str
    values: dict[str, Any]
    best_psnr: float | None = None
    final_psnr: float | None = None
    test_psnr: float | None = None
    steps: int = 0
    minutes: float = 0.0
    step_milliseconds: float | None = None
    error: str = ""

    @property
    def rank(self) -> float:
        """Higher is better; a failure is last."""
        return -math.inf if self.best_psnr is None else self.best_psnr


def combinations(section: SweepSection) -> list[dict[str, Any]]:
    """The values of every trial, by dotted name; :class:`SettingsError` for what gives none.

    A list holds choices. For the method "random" a value may also be a range ``{low, high}``,
    drawn evenly, or with ``log = true`` evenly in its logarithm.
    """
    choices = _choices(section.values)
    if not choices and not section.variants:
        raise SettingsError("sweep.values holds no values to try")
    if section.method == "random":
        return list(itertools.islice(_drawn(section, choices), section.trials))
    for name, choice in choices.items():
        if not isinstance(choice, list):
            raise SettingsError(f"sweep.values.{name}: a range needs the method 'random'")
    variants: list[dict[str, Any]] = [flat(variant) for variant in section.variants] or [{}]
    if both := choices.keys() & {name for variant in variants for name in variant}:
        raise SettingsError(f"{min(both)} is both in sweep.values and in a variant")
    if (count := math.prod(map(len, choices.values())) * len(variants)) > _MOST:
        raise SettingsError(f"the grid has {count} trials, more than {_MOST}; use 'random'")
    return [
        {**variant, **dict(zip(choices, values, strict=True))}
        for values in itertools.product(*choices.values())
        for variant in variants
    ]


def _choices(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Lists and ranges by dotted name."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            if not value:
                raise SettingsError(f"sweep.values.{name} is empty")
            found[name] = value
        elif isinstance(value, Mapping) and {"low", "high"} <= value.keys():
            found[name] = _checked_range(name, value)
        elif isinstance(value, Mapping):
            found.update(_choices(value, f"{name}."))
        else:
            raise SettingsError(f"sweep.values.{name} must be a list of values, not {value!r}")
    return found


def _checked_range(name: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    if unknown := value.keys() - {"low", "high", "log"}:
        raise SettingsError(f"there is no 'sweep.values.{name}.{sorted(unknown)[0]}'")
    low, high = value["low"], value["high"]
    numbers = all(isinstance(end, int | float) and math.isfinite(end) for end in (low, high))
    if not numbers or not low < high:
        raise SettingsError(f"sweep.values.{name}: low must be a number below high")
    if value.get("log") and low <= 0:
        raise SettingsError(f"sweep.values.{name}: a logarithmic range begins above 0")
    return value


def _drawn(section: SweepSection, choices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Random combinations without end, or until there are no new ones."""
    generator = np.random.default_rng(section.seed)
    seen: set[str] = set()
    repeated = 0
    while repeated < _MOST:
        values = {name: _draw(generator, choice) for name, choice in choices.items()}
        key = json.dumps(values, sort_keys=True, default=str)
        if key in seen:
            repeated += 1
            continue
        seen.add(key)
        yield values


def _draw(generator: np.random.Generator, choice: Any) -> Any:
    if isinstance(choice, list):
        return choice[int(generator.integers(len(choice)))]
    low, high = choice["low"], choice["high"]
    if choice.get("log"):
        drawn = math.exp(generator.uniform(math.log(low), math.log(high)))
        if isinstance(low, int) and isinstance(high, int):
            return min(max(round(drawn), low), high)
    elif isinstance(low, int) and isinstance(high, int):
        return int(generator.integers(low, high + 1))
    else:
        drawn = float(generator.uniform(low, high))
    # Four digits are more than a rate is worth, and can be read.
    return float(f"{drawn:.4g}")


def changed(experiment: Experiment, values: Mapping[str, Any], source: object) -> Experiment:
    """The experiment with some values replaced, by dotted name; :class:`SettingsError`."""
    plain = experiment.model_dump(exclude={"sweep"})
    # One budget replaces the other.
    if "schedule.steps" in values or "schedule.minutes" in values:
        plain["schedule"]["steps"] = plain["schedule"]["minutes"] = None
    if plain["degradation"] is None and any(name.startswith("degradation.") for name in values):
        plain["degradation"] = asdict(Degradations())
    for name, value in values.items():
        *sections, last = name.split(".")
        table = plain
        for section in sections:
            if not isinstance(table.get(section), dict):
                raise SettingsError(f"{source}: there is no '{name}' to try values of")
            table = table[section]
        table[last] = value
    return Experiment.checked(plain, source)


def sweep(
    experiment: Experiment,
    out: Path,
    *,
    train: Callable[[Experiment, Path, bool], Any] | None = None,
    on_trial: Callable[[Trial, int, int], None] | None = None,
    tracking: bool | None = None,
) -> list[Trial]:
    """Run all trials, each in a folder of its own under ``out``; the best first.

    A trial that has its result is not run again and one that was cut off is resumed, so a
    killed sweep goes on when it is started again, with more values too: a trial is known by what it
    trains, whatever its number was. What a plan that is not of this sweep left in the folder of a
    trial is put aside, under another name, and known there as well. A trial that fails is told as
    such and the others go on. ``out/best.toml`` is the best trial's experiment, ``out/sweep.json``
    the table. ``train``: what runs a trial, given the experiment, the folder and whether to resume.
    """
    if experiment.sweep is None:
        raise SettingsError("the experiment has no [sweep] table")
    chosen = combinations(experiment.sweep)
    plans = [changed(experiment, values, "the sweep") for values in chosen]
    run = train or _training(tracking)
    trials: list[Trial] = []
    places = zip(plans, chosen, _folders(out, plans), strict=True)
    for index, (plan, values, folder) in enumerate(places):
        trial = _known(folder, plan, values)
        if trial is None:
            trial = _run(run, plan, values, folder)
        trials.append(trial)
        if on_trial is not None:
            on_trial(trial, index + 1, len(plans))
    ranked = sorted(trials, key=lambda trial: trial.rank, reverse=True)
    table = json.dumps([asdict(trial) for trial in ranked], indent=2)
    (out / "sweep.json").write_text(table + "\n", encoding="utf-8")
    if ranked[0].best_psnr is not None:
        best = plans[trials.index(ranked[0])]
        (out / BEST).write_text(best.to_toml(), encoding="utf-8")
    return ranked


def _training(tracking: bool | None) -> Callable[[Experiment, Path, bool], Any]:
    from hyperfocal.training.fit import fit

    def run(plan: Experiment, folder: Path, resume: bool) -> Any:
        return fit(plan, folder, resume=resume, progress=False, tracking=tracking)

    return run


def _folders(out: Path, plans: Sequence[Experiment]) -> list[Path]:
    """Where each plan is, or is to be, trained.

    Where it is done or begun already; else in the folder of its number, or in the next one after
    all where that belongs to another plan of this sweep.
    """
    held: dict[str, list[Path]] = {}
    for folder in sorted(paths.matching(out, "trial-*")):
        if (stored := _stored(folder)) is not None:
            held.setdefault(_key(stored), []).append(folder)
    wanted = [out / f"trial-{index:03}" for index in range(len(plans))]
    found: list[Path | None] = []
    for plan, folder in zip(plans, wanted, strict=True):
        same = held.get(_key(plan), [])
        found.append(min(same, key=lambda one: _order(one, folder), default=None))
    used = set(found)
    free = (
        folder
        for number in itertools.count(len(plans))
        if not paths.exists(folder := out / f"trial-{number:03}")
    )
    return [
        known or (folder if folder not in used else next(free))
        for known, folder in zip(found, wanted, strict=True)
    ]


def _order(folder: Path, wanted: Path) -> tuple[bool, bool]:
    """What is done comes first, and of equals the folder of the plan's own number."""
    return _result(folder) is None, folder != wanted


def _known(folder: Path, plan: Experiment, values: dict[str, Any]) -> Trial | None:
    """The result of an earlier start; one of another plan does not count."""
    trial = _result(folder) if _planned(folder, plan) else None
    # Both may have been others then: it may lie where another sweep, or number, put it.
    return None if trial is None else replace(trial, name=folder.name, values=values)


def _result(folder: Path) -> Trial | None:
    try:
        trial = Trial(**json.loads((folder / RESULT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return None if trial.error else trial


def _planned(folder: Path, plan: Experiment) -> bool:
    """Whether what lies in a trial's folder came of this plan, but for what it is called."""
    stored = _stored(folder)
    return stored is not None and _key(stored) == _key(plan)


def _stored(folder: Path) -> Experiment | None:
    """The plan that a trial's folder came of."""
    try:
        return Experiment.model_validate_json((folder / PLAN).read_bytes())
    except (OSError, ValueError):
        return None


def _key(plan: Experiment) -> str:
    return json.dumps(_trained(plan), sort_keys=True)


def _trained(plan: Experiment) -> dict[str, Any]:
    """What decides what comes of a training."""
    values = plan.model_dump(exclude=_NAMES)
    del values["data"]["description"]
    return values


def _begin(folder: Path, plan: Experiment) -> None:
    """Make the folder of a trial; what another plan left there is put aside."""
    if paths.is_file(folder / PLAN):
        # Not to be gone on from, nor to be taken for this one's; but it may have cost days.
        asides = (folder.with_name(f"{folder.name}.before-{n}") for n in itertools.count(1))
        folder.rename(next(aside for aside in asides if not paths.exists(aside)))
    elif paths.is_folder(folder) and any(folder.iterdir()):
        raise OutputExists(f"{folder} holds something else; name another folder for the sweep")
    (made_folder(folder) / PLAN).write_text(plan.model_dump_json(indent=2), encoding="utf-8")


def _run(
    train: Callable[[Experiment, Path, bool], Any],
    plan: Experiment,
    values: dict[str, Any],
    folder: Path,
) -> Trial:
    resume = _planned(folder, plan)
    try:
        if not resume:
            _begin(folder, plan)
        trained = train(plan, folder, resume)
    except Exception as error:  # noqa: BLE001 - out of memory, a rate that diverges: others go on
        return Trial(folder.name, values, error=f"{type(error).__name__}: {error}"[:500])
    each = trained.step_seconds
    trial = Trial(
        folder.name,
        values,
        best_psnr=trained.best_psnr,
        final_psnr=trained.final_psnr,
        test_psnr=trained.test.get("test_psnr"),
        steps=trained.steps,
        minutes=trained.seconds / 60.0,
        step_milliseconds=None if each is None else each * 1e3,
    )
    (folder / RESULT).write_text(json.dumps(asdict(trial), indent=2) + "\n", encoding="utf-8")
    return trial
