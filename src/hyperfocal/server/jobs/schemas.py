"""Jobs as the API's description shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class JobResult(BaseModel):
    """The picture that a job made; sizes in pixels."""

    url: str = Field(description="A signed link to it, good until the job expires.")
    width: int
    height: int
    format: str
    media_type: str
    bytes: int
    model: str
    model_version: str
    scale: float
    consistency_db: float | None = Field(description="dB; null where it is infinite.")
    psnr: float | None = Field(description="dB, of luma; null where both are identical.")
    ssim: float | None
    basis: Literal["consistency", "reference"]
    timing_ms: dict[str, float | None] = Field(description="decode, model, encode, total.")
    notes: list[str]
    choice: dict[str, Any] | None = Field(
        default=None,
        description="Where no model was named: the kind chosen, photo or restore, and reasons.",
    )
    depth: dict[str, Any] | None = Field(
        default=None,
        description="Where there was a depth map: its source (given or embedded), whether it was"
        " used, the share of the picture that is out of focus, by how many pixels of blur at most,"
        " and how many of these were given_back.",
    )


_EXAMPLE: dict[str, Any] = {
    "id": "5d0a7c1f3b9e4c6d8a2f1e0b7c9d3a45",
    "request_id": "3f0c8a52d94e4b0f8c1be4b7a8a6c1de",
    "status": "running",
    "progress": 0.25,
    "created": "2026-01-01T12:00:00.000Z",
    "started": "2026-01-01T12:00:01.000Z",
    "finished": None,
    "expires": "2026-01-02T12:00:00.000Z",
    "result": None,
    "problem": None,
}


class JobDocument(BaseModel):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str
    request_id: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
    progress: float = Field(ge=0, le=1)
    created: str = Field(description="RFC 3339, as all times.")
    started: str | None
    finished: str | None
    expires: str = Field(description="When the job and its files are removed.")
    result: JobResult | None
    problem: dict[str, Any] | None = Field(description="A problem document (RFC 9457).")
