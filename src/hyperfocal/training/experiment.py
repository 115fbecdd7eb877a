"""Experiment files: one small TOML a training.

Paths in an experiment are relative to the file; ``${NAME}`` in them is taken from the
environment.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hyperfocal.errors import InputMissing, SettingsError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(_Section):
    """Where pictures come from and how patches are cut. ``patch`` is the LR side."""

    train: str
    validation: str
    description: str = ""
    limit: int | None = Field(default=None, ge=1)
    patch: int = Field(default=64, ge=8)
    batch: int = Field(default=16, ge=1)
    reduce_from: float = Field(default=0.5, gt=0.0, le=1.0)


class NetSection(_Section):
    """The architecture. ``start``: a float ONNX or checkpoint whose weights to go on from."""

    name: str = "plain"
    scale: int = Field(ge=1, le=8)
    channels: int = Field(ge=1)
    depth: int = Field(ge=1)
    unshuffle: int = Field(default=1, ge=1, le=4)
    expand: int = Field(default=4, ge=0)
    start: str | None = None


class ScheduleSection(_Section):
    """How long and how fast. Exactly one of ``steps`` and ``minutes`` ends the training.

    A budget in minutes anneals by the clock: on a shared machine that is the only way to both
    finish on time and reach a learning rate of zero.
    """

    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0.0)
    rate: float = Field(default=1e-3, gt=0.0)
    final_rate: float = Field(default=0.0, ge=0.0)
    warmup: int = Field(default=200, ge=0)
    clip: float = Field(default=1.0, gt=0.0)
    ema: float = Field(default=0.999, ge=0.0, lt=1.0)
    luma_weight: float = Field(default=0.5, ge=0.0, le=1.0)
    mse_finish: float = Field(default=0.2, ge=0.0, le=1.0)
    validate_every: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _one_budget(self) -> ScheduleSection:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either schedule.steps or schedule.minutes")
        return self


class Experiment(_Section):
    """A training, whole. ``precision`` is Lightning's."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    purpose: str = ""
    hardware: str = ""
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    data: DataSection
    net: NetSection
    schedule: ScheduleSection

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
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path} is not TOML: {error}") from error
        for section, key in (("data", "train"), ("data", "validation"), ("net", "start")):
            value = raw.get(section, {}).get(key)
            if isinstance(value, str):
                raw[section][key] = str((path.parent / _expanded(value, path)).resolve())
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise SettingsError(f"{path}: {_explained(error)}") from error


def _expanded(value: str, path: Path) -> str:
    expanded = os.path.expandvars(value)
    if (missing := re.search(r"\$\{?(\w+)", expanded)) is not None:
        raise SettingsError(f"{path} refers to ${missing[1]}, which is not set")
    return expanded


def _explained(error: ValidationError) -> str:
    """One complaint, as a sentence; a misspelt name rather than the lack of the right one."""
    complaints = error.errors()
    first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
    *sections, last = (str(part) for part in first["loc"]) if first["loc"] else ("",)
    where = ".".join([*sections, last])
    if first["type"] != "extra_forbidden":
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    section = _SECTIONS[sections[0]] if sections else Experiment
    near = difflib.get_close_matches(last, section.model_fields, n=1, cutoff=0.4)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"there is no '{where}'{hint}"


_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataSection,
    "net": NetSection,
    "schedule": ScheduleSection,
}
