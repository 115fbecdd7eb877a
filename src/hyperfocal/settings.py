"""Typed settings, from keyword arguments or the environment (``HYPERFOCAL_*``)."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from hyperfocal.errors import SettingsError

_PREFIX = "HYPERFOCAL_"
_OTHERS = ("HYPERFOCAL_SERVER_", "HYPERFOCAL_CLIENT_")
# Settings that are counted in bytes.
_AMOUNTS = ("max_bytes", "memory")
_Group = TypeVar("_Group", bound=BaseModel)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_bytes(text: str | int) -> int:
    """``"400MB"``, ``"1.5 GiB"`` or a number of bytes, as bytes."""
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?)?b?\s*", text.lower())
    amount = float(match[1]) * _UNITS[match[2] or ""] if match else math.inf
    # Hundreds of digits are no number, either.
    if math.isinf(amount):
        raise SettingsError(f"'{text}' is not an amount of memory; write 400MB or 1.5GiB")
    return int(amount)


def _home() -> Path:
    """The user's; a user that the system does not know has nothing of its own."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "hyperfocal"


def data_folder() -> Path:
    """Where what belongs to the user is kept: the XDG data folder, or its usual place."""
    return Path(os.environ.get("XDG_DATA_HOME") or _home() / ".local/share") / "hyperfocal"


class Settings(BaseModel):
    """What a program may choose once, for everything it does.

    Limits are checked before a picture is decoded. ``threads`` 0 means all cores.
    ``precision``: which weights to run, "auto" by what the processor does well; "bf16" runs the
    float weights in bfloat16. ``hint``: "latency" for one picture at a time, "throughput" for
    many at once on a machine with many cores. Amounts of memory may be texts such as "400MB".
    What cannot be raises SettingsError.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(default=2 * 10**9, gt=0)
    max_pixels: int = Field(default=500_000_000, gt=0)
    max_frames: int = Field(default=1000, gt=0)
    max_output_pixels: int = Field(default=2_000_000_000, gt=0)
    threads: int = Field(default=0, ge=0)
    memory: int = Field(default=2 * 10**9, gt=0)
    runtime: Literal["auto", "openvino", "onnxruntime"] = "auto"
    precision: Literal["auto", "float", "int8", "bf16"] = "auto"
    hint: Literal["latency", "throughput"] = "latency"
    cache: Path = Field(default_factory=_cache_folder)
    models: Path = Field(default_factory=lambda: data_folder() / "models")

    @model_validator(mode="wrap")
    @classmethod
    def _told(cls, values: Any, make: ModelWrapValidatorHandler[Settings]) -> Settings:
        """However they are made: what is wrong is an error of this project's."""
        if isinstance(values, Mapping):
            values = _understood(cls, values, _AMOUNTS)
        try:
            return make(values)
        except ValidationError as error:
            raise _wrong(error) from error

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, **given: object) -> Settings:
        """Settings from the environment, overridden by ``given``.

        ``HYPERFOCAL_MEMORY=400MB`` and ``memory="400MB"`` mean the same. Raises
        :class:`SettingsError`.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {
            key.removeprefix(_PREFIX).lower(): value
            for key, value in environment.items()
            # Those of the service and of its client are read by them. HYPERFOCAL_DATA names the
            # training data, which experiment files refer to.
            if key.startswith(_PREFIX) and not key.startswith(_OTHERS) and key != "HYPERFOCAL_DATA"
        }
        values.update(given)
        return cls.model_validate(values)


def checked(group: type[_Group], values: dict[str, object], *, amounts: Iterable[str]) -> _Group:
    """A group of settings made from ``values``; ``amounts``: names of those counted in bytes.

    Raises :class:`SettingsError` that names the setting; for one that does not exist, the
    nearest one.
    """
    try:
        return group.model_validate(_understood(group, values, amounts))
    except ValidationError as error:
        raise _wrong(error) from error


def _understood(
    group: type[BaseModel], values: Mapping[str, Any], amounts: Iterable[str]
) -> dict[str, Any]:
    """``values`` with amounts of memory as numbers; :class:`SettingsError` for an unknown name."""
    for name in sorted(values.keys() - group.model_fields.keys()):
        near = difflib.get_close_matches(name, group.model_fields, n=1, cutoff=0.4)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise SettingsError(f"there is no setting '{name}'{hint}")
    texts = {name: values[name] for name in amounts if isinstance(values.get(name), str)}
    return {**values, **{name: parse_bytes(text) for name, text in texts.items()}}


def _wrong(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return SettingsError(f"setting '{where}': {first['msg']}")
