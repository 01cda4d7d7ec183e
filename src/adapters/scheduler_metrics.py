"""Metrics of the scheduler for Prometheus; docs/metrics.md tells what each means. No label ever holds an id."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from application.ports import Clock
from application.scheduler_observing import Backlog, SchedulerObserver
from application.statistics import SchedulerState
from domain.due import ZONE_DATA_VERSION
from domain.message import Status
from domain.occasion import Kind

LATENESS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)


class SchedulerMetrics(SchedulerObserver):
    """What the scheduler of this process does, and how the ledger of all of them stands."""

    def __init__(self, registry: CollectorRegistry, state: SchedulerState, clock: Clock) -> None:
        self._clock = clock
        self._oldest_at: datetime | None = None

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(name, what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(name, what, labels, registry=registry)

        self._lateness = _Lateness()
        registry.register(self._lateness)
        self._settled = counter("messages_settled_total", "Outcomes that were written.", "status")
        self._lost = counter("messages_lost_leases_total", "Outcomes that came after their lease was over.")
        self._run_out = counter("messages_leases_run_out_total", "Leases that nobody had ended.", "status")
        self._expired = counter("messages_expired_total", "Messages whose window had passed.")
        self._messages = gauge("messages", "Messages of the ledger.", "status")
        self._backlog = gauge("messages_backlog", "Messages that are due and open.")
        gauge("messages_oldest_due_age_seconds", "For how long one waits.").set_function(self._oldest_age)
        gauge("scheduler_planned_until_timestamp_seconds", "The end of the plan.").set_function(
            lambda: _timestamp(state.planned_until)
        )
        gauge("scheduler_last_plan_timestamp_seconds", "The last plan.").set_function(
            lambda: _timestamp(state.last_plan_at)
        )
        gauge("scheduler_last_tick_timestamp_seconds", "The last look for what is due.").set_function(
            lambda: _timestamp(state.last_tick_at)
        )
        gauge("scheduler_clock_offset_seconds", "This machine's clock ahead of the database's.").set_function(
            lambda: state.clock_offset_s
        )
        gauge("scheduler_zone_data_info", "The zone data.", "version").labels(ZONE_DATA_VERSION).set(1)
        gauge("scheduler_zone_data_year", "The year of that release.").set(int(ZONE_DATA_VERSION[:4]))
        for status in (Status.SENT, Status.RETRYING, Status.FAILED):
            self._settled.labels(status.value)  # from 0: what is there from 1 on has not increased

    def messages_accepted(self, accepted: Mapping[tuple[Kind, float], int]) -> None:
        for (kind, late_s), messages in accepted.items():
            self._lateness.observe(kind, late_s, messages)

    def batch_settled(self, settled: Mapping[Status, int], lost: int) -> None:
        for status, messages in settled.items():
            self._settled.labels(status.value).inc(messages)
        self._lost.inc(lost)

    def ledger_kept(self, *, retrying: int, unknown: int, expired: int) -> None:
        self._run_out.labels(Status.RETRYING.value).inc(retrying)
        self._run_out.labels(Status.UNKNOWN.value).inc(unknown)
        self._expired.inc(expired)

    def ledger_looked_at(self, counts: Mapping[Status, int], backlog: Backlog) -> None:
        for status in Status:
            self._messages.labels(status.value).set(counts.get(status, 0))
        self._backlog.set(backlog.messages)
        self._oldest_at = backlog.oldest_at

    def _oldest_age(self) -> float:
        return 0.0 if self._oldest_at is None else (self._clock.now() - self._oldest_at).total_seconds()


class _Lateness(Collector):
    """A histogram that takes many of one value at once: a thousand messages are due at one instant."""

    def __init__(self) -> None:
        self._buckets = {kind: [0] * (len(LATENESS_S) + 1) for kind in Kind}
        self._sums = dict.fromkeys(Kind, 0.0)

    def observe(self, kind: Kind, late_s: float, messages: int) -> None:
        self._buckets[kind][bisect_left(LATENESS_S, late_s)] += messages
        self._sums[kind] += late_s * messages

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "messages_lateness_seconds",
            "From the due instant until the channel had taken it.",
            labels=["kind"],
        )
        bounds = [*(f"{bound:g}" for bound in LATENESS_S), "+Inf"]
        for kind, buckets in self._buckets.items():
            counted = list(zip(bounds, map(float, accumulate(buckets)), strict=True))
            family.add_metric([kind.value], buckets=counted, sum_value=self._sums[kind])
        yield family


def _timestamp(instant: datetime | date | None) -> float:
    """Return the Unix time; of a date, that of its beginning in UTC."""
    if instant is None:
        return float("nan")
    if not isinstance(instant, datetime):
        instant = datetime.combine(instant, time(), UTC)
    return instant.timestamp()
