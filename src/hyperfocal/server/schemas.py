"""What clients may ask for, and what they are told, with its bounds."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hyperfocal.errors import OutputRefused, UsageError
from hyperfocal.imaging.formats import WRITABLE, written_format
from hyperfocal.server.pool import Options
from hyperfocal.server.problems import first_fault

_Form = TypeVar("_Form", bound=BaseModel)
_NAME = r"^[a-z0-9][a-z0-9._-]{0,99}$"
_LONGEST = 1_000_000


class UpscaleForm(BaseModel):
    """Options of a restoration; at most one of scale, width and height, long_edge, megapixels."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    scale: float | None = Field(default=None, ge=1, le=8, description="Factor on both sides.")
    width: int | None = Field(
        default=None, gt=0, le=_LONGEST, description="Pixels that the result may be wide."
    )
    height: int | None = Field(
        default=None, gt=0, le=_LONGEST, description="Pixels that the result may be high."
    )
    long_edge: int | None = Field(
        default=None, gt=0, le=_LONGEST, description="Pixels of the result's longer side."
    )
    megapixels: float | None = Field(
        default=None, gt=0, le=1e6, description="Millions of pixels of the result."
    )
    model: str | None = Field(
        default=None,
        pattern=_NAME,
        description="A model, a family, auto or auto-fine; left out: the service's own choice.",
    )
    format: str | None = Field(
        default=None,
        max_length=10,
        description=f"{', '.join(WRITABLE)}; left out: by Accept, else the input's.",
    )
    quality: int | None = Field(
        default=None, ge=0, le=100, description="0 to 100, of formats that lose something."
    )
    bit_depth: Literal[8, 10, 12, 16, 32] | None = Field(
        default=None, description="Bits a sample; left out: the input's, where it fits."
    )
    strip_metadata: bool = Field(
        default=False, description="Leave out EXIF, XMP and the like; the colour profile stays."
    )
    min_fidelity: float | None = Field(
        default=None,
        ge=0,
        le=200,
        description="dB; a result that strays further from the input is refused with a 422.",
    )

    use_depth: bool = Field(
        default=True, description="false: make no use of a depth map, not even of the file's own."
    )

    @field_validator("bit_depth", mode="before")
    @classmethod
    def _bits(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("format")
    @classmethod
    def _writable(cls, value: str | None) -> str | None:
        try:
            return None if value is None else written_format(value).name
        except OutputRefused as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _one_size(self) -> UpscaleForm:
        given = [
            name
            for name, there in (
                ("scale", self.scale is not None),
                ("width and height", self.width is not None or self.height is not None),
                ("long_edge", self.long_edge is not None),
                ("megapixels", self.megapixels is not None),
            )
            if there
        ]
        if len(given) > 1:
            raise ValueError(f"give only one of {', '.join(given)}")
        return self

    def options(self, format: str | None = None) -> Options:
        """For the pool; ``format``: where the form names none."""
        size = None if self.width is self.height is None else (self.width, self.height)
        return Options(
            scale=self.scale,
            size=size,
            long_edge=self.long_edge,
            megapixels=self.megapixels,
            model=self.model,
            format=self.format or format,
            quality=self.quality,
            bit_depth=self.bit_depth,
            strip_metadata=self.strip_metadata,
            min_fidelity=self.min_fidelity,
            crop=getattr(self, "crop", None),
            use_depth=self.use_depth,
        )


class PreviewForm(UpscaleForm):
    """Options of a preview."""

    crop: tuple[int, int, int, int] | None = Field(
        default=None,
        description="x,y,width,height in pixels of the input, 512 x 512 at most; "
        "left out: the centre.",
    )

    @field_validator("crop", mode="before")
    @classmethod
    def _four(cls, value: object) -> object:
        if isinstance(value, str):
            parts = [part.strip() for part in value.split(",")]
            if len(parts) != 4 or not all(
                part.isascii() and part.isdigit() and len(part) <= 7 for part in parts
            ):
                raise ValueError("write four whole numbers: x,y,width,height")
            return tuple(int(part) for part in parts)
        return value


class PredictRequest(BaseModel):
    """Body of ``POST /predict``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    image: str = Field(
        description="The picture: its file in base64, a data URL of it, or, where the service "
        "allows it, a path below its media folder."
    )
    reference: str | None = Field(
        default=None, description="Likewise, a picture of the result's size to score it against."
    )
    scale: float | None = Field(default=None, ge=1, le=8, description="Factor on both sides.")
    model: str | None = Field(
        default=None, pattern=_NAME, description="A model, a family, auto or auto-fine."
    )
    returned: Literal["url", "image"] | None = Field(
        default=None, alias="return", description='"image": also the file itself, in base64.'
    )

    @field_validator("scale", mode="before")
    @classmethod
    def _no_truth(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("a number is needed, not true or false")
        return value


class PredictMetrics(BaseModel):
    """How near the result comes, and to what."""

    PSNR: float | None = Field(description="dB, of luma; 100 where both are identical.")
    SSIM: float = Field(description="-1 to 1, of luma.")
    basis: Literal["consistency", "reference"] = Field(
        description="Against the reference, or of the result, reduced again, against the input."
    )


class PredictAnswer(BaseModel):
    """Answer of ``POST /predict``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "prediction": "1795826002-0668dead5c689b42c46d0e07144fd47f.png",
                "metrics": {"PSNR": 55.84, "SSIM": 0.9998, "basis": "consistency"},
                "url": "/v1/results/1795826002-0668dead5c689b42c46d0e07144fd47f.png"
                "?expires=1795826002&signature=uEiSB-yYsroLyUKlfVXS1d9Et4UjSzhl5jDh2tdosSU",
                "request_id": "1d0ce82caf324335ae9a02c206ee0062",
                "model": "photo-fast-x2",
                "width": 1024,
                "height": 1024,
                "timing_ms": {"decode": 6.7, "model": 131.5, "encode": 12.8, "total": 155.7},
            }
        }
    )

    prediction: str = Field(description="Name of the result's file.")
    metrics: PredictMetrics
    url: str = Field(description="A signed link to it, good for a time.")
    image: str | None = Field(default=None, description="The file in base64, if asked for.")
    request_id: str
    model: str
    width: int
    height: int
    timing_ms: dict[str, float] = Field(description="decode, model, encode, total.")


class EstimateAnswer(BaseModel):
    """Answer of ``POST /v1/estimate``; sizes in pixels."""

    width: int
    height: int
    output_width: int
    output_height: int
    seconds: float
    memory_bytes: int
    model: str
    format: str
    tiles: int


class ModelFacts(BaseModel):
    """One model."""

    name: str
    scale: int
    tier: str
    purpose: str
    version: str = Field(description="The beginning of the sha256 of its weights.")
    loaded: bool
    licence: str
    precision: str


class ReloadRequest(BaseModel):
    """Body of ``POST /v1/admin/reload``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: list[str] = Field(
        min_length=1, max_length=16, description="Models or families to load instead."
    )

    @field_validator("models")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        import re

        for name in value:
            if not re.fullmatch(_NAME, name):
                raise ValueError("a model's name is small letters, digits, '.', '_' and '-'")
        return value


class ReloadAnswer(BaseModel):
    """What is loaded now."""

    models: list[str]
    version: str


def read_form(form: type[_Form], fields: Mapping[str, Any]) -> _Form:
    """A form from what a client sent; :class:`UsageError` tells what is wrong, not the value.

    A field that does not exist is answered by the nearest one; an empty one counts as left out.
    """
    known = [entry.alias or name for name, entry in form.model_fields.items()]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name[:50], known, n=1, cutoff=0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"there is no option '{name[:50]}'; {hint}")
    try:
        return form.model_validate({name: value for name, value in fields.items() if value != ""})
    except ValidationError as error:
        raise UsageError(first_fault(error.errors(include_input=False))) from error
