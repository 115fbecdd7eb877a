"""A job as clients get to see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hyperfocal.errors import HyperfocalError
from hyperfocal.server.problems import problem_of
from hyperfocal.server.results import Results
from hyperfocal.server.store import Job, Status

_RESULT = (
    "width",
    "height",
    "format",
    "media_type",
    "bytes",
    "model",
    "model_version",
    "scale",
    "consistency_db",
    "psnr",
    "ssim",
    "basis",
    "timing_ms",
    "notes",
    "choice",
    "depth",
)


def document(job: Job, results: Results) -> dict[str, Any]:
    """The JSON document of a job; the link to its result is made anew each time."""
    done = job.status is Status.SUCCEEDED and job.answer is not None and job.output is not None
    return {
        "id": job.id,
        "request_id": job.request_id,
        "status": job.status.value,
        "progress": round(job.progress, 4),
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
        "expires": _time(job.expires),
        "result": _result(job, results) if done else None,
        "problem": job.problem,
    }


def problem_of_job(error: HyperfocalError, job: Job) -> dict[str, Any]:
    """The problem document of a job that failed."""
    return problem_of(error, instance=f"/v1/jobs/{job.id}", request_id=job.request_id)


def finite(value: Any) -> Any:
    """JSON values without infinities and NaN, for which JSON has no words: they become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


def _result(job: Job, results: Results) -> dict[str, Any]:
    assert job.answer is not None
    assert job.output is not None
    return {"url": results.url(job.output), **{name: job.answer.get(name) for name in _RESULT}}


def _time(moment: datetime | None) -> str | None:
    """RFC 3339, in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
