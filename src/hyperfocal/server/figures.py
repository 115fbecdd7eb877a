"""What ``/metrics`` tells: names, labels and meaning of every figure.

Every label comes from a list known beforehand, or from what a worker has loaded, so that no client
can make more of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_DURATIONS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 40, 60, 120, 300, 900)
_STAGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_DECIBELS = (20, 25, 30, 32.5, 35, 37.5, 40, 42.5, 45, 47.5, 50, 55, 60, 70)
_MEGAPIXELS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 24, 50, 100)
_BLUR = (1e-5, 3e-5, 1e-4, 3e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
_NOISE = (0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2)

MODEL = ("model", "version")


@dataclass(frozen=True, slots=True)
class Figure:
    """One of them; ``text``: what it is; ``buckets``: of a histogram, upper ends."""

    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FIGURES: dict[str, Figure] = {
    "http_requests_total": Figure(
        "counter", "Requests answered.", labels=("method", "route", "status")
    ),
    "predict_requests_total": Figure(
        "counter",
        "Requests for a restored picture by how they ended; jobs included, previews not.",
        labels=(*MODEL, "status"),
    ),
    "predict_request_duration_seconds": Figure(
        "histogram",
        "From a request's first byte to its last, waiting included; of a job, from its order.",
        labels=MODEL,
        buckets=_DURATIONS,
    ),
    "hyperfocal_rejections_total": Figure(
        "counter", "Requests refused, by the code of the problem.", labels=("reason",)
    ),
    "hyperfocal_queue_depth": Figure("gauge", "Pictures waiting for a worker."),
    "hyperfocal_running": Figure("gauge", "Pictures being worked on."),
    "hyperfocal_jobs": Figure("gauge", "Jobs kept.", labels=("status",)),
    "hyperfocal_worker_restarts_total": Figure(
        "counter", "Workers replaced: died, hung, or too large.", labels=("reason",)
    ),
    "hyperfocal_model_info": Figure("gauge", "1 for each model loaded.", labels=MODEL),
    "hyperfocal_alias_followed": Figure(
        "gauge", "0 while an alias that has moved cannot be followed, else 1."
    ),
    "hyperfocal_stage_seconds": Figure(
        "histogram",
        "Time of decoding, of the model and of encoding.",
        labels=("stage", "model"),
        buckets=_STAGES,
    ),
    "hyperfocal_consistency_db": Figure(
        "histogram",
        "How near results, reduced again, come to their inputs.",
        labels=MODEL,
        buckets=_DECIBELS,
    ),
    "hyperfocal_input_megapixels": Figure(
        "histogram", "Size of the pictures that came in.", buckets=_MEGAPIXELS
    ),
    "hyperfocal_input_brightness": Figure(
        "histogram", "Mean luma, 0 to 1.", buckets=tuple(step / 20 for step in range(1, 20))
    ),
    "hyperfocal_input_blur": Figure(
        "histogram", "Variance of the Laplacian of luma: low where blurred.", buckets=_BLUR
    ),
    "hyperfocal_input_noise": Figure(
        "histogram", "Standard deviation of the noise, of a full scale of 1.", buckets=_NOISE
    ),
    "hyperfocal_input_jpeg_quality": Figure(
        "histogram",
        "Quality setting a JPEG was written with.",
        buckets=tuple(range(5, 101, 5)),
    ),
    "hyperfocal_feedback_total": Figure(
        "counter",
        "Results judged, by the first verdict on each.",
        labels=("verdict", *MODEL),
    ),
}
