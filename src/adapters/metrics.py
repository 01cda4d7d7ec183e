"""Metrics for Prometheus; docs/metrics.md tells what each means. No label ever holds an id or an address."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import inf
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from application.auditing import HORIZONS_S
from application.cache_ports import CacheFigures, Poll
from application.observing import Bypass, CacheHealth, CacheObserver, Metrics, Source

# Else each series has a gauge more, for who has an older Prometheus.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it says no types
_OPERATION_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
REQUEST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 60.0)
_STATES = ("closed", "open", "half_open")


class PrometheusMetrics(Metrics, CacheObserver):
    """All metrics of one process, in a registry of their own."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.registry = registry = CollectorRegistry()
        self._monotonic = monotonic
        self._polled_at: float | None = None

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(name, what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(name, what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, what, labels, buckets=buckets, registry=registry)

        def tallies(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> _Tallies:
            kept = _Tallies(name, what, buckets, labels)
            registry.register(kept)
            return kept

        self._requests = tallies(
            "http_request_duration_seconds", "Requests served.", REQUEST_S, "method", "route", "status"
        )
        self._operations = counter(
            "cache_operations_total", "Operations on the cache.", "operation", "result"
        )
        self._durations = tallies(
            "cache_operation_duration_seconds", "Round trips to the cache.", _OPERATION_S, "operation"
        )
        self._bypasses = counter("cache_bypasses_total", "Reads that passed the cache by.", "reason")
        self._fills = counter("cache_fills_total", "Values loaded under a lease.", "outcome")
        self._undecodable = counter("cache_undecodable_entries_total", "Entries that could not be read.")
        self._breaker = gauge("cache_breaker_state", "1 for the state that it is in.", "side", "state")
        self._pending = gauge("cache_outbox_pending", "Invalidations that wait to be delivered.")
        self._oldest = gauge("cache_outbox_oldest_age_seconds", "For how long the oldest has waited.")
        self._epoch = gauge("cache_epoch", "The epoch in use.", "shard")
        self._poll_age = gauge("cache_poll_age_seconds", "Since PostgreSQL was asked whether to believe.")
        self._keys = counter("cache_invalidated_keys_total", "Keys that sweeps of this process deleted.")
        self._lag = histogram(
            "cache_invalidation_lag_seconds", "How long the oldest of a batch had waited.", _LAG_S
        )
        self._gaps = counter("cache_watermark_gaps_total", "Times the server had lost history.", "repair")
        self._audits = counter("cache_audits_total", "Hits compared with the store.", "horizon_s", "result")
        self._memory = gauge("cache_memory_bytes", "What the server uses.")
        self._clients = gauge("cache_connected_clients", "Connections that the server has.")
        self._hit_rate = gauge("cache_hit_rate", "Hits of all look-ups of this process, from 0 to 1.")
        self._poll_age.set_function(self._since_poll)
        # Looked up once: this is on the way of every request, and of every read.
        self._served: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._ended: dict[tuple[str, str], tuple[Callable[[], Any], Callable[[float], None]]] = {}
        self._reads = {source: self._operations.labels("read", source.value.lower()).inc for source in Source}
        # From 0: what is there from 1 on has not increased, and its alert would stay silent the first time.
        for horizon_s in (0.0, *HORIZONS_S):
            for result in ("fresh", "stale"):
                self._audits.labels(f"{horizon_s:g}", result)
        for reason in Bypass:
            self._bypasses.labels(reason.value)
        for side in ("reading", "sweeping"):
            self.breaker_changed(side, _STATES[0])

    # What everybody tells

    def request_served(self, method: str, route: str, status: int, seconds: float) -> None:
        served = (method, route, status)
        observe = self._served.get(served)
        if observe is None:
            observe = self._served[served] = self._requests.of(method, route, str(status)).add
        observe(seconds)

    def operation_ended(self, operation: str, result: str, seconds: float) -> None:
        ended = self._ended.get((operation, result))
        if ended is None:
            count: Callable[[], Any] = self._operations.labels(operation, result).inc
            ended = self._ended[operation, result] = count, self._durations.of(operation).add
        count, observe = ended
        count()
        observe(seconds)

    def breaker_changed(self, side: str, state: str) -> None:
        for one in _STATES:
            self._breaker.labels(side, one).set(one == state)

    def value_read(self, source: Source, bypass: Bypass | None = None) -> None:
        self._reads[source]()
        if bypass is not None:
            self._bypasses.labels(bypass.value).inc()

    def fill_ended(self, *, stored: bool) -> None:
        self._fills.labels("stored" if stored else "refused").inc()

    def entry_undecodable(self) -> None:
        self._undecodable.inc()

    def polled(self, poll: Poll) -> None:
        self._polled_at = self._monotonic()
        self._pending.set(poll.pending)
        self._oldest.set(poll.oldest_pending_s)
        for place in poll.acknowledged:
            self._epoch.labels(str(place.shard)).set(place.epoch)

    def batch_swept(self, keys: int, lag_s: float) -> None:
        self._keys.inc(keys)
        if keys:
            self._lag.observe(lag_s)

    def gap_found(self, *, is_new_epoch: bool) -> None:
        self._gaps.labels("new_epoch" if is_new_epoch else "told_again").inc()

    def hit_audited(self, horizon_s: float, *, is_stale: bool) -> None:
        self._audits.labels(f"{horizon_s:g}", "stale" if is_stale else "fresh").inc()

    # What is asked

    def cache_health(self) -> CacheHealth:
        told = [sample for metric in self.registry.collect() for sample in metric.samples]

        def total(name: str, **labels: str) -> float:
            return sum(one.value for one in told if one.name == name and labels.items() <= one.labels.items())

        reads = {
            source: int(total("cache_operations_total", operation="read", result=source.value.lower()))
            for source in Source
        }
        return CacheHealth(
            hits=reads[Source.HIT],
            reads=sum(reads.values()),
            audited=int(total("cache_audits_total", horizon_s="0")),
            broken=int(total("cache_audits_total", horizon_s="5", result="stale")),
            pending=int(total("cache_outbox_pending")),
            oldest_pending_s=total("cache_outbox_oldest_age_seconds"),
            polled_ago_s=None if self._polled_at is None else self._since_poll(),
            is_breaker_open=total("cache_breaker_state", state="open") > 0,
        )

    def render(self, figures: CacheFigures | None) -> tuple[bytes, str]:
        if figures is not None:
            self._hit_rate.set(figures.hit_rate)
            self._memory.set(_or_nan(figures.memory_bytes))
            self._clients.set(_or_nan(figures.connected_clients))
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _since_poll(self) -> float:
        return float("nan") if self._polled_at is None else self._monotonic() - self._polled_at


def _or_nan(number: int | None) -> float:
    return float("nan") if number is None else number


@attrs.define(eq=False)
class _Tally:
    """How many durations fell between two bounds each, and their sum."""

    bounds: Sequence[float]
    counts: list[int] = attrs.field(init=False)
    total_s: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_s += seconds


class _Tallies(Collector):
    """A histogram of durations by labels, kept as plain numbers until somebody asks: it is told of each request."""

    def __init__(self, name: str, what: str, bounds: Sequence[float], labels: Sequence[str]) -> None:
        self._name, self._what, self._bounds, self._labels = name, what, bounds, labels
        self._tallies: dict[Sequence[str], _Tally] = {}
        self._told = [floatToGoString(bound) for bound in (*bounds, inf)]  # type: ignore[no-untyped-call]  # it says no types

    def of(self, *labels: str) -> _Tally:
        """Return what is to be told of durations with these labels, to be kept by who does so often."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = _Tally(self._bounds)
        return tally

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._what, labels=self._labels)
        for labels, tally in self._tallies.items():
            below = zip(self._told, map(float, accumulate(tally.counts)), strict=True)
            family.add_metric(labels, [(bound, count) for bound, count in below], tally.total_s)
        yield family
