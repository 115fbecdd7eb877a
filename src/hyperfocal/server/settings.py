"""Settings of the service, from keyword arguments or the environment (``HYPERFOCAL_SERVER_*``)."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from hyperfocal.server.security.origins import check_origins
from hyperfocal.settings import checked, data_folder

_PREFIX = "HYPERFOCAL_SERVER_"
_AMOUNTS = ("max_body", "worker_memory", "disk_reserve")
# Beyond them nothing is meant any more, and dates, clocks and the system's own limits fail.
_MOST_BYTES = 2**50
_MOST = 10**12
_DAY = 86_400.0
_CENTURY = 36_500.0


def _split(value: object) -> object:
    """A list written as one string, as the environment has it: ``a, b``."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _none_when_empty(value: object) -> object:
    return None if value == "" else value


_Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
_Origins = Annotated[_Names, AfterValidator(check_origins)]
_MaybePath = Annotated[Path | None, BeforeValidator(_none_when_empty)]


class ServerSettings(BaseModel):
    """What the service may be told when it starts.

    How pictures are restored (precision, engine, caches) is told by ``hyperfocal.Settings``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="Worker processes; 0: as many as fit the cores."
    )
    threads: int = Field(
        default=0, ge=0, le=256, description="Threads of each worker; 0: cores // workers."
    )
    models: _Names = Field(
        default=(
            "photo-fast-x2",
            "photo-fast-x3",
            "photo-fast-x4",
            "restore-fast-x2",
            "restore-fast-x4",
        ),
        description="Models to load before the service is ready, separated by commas. Requests"
        " that name none get the first of each scale; pictures with signs of damage get"
        " restore-fast, where it is among them.",
    )
    alias_seconds: float = Field(
        default=5,
        ge=0,
        le=_DAY,
        description="Seconds between looks at whether an alias of models has moved; 0: none.",
    )
    max_body: int = Field(
        default=50 * 10**6, gt=0, le=_MOST_BYTES, description="Bytes of a request, at most."
    )
    max_pixels: int = Field(
        default=100_000_000, gt=0, le=_MOST, description="Pixels a picture may declare, at most."
    )
    max_frames: int = Field(
        default=200, gt=0, le=_MOST, description="Frames or pages a picture may declare, at most."
    )
    max_output_pixels: int = Field(
        default=400_000_000, gt=0, le=_MOST, description="Pixels of a result, at most."
    )
    worker_memory: int = Field(
        default=2 * 10**9,
        gt=0,
        le=_MOST_BYTES,
        description="Bytes a worker may take beyond what it holds once its models are loaded.",
    )
    task_seconds: float = Field(
        default=60, gt=0, le=_DAY, description="Seconds a picture may take, waiting included."
    )
    job_seconds: float = Field(
        default=1800, gt=0, le=_DAY * 30, description="Seconds a job may run."
    )
    queue: int = Field(
        default=16,
        ge=0,
        le=_MOST,
        description="Pictures that may wait for a worker; more get a 503.",
    )
    body_seconds: float = Field(
        default=30, gt=0, le=_DAY, description="Seconds within which a request must have arrived."
    )
    max_connections: int = Field(
        default=512, gt=0, le=1_000_000, description="Connections at once; more get a 503."
    )
    data: Path = Field(
        default_factory=lambda: data_folder() / "server",
        description="Folder of what the service keeps.",
    )
    database: str = Field(
        default="", description="SQLAlchemy URL; empty: an SQLite file in the data folder."
    )
    results: str = Field(
        default="",
        description="fsspec URL of finished pictures and of what waiting jobs were sent; empty: in"
        " the data folder.",
    )
    spool: Path = Field(
        default=Path(),
        description="Folder of pictures in work, emptied at the start; empty: in the data folder.",
    )
    disk_reserve: int = Field(
        default=500 * 10**6,
        ge=0,
        le=_MOST_BYTES,
        description="Bytes to be free on the disks of the spool, the scratch files, the results and"
        " the pictures kept, or a tenth of such a disk if that is less; else pictures that are sent"
        " get a 503.",
    )
    result_minutes: float = Field(
        default=60,
        gt=0,
        le=_CENTURY * 24 * 60,
        description="Minutes for which a link to a result is good.",
    )
    job_hours: float = Field(
        default=24, gt=0, le=_CENTURY * 24, description="Hours for which a job is kept."
    )
    jobs: int = Field(
        default=1000, gt=0, le=_MOST, description="Jobs that may wait; more get a 503."
    )
    jobs_kept: int = Field(
        default=100_000,
        gt=0,
        le=_MOST,
        description="Jobs of one key, or of all who have none, that may wait, run or have a result;"
        " more get a 503.",
    )
    pictures: str = Field(
        default="",
        description="fsspec URL of pictures kept with consent; empty: in the data folder.",
    )
    request_days: float = Field(
        default=30,
        gt=0,
        le=_CENTURY,
        description="Days for which an answered request can be judged.",
    )
    verdict_days: float = Field(
        default=730, gt=0, le=_CENTURY, description="Days for which a verdict is kept."
    )
    picture_days: float = Field(
        default=180, gt=0, le=_CENTURY, description="Days for which a picture is kept with consent."
    )
    pictures_a_day: int = Field(
        default=500,
        gt=0,
        le=_MOST,
        description="Pictures of one key, or of all who have none, that are kept of one day; more"
        " get a 429.",
    )
    keys: _MaybePath = Field(
        default=None, description="File of hashed API keys; none: no key is asked for."
    )
    rate: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="Requests a minute for each key or address; 0: any number.",
    )
    media_root: _MaybePath = Field(
        default=None, description="Folder below which requests may name files; none: they may not."
    )
    cors: _Origins = Field(
        default=(),
        description="Origins of other sites whose pages may call, as https://pages.example,"
        " separated by commas; * for any.",
    )
    secret: str = Field(
        default="", repr=False, description="Signs links to results; empty: made at each start."
    )
    production: bool = Field(
        default=False, description="Refuse to start where something is set unsafely."
    )
    trusted_proxy_hops: int = Field(
        default=0,
        ge=0,
        le=16,
        description="Proxies in front whose X-Forwarded-For is believed. With any, nobody"
        " counts as a program on this machine.",
    )
    drain_seconds: float = Field(
        default=30,
        ge=0,
        le=_DAY,
        description="Seconds that work in progress gets when the service stops.",
    )
    metrics_public: bool = Field(
        default=False, description="Show /metrics without a key, even where keys are asked for."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )

    @model_validator(mode="before")
    @classmethod
    def _place_spool(cls, values: Any) -> Any:
        if isinstance(values, dict) and str(values.get("spool") or "") in ("", "."):
            folder = values.get("data") or data_folder() / "server"
            values = {**values, "spool": Path(folder) / "spool"}
        return values

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, **given: object) -> ServerSettings:
        """Settings from the environment, overridden by ``given``.

        ``HYPERFOCAL_SERVER_MAX_BODY=20MB`` and ``max_body="20MB"`` mean the same. Raises
        :class:`SettingsError`; a name that is not a setting is answered by the nearest one.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {
            key.removeprefix(_PREFIX).lower(): value
            for key, value in environment.items()
            if key.startswith(_PREFIX)
        }
        values.update(given)
        return checked(cls, values, amounts=_AMOUNTS)

    @property
    def database_url(self) -> str:
        """``database``, or the SQLite file in the data folder."""
        return self.database or f"sqlite:///{self.data.absolute() / 'hyperfocal.db'}"

    @property
    def results_url(self) -> str:
        """``results``, or the folder of that name in the data folder."""
        return self.results or str(self.data.absolute() / "results")

    @property
    def pictures_url(self) -> str:
        """``pictures``, or the folder of that name in the data folder."""
        return self.pictures or str(self.data.absolute() / "pictures")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
