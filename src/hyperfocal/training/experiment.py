"""Experiment files: one small TOML a training.

Paths in an experiment are relative to the file; ``${NAME}`` in them is taken from the
environment, and ``$$`` is a dollar sign.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from hyperfocal.errors import InputMissing, SettingsError, UsageError
from hyperfocal.models.toml import write_toml
from hyperfocal.text import check_text, encodable
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.degradations.ranges import differing
from hyperfocal.training.reduction import Reduction

# Where paths stand, and the ending without which it is another kind of name.
_PATHS = (
    ("data", "train", ""),
    ("data", "validation", ""),
    ("data", "test", ""),
    ("data", "teacher", ".toml"),
    ("net", "start", ""),
)

# A variable of the environment, or two dollars for one.
_DOLLAR = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<braced>[^}]+)\})", re.ASCII)

# What pydantic calls a name that does not exist, in a model and in a dataclass.
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _several(value: object) -> object:
    """One as several of them; older checkpoints hold None for none."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _encodable(path: str) -> str:
    """An experiment is written down as UTF-8, wherever it lies."""
    try:
        check_text({"the path": path})
    except UsageError as error:
        raise ValueError(f"{error}: its name is not UTF-8") from error
    return path


_PathText = Annotated[str, AfterValidator(_encodable)]


class DataSection(_Section):
    """Where pictures come from and how patches are cut. ``patch`` is the LR side.

    ``test``: pictures that only the finished net is judged on. Without it, ``held_back`` of the
    validation pictures (a share) serve for that and choose nothing; 0 holds none back.
    ``degradation``: LR pictures are reduced bicubically, degraded as real ones are, or given: the
    folders named are then ``HR``, each with a folder ``LR`` of the same names beside it.
    ``reduced``: the share of training pictures that are made smaller before that, at least
    ``reduce_from`` of their size, each by one of the ways in ``reduce_by``: what JPEG and the
    camera's softness left in them goes, and every kind of sharpness is seen. "aliased" is bicubic
    without antialiasing. ``slanted``: the share of those that are seen first as by a camera that is
    tilted and stands to the side. ``judged_at``: sizes at which pictures are judged, 1 as they are.
    ``refresh_every``: batches after which all tiles are reduced anew (``reduce_from``), which takes
    as long as a hundred batches on a CPU and as thousands on a GPU.
    ``teacher``: a model by name or by its card's file, or several, the mean of whose results counts
    for ``teacher_weight`` of what is learnt and the originals for the rest. One of another scale
    runs as often as it takes, and what comes of it is reduced. ``teacher_turns``: of how many
    answers of each, to the picture turned and transposed, the mean counts, which takes so many
    times as long. A model that asks itself three times (``self_ensemble`` on its card) is one for
    1.
    """

    train: _PathText
    validation: _PathText
    test: _PathText | None = None
    held_back: float = Field(default=0.25, ge=0.0, le=0.5)
    description: str = ""
    limit: int | None = Field(default=None, ge=1)
    patch: int = Field(default=64, ge=8)
    batch: int = Field(default=16, ge=1)
    reduce_from: float = Field(default=0.5, gt=0.0, le=1.0)
    reduce_by: tuple[Reduction, ...] = Field(default=("bicubic",), min_length=1)
    reduced: float = Field(default=0.5, ge=0.0, le=1.0)
    slanted: float = Field(default=0.0, ge=0.0, le=1.0)
    judged_at: tuple[Annotated[float, Field(gt=0.0, le=1.0)], ...] = Field(
        default=(1.0,), min_length=1
    )
    refresh_every: int = Field(default=1500, ge=1)
    degradation: Literal["bicubic", "real", "given"] = "bicubic"
    teacher: Annotated[tuple[_PathText, ...], BeforeValidator(_several)] = ()
    teacher_weight: float = Field(default=0.5, gt=0.0, le=1.0)
    teacher_turns: Literal[1, 2, 4] = 1


NetName = Literal["plain", "depthpro-sr"]


class NetSection(_Section):
    """The architecture. ``start``: a float ONNX or checkpoint whose weights to go on from.

    ``qat``: quantisation-aware training, which goes on from a float net (``start``) with the
    rounding of the int8 graph. For ``depthpro-sr``, ``channels`` and ``depth`` are those of its
    ViTs, and ``pretrained`` may name published weights. ``clipped``: a plain net adds to the
    bicubic enlargement after that is clipped to what pixels can be; x4 is a fifth faster so.
    ``consistent``: the net gives back what its result, reduced, lacks of the input; x2 takes
    eleven milliseconds longer for 512x512. ``ceiled``: the share of its activations that a plain
    net loses at the top, in float too, when the training begins; it learns to do without, and int8
    has finer steps for the rest. Ceilings that the start has are kept, with or without this.
    """

    name: NetName = "plain"
    scale: int = Field(ge=1, le=8)
    channels: int = Field(ge=1)
    depth: int = Field(ge=1)
    unshuffle: int = Field(default=1, ge=1, le=4)
    expand: int = Field(default=4, ge=0)
    clipped: bool = False
    consistent: bool = False
    qat: bool = False
    ceiled: float | None = Field(default=None, gt=0.0, le=0.01)
    start: _PathText | None = None
    pretrained: str | None = None

    @model_validator(mode="after")
    def _of_plain_nets(self) -> NetSection:
        if self.qat and (self.name != "plain" or self.start is None):
            raise ValueError("qat is for plain nets that go on from trained weights (net.start)")
        if self.clipped and self.name != "plain":
            raise ValueError("clipped is for plain nets")
        if self.consistent and (self.name != "plain" or self.clipped or self.unshuffle != 1):
            raise ValueError("consistent is for plain nets, neither clipped nor unshuffled")
        if self.ceiled is not None and (self.name != "plain" or self.start is None):
            raise ValueError("ceiled is for plain nets that go on from trained weights (net.start)")
        if self.unshuffle != 1 and self.name != "plain":
            raise ValueError("unshuffle is for plain nets")
        return self

    @model_validator(mode="after")
    def _of_depthpro(self) -> NetSection:
        if self.name == "plain":
            if self.pretrained is not None:
                raise ValueError(
                    "pretrained is for depthpro-sr; a plain net goes on from net.start"
                )
            return self
        # As transformers wants them; it says so in words of its own, when the net is built.
        heads = max(1, self.channels // 64)
        if self.channels < 16 or self.channels % heads:
            raise ValueError(
                "channels of depthpro-sr must be 16 at least, and a multiple of the number of "
                f"heads, one for every 64: {heads}"
            )
        return self


class ScheduleSection(_Section):
    """How long and how fast. Exactly one of ``steps`` and ``minutes`` ends the training.

    A budget in minutes anneals by the clock: on a shared machine that is the only way to both
    finish on time and reach a learning rate of zero. ``validate_every`` steps are an epoch.
    ``optimizer``: "muon" orthogonalises the steps of inner kernels and is for plain nets.
    ``patience``: so many validations without a better PSNR end the training early.
    """

    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0.0)
    rate: float = Field(default=1e-3, gt=0.0)
    final_rate: float = Field(default=0.0, ge=0.0)
    warmup: int = Field(default=200, ge=0)
    optimizer: Literal["adam", "adamw", "muon"] = "adam"
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    clip: float = Field(default=1.0, gt=0.0)
    ema: float = Field(default=0.999, ge=0.0, lt=1.0)
    luma_weight: float = Field(default=0.5, ge=0.0, le=1.0)
    mse_finish: float = Field(default=0.2, ge=0.0, le=1.0)
    validate_every: int = Field(default=1000, ge=1)
    patience: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_budget(self) -> ScheduleSection:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either schedule.steps or schedule.minutes")
        return self


class SweepSection(_Section):
    """Which values to try: ``hyperfocal train sweep`` reads it, ``fit`` does not.

    ``values`` has the shape of an experiment, with a list wherever there is a choice. "grid"
    tries all combinations, "random" draws ``trials`` different ones. ``variants``: what changes
    together, each a table in the shape of an experiment; each is tried with all combinations.
    """

    method: Literal["grid", "random"] = "grid"
    trials: int | None = Field(default=None, ge=1)
    seed: int = 0
    values: dict[str, Any] = Field(default_factory=dict)
    variants: list[dict[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _trials_of_random(self) -> SweepSection:
        if (self.method == "random") == (self.trials is None):
            raise ValueError("give sweep.trials for the method 'random', and only for that")
        if self.variants and self.method == "random":
            raise ValueError("sweep.variants are for the method 'grid'")
        return self


class Experiment(_Section):
    """A training, whole.

    ``precision``: the arithmetic, by Lightning's names: "32-true" (float32 throughout),
    "bf16-mixed" (bfloat16 where it is safe, for processors and GPUs that have it), "16-mixed"
    (float16 where it is safe, with scaled losses, for older GPUs; where there is no GPU,
    "bf16-mixed" takes its place). What a processor cannot do, or only slowly, is announced and
    replaced: by "32-true" where it has no bfloat16, and that is what MLflow is told.

    ``tracking``: whether MLflow is told. ``deterministic``: forbid what gives another result
    at every run, which matters on a GPU and costs time there. ``degradation``: ranges other
    than the default ones, where ``data.degradation`` is "real". ``file``: what the file is called
    on the card of what comes of it; left out, as it is. ``hardware``: what the card says that the
    training ran on; left out, the graphics card or the processor.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    file: str = ""
    purpose: str = ""
    hardware: str = ""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    deterministic: bool = False
    tracking: bool = True
    data: DataSection
    net: NetSection
    schedule: ScheduleSection
    degradation: Degradations | None = None
    sweep: SweepSection | None = None

    @model_validator(mode="after")
    def _muon_of_plain(self) -> Experiment:
        if self.schedule.optimizer == "muon" and self.net.name != "plain":
            raise ValueError("schedule.optimizer = 'muon' is for plain nets")
        return self

    @model_validator(mode="after")
    def _whole_patches(self) -> Experiment:
        if self.data.patch % self.net.unshuffle:
            raise ValueError(
                f"data.patch must be a multiple of net.unshuffle, {self.net.unshuffle}"
            )
        return self

    @model_validator(mode="after")
    def _ranges_of_real(self) -> Experiment:
        if self.degradation is not None and self.data.degradation != "real":
            raise ValueError("[degradation] is for data.degradation = 'real'")
        return self

    @classmethod
    def read(cls, path: Path) -> Experiment:
        """Read and check an experiment file; paths come back absolute.

        :class:`InputMissing` if it cannot be read, :class:`SettingsError` if it says what
        cannot be, with the nearest name for one that does not exist.
        """
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputMissing(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            # Not only as TOML: Python reads no number of thousands of digits.
            raise SettingsError(f"{path} is not TOML: {error}") from error
        except RecursionError as error:
            raise SettingsError(f"{path} is nested too deep") from error
        sweep = _table(raw, "sweep")
        variants = sweep.get("variants")
        variants = variants if isinstance(variants, list) else []
        for values in (raw, _table(sweep, "values"), *variants):
            _make_absolute(values, path)
        experiment = cls.checked({"file": encodable(path.name), **raw}, path)
        # In checkpoints they may be: they had no effect.
        _refuse_without_effect(experiment.data, path)
        return experiment

    @classmethod
    def checked(cls, values: Mapping[str, Any], source: object) -> Experiment:
        """An experiment of plain values; :class:`SettingsError` names the ``source``."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(f"{source}: {_explained(error)}") from error

    def to_toml(self) -> str:
        """The experiment as TOML text, without what has its default value; paths are absolute.

        :meth:`read` makes the same of it again.
        """
        values = self.model_dump(exclude_defaults=True, exclude={"sweep", "degradation"})
        _change_paths(values, lambda path: path.replace("$", "$$"))
        if self.degradation is not None:
            values["degradation"] = differing(self.degradation, Degradations())
        return write_toml(values)


# Of [data], by the degradation, and why.
_WITHOUT_EFFECT: dict[str, tuple[tuple[str, ...], str]] = {
    "real": (("slanted",), "whose patches are not cut from whole views"),
    "given": (
        ("reduced", "reduce_from", "reduce_by", "judged_at", "slanted"),
        "whose pairs stay as they are",
    ),
}


def _refuse_without_effect(data: DataSection, path: Path) -> None:
    kind = data.degradation
    names, reason = _WITHOUT_EFFECT.get(kind, ((), ""))
    for name in names:
        if getattr(data, name) != DataSection.model_fields[name].default:
            raise SettingsError(
                f"{path}: data.{name} is not for data.degradation = {kind!r}, {reason}"
            )


def _table(values: Any, name: str) -> dict[str, Any]:
    """A table within another; an empty one where it is something else, which checking tells."""
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def _make_absolute(values: Any, path: Path) -> None:
    """Replace the paths in values of an experiment, or in lists of choices for them."""
    _change_paths(values, lambda name: str((path.parent / _expanded(name, path)).resolve()), path)


def _change_paths(values: Any, changed: Callable[[str], str], source: object = None) -> None:
    """Put ``changed`` of each path in its place, in lists of them too.

    :class:`SettingsError`, which names the ``source``, where it is a ValueError.
    """

    def each(name: Any, ending: str) -> Any:
        if isinstance(name, list | tuple):
            return [each(one, ending) for one in name]
        if not isinstance(name, str) or not name.endswith(ending):
            return name
        try:
            return changed(name)
        except ValueError as error:
            raise SettingsError(f"{source}: {section}.{key} is no path: {error}") from error

    for section, key, ending in _PATHS:
        table = _table(values, section)
        if key in table:
            table[key] = each(table[key], ending)


def _expanded(value: str, path: Path) -> str:
    """A path with its variables replaced; a dollar sign in what one holds is only that."""

    def replaced(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["bare"] or found["braced"]
        held = os.environ.get(name)
        if held is None:
            raise SettingsError(
                f"{path} refers to ${name}, which is not set; a dollar sign is written $$"
            )
        return held

    return _DOLLAR.sub(replaced, value)


def _explained(error: ValidationError) -> str:
    """One complaint, as a sentence; a misspelt name rather than the lack of the right one."""
    complaints = error.errors()
    first = next((c for c in complaints if c["type"] in _UNKNOWN), complaints[0])
    *sections, last = (str(part) for part in first["loc"]) if first["loc"] else ("",)
    where = ".".join([*sections, last])
    if first["type"] not in _UNKNOWN:
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    near = difflib.get_close_matches(last, _known(sections), n=1, cutoff=0.4)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"there is no '{where}'{hint}"


def _known(sections: list[str]) -> list[str]:
    """The names there are in a section, or in a table within one."""
    if not sections:
        return list(Experiment.model_fields)
    if sections[0] != "degradation":
        return list(_SECTIONS[sections[0]].model_fields)
    found: Any = Degradations()
    for name in sections[1:]:
        found = getattr(found, name)
    return [part.name for part in fields(found)]


_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataSection,
    "net": NetSection,
    "schedule": ScheduleSection,
    "sweep": SweepSection,
}
