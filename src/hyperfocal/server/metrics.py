"""What the service counts and measures, for Prometheus.

One process answers HTTP and worker processes report to it with each answer, so one registry holds
everything; each application has its own. Every label comes from a list known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from hyperfocal.server.pool import Answer, Pool

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DURATIONS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 40, 60, 120)
_STAGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_DECIBELS = (20, 25, 30, 32.5, 35, 37.5, 40, 42.5, 45, 47.5, 50, 55, 60, 70)
_UNKNOWN = "unknown"

# Of the statistics that come with an answer: name, buckets, what it is.
_STATISTICS: Mapping[str, tuple[tuple[float, ...], str]] = {
    "brightness": (tuple(step / 20 for step in range(1, 20)), "Mean luma, 0 to 1."),
    "blur": (
        (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
        "Sharpness or blur as the engine's statistics tell it.",
    ),
    "noise": (
        (0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2),
        "Standard deviation of the noise, of a full scale of 1.",
    ),
    "jpeg_quality": (tuple(range(5, 101, 5)), "Quality setting a JPEG was written with."),
}
_MEGAPIXELS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 24, 50, 100)


class Metrics:
    """All counters and histograms of one application."""

    def __init__(self) -> None:
        # The time each series began is noise to everybody.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        own = self.registry
        self._requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=own,
        )
        self._pictures = Counter(
            "predict_requests_total",
            "Requests for a restored picture, by how they ended.",
            ("model", "status"),
            registry=own,
        )
        self._durations = Histogram(
            "predict_request_duration_seconds",
            "From a request's first byte to its last, waiting included.",
            ("model",),
            buckets=_DURATIONS,
            registry=own,
        )
        self._rejections = Counter(
            "hyperfocal_rejections_total",
            "Requests refused, by the code of the problem.",
            ("reason",),
            registry=own,
        )
        self._stages = Histogram(
            "hyperfocal_stage_seconds",
            "Time of decoding, of the model and of encoding.",
            ("stage",),
            buckets=_STAGES,
            registry=own,
        )
        self._consistency = Histogram(
            "hyperfocal_consistency_db",
            "How near results, reduced again, come to their inputs.",
            buckets=_DECIBELS,
            registry=own,
        )
        self._megapixels = Histogram(
            "hyperfocal_input_megapixels",
            "Size of the pictures that came in.",
            buckets=_MEGAPIXELS,
            registry=own,
        )
        self._inputs = {
            name: Histogram(f"hyperfocal_input_{name}", text, buckets=buckets, registry=own)
            for name, (buckets, text) in _STATISTICS.items()
        }
        self._feedback = Counter(
            "hyperfocal_feedback_total", "Verdicts given.", ("verdict",), registry=own
        )
        for verdict in ("up", "down"):
            self._feedback.labels(verdict)
        self._models: frozenset[str] = frozenset()
        self._state = _State()
        own.register(self._state)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def watch(self, pool: Pool) -> None:
        """Ask this pool for its queue and its restarts whenever somebody looks."""
        self._state.pool = pool

    def know_models(self, names: Iterable[str], *, loaded: Mapping[str, str]) -> None:
        """The models there are, others being counted as unknown; ``loaded``: with versions."""
        self._models = frozenset(names)
        self._state.models = dict(loaded)

    def requested(self, method: str, route: str, status: int) -> None:
        """An HTTP request was answered; ``route``: the template of its address."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()

    def predicted(self, model: str | None, status: int, seconds: float) -> None:
        """A request for a picture ended."""
        name = self._known(model)
        self._pictures.labels(name, str(status)).inc()
        if status < 400:
            self._durations.labels(name).observe(seconds)

    def rejected(self, reason: str) -> None:
        """A request was refused; ``reason``: the code of a problem, of which there are few."""
        self._rejections.labels(reason).inc()

    def answered(self, answer: Answer) -> None:
        """A worker made a picture; jobs and requests alike."""
        for stage in ("decode", "model", "encode"):
            if stage in answer.timing_ms:
                self._stages.labels(stage).observe(answer.timing_ms[stage] / 1000)
        if answer.consistency_db is not None:
            self._consistency.observe(answer.consistency_db)
        found = answer.statistics
        if "width" in found and "height" in found:
            self._megapixels.observe(found["width"] * found["height"] / 1e6)
        for name, histogram in self._inputs.items():
            if found.get(name) is not None:
                histogram.observe(found[name])

    def judged(self, verdict: str) -> None:
        """Somebody gave a verdict, ``"up"`` or ``"down"``."""
        self._feedback.labels(verdict).inc()

    def count_jobs(self, by_status: Mapping[str, int]) -> None:
        """How many jobs there are in each status."""
        self._state.jobs = dict(by_status)

    def _known(self, model: str | None) -> str:
        parts = (model or "").split("+")
        return "+".join(parts) if model and self._models.issuperset(parts) else _UNKNOWN


class _State(Collector):
    """What is read off at the moment somebody looks."""

    def __init__(self) -> None:
        self.pool: Pool | None = None
        self.models: dict[str, str] = {}
        self.jobs: dict[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        """The present figures."""
        if self.pool is not None:
            yield GaugeMetricFamily(
                "hyperfocal_queue_depth", "Pictures waiting for a worker.", self.pool.waiting
            )
            yield GaugeMetricFamily(
                "hyperfocal_running", "Pictures being worked on.", self.pool.running
            )
            yield _labelled(
                CounterMetricFamily(
                    "hyperfocal_worker_restarts", "Workers replaced.", labels=("reason",)
                ),
                (((reason,), count) for reason, count in self.pool.restarts.items()),
            )
        yield _labelled(
            GaugeMetricFamily(
                "hyperfocal_model_info", "Models loaded.", labels=("model", "version")
            ),
            ((pair, 1) for pair in self.models.items()),
        )
        yield _labelled(
            GaugeMetricFamily("hyperfocal_jobs", "Jobs kept.", labels=("status",)),
            (((status,), count) for status, count in self.jobs.items()),
        )


def _labelled(family: Metric, rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    for labels, value in rows:
        family.add_metric(labels, value)  # type: ignore[attr-defined]
    return family
