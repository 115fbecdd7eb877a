"""What the service counts and measures, for Prometheus.

One process answers HTTP and worker processes report to it with each answer, so one registry holds
everything; each application has its own. :mod:`hyperfocal.server.figures` says what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from hyperfocal.server.figures import FIGURES
from hyperfocal.server.served import UNKNOWN, Served, expected

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from hyperfocal.server.pool import Answer, Pool

_Family = TypeVar("_Family", CounterMetricFamily, GaugeMetricFamily)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Of the statistics that come with an answer, besides its size.
_STATISTICS = ("brightness", "blur", "noise", "jpeg_quality")


class Metrics:
    """All counters and histograms of one application."""

    def __init__(self) -> None:
        # The time each series began is noise to everybody.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._requests = self._counter("http_requests_total")
        self._pictures = self._counter("predict_requests_total")
        self._durations = self._histogram("predict_request_duration_seconds")
        self._rejections = self._counter("hyperfocal_rejections_total")
        self._stages = self._histogram("hyperfocal_stage_seconds")
        self._consistency = self._histogram("hyperfocal_consistency_db")
        self._megapixels = self._histogram("hyperfocal_input_megapixels")
        self._inputs = {name: self._histogram(f"hyperfocal_input_{name}") for name in _STATISTICS}
        self._feedback = self._counter("hyperfocal_feedback_total")
        self._names: frozenset[str] = frozenset()
        self._aliases: Mapping[str, str] = {}
        self._state = _State()
        self.registry.register(self._state)

    def _counter(self, name: str) -> Counter:
        figure = FIGURES[name]
        return Counter(name, figure.text, figure.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        figure = FIGURES[name]
        return Histogram(
            name, figure.text, figure.labels, buckets=figure.buckets, registry=self.registry
        )

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def watch(self, pool: Pool) -> None:
        """Ask this pool for its queue, its restarts and its models whenever somebody looks."""
        self._state.pool = pool

    def know_models(self, names: Iterable[str], aliases: Mapping[str, str]) -> None:
        """The models there are and what stands for them, for :meth:`expected`."""
        self._names, self._aliases = frozenset(names), dict(aliases)

    def expected(self, name: str | None, scale: float | None) -> Served:
        """What a request is counted for that ends before a worker tells its model.

        ``name``: as the client gave it; one that stands for no model is counted as unknown.
        """
        return expected(
            name, scale, loaded=self._state.models(), names=self._names, aliases=self._aliases
        )

    def requested(self, method: str, route: str, status: int) -> None:
        """An HTTP request was answered; ``route``: the template of its address."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()

    def predicted(self, served: Served | None, status: int, seconds: float) -> None:
        """A request for a picture ended.

        ``served``: what a worker told, or :meth:`expected`; None where the request did not get
        as far as to name a model.
        """
        served = served or UNKNOWN
        self._pictures.labels(*served, str(status)).inc()
        if status < 400:
            self._durations.labels(*served).observe(seconds)

    def rejected(self, reason: str) -> None:
        """A request was refused; ``reason``: the code of a problem, of which there are few."""
        self._rejections.labels(reason).inc()

    def answered(self, answer: Answer) -> None:
        """A worker made a picture; jobs and requests alike."""
        model, version = answer.model, answer.model_version
        for stage in ("decode", "model", "encode"):
            if stage in answer.timing_ms:
                self._stages.labels(stage, model).observe(answer.timing_ms[stage] / 1000)
        if answer.consistency_db is not None:
            self._consistency.labels(model, version).observe(answer.consistency_db)
        found = answer.statistics
        if "width" in found and "height" in found:
            self._megapixels.observe(found["width"] * found["height"] / 1e6)
        for name, histogram in self._inputs.items():
            if found.get(name) is not None:
                histogram.observe(found[name])

    def judged(self, verdict: str, model: str, version: str) -> None:
        """A result was judged for the first time, ``"up"`` or ``"down"``.

        ``model``, ``version``: as a worker told them when it made the result.
        """
        self._feedback.labels(verdict, model, version).inc()

    def followed(self, is_followed: bool) -> None:
        """Whether all is served that aliases stand for; untold where they are not followed."""
        self._state.followed = is_followed

    def count_jobs(self, by_status: Mapping[str, int]) -> None:
        """How many jobs there are in each status."""
        self._state.jobs = dict(by_status)


class _State(Collector):
    """What is read off at the moment somebody looks."""

    def __init__(self) -> None:
        self.pool: Pool | None = None
        self.jobs: dict[str, int] = {}
        self.followed: bool | None = None

    def models(self) -> Mapping[str, str]:
        """Those that are loaded, with versions."""
        return {} if self.pool is None else self.pool.versions

    def collect(self) -> Iterator[Metric]:
        """The present figures."""
        if self.pool is not None:
            yield _gauge("hyperfocal_queue_depth", [((), self.pool.waiting)])
            yield _gauge("hyperfocal_running", [((), self.pool.running)])
            restarts = self.pool.restarts.items()
            yield _counter(
                "hyperfocal_worker_restarts_total", (((reason,), n) for reason, n in restarts)
            )
        if self.followed is not None:
            yield _gauge("hyperfocal_alias_followed", [((), float(self.followed))])
        yield _gauge("hyperfocal_model_info", ((pair, 1) for pair in self.models().items()))
        yield _gauge("hyperfocal_jobs", (((status,), n) for status, n in self.jobs.items()))


def _gauge(name: str, rows: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    figure = FIGURES[name]
    return _filled(GaugeMetricFamily(name, figure.text, labels=figure.labels), rows)


def _counter(name: str, rows: Iterable[tuple[tuple[str, ...], float]]) -> CounterMetricFamily:
    figure = FIGURES[name]
    return _filled(CounterMetricFamily(name, figure.text, labels=figure.labels), rows)


def _filled(family: _Family, rows: Iterable[tuple[tuple[str, ...], float]]) -> _Family:
    for labels, value in rows:
        family.add_metric(labels, value)
    return family
