"""GET /metrics."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from adapters.clock import MovableClock
from adapters.metrics import REQUEST_S, PrometheusMetrics
from adapters.scheduler_metrics import SchedulerMetrics
from application.cache_ports import CacheFigures, Place, Poll
from application.observing import Bypass, CacheHealth, Source
from application.scheduler_observing import Backlog
from application.statistics import SchedulerState
from domain.due import ZONE_DATA_VERSION
from domain.message import Status
from domain.occasion import Kind
from tests.http.world import Api

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
POLL = Poll(acknowledged={Place(0, 7): 3}, overdue=frozenset({"user:v1:x"}), pending=4, oldest_pending_s=1.5)


NOW = datetime(2027, 3, 13, 12, tzinfo=UTC)


def everything() -> PrometheusMetrics:
    """Metrics that have heard of everything once."""
    metrics = PrometheusMetrics(lambda: 0.0)
    state = SchedulerState(planned_until=NOW.date(), last_plan_at=NOW, last_tick_at=NOW, clock_offset_s=0.5)
    scheduler = SchedulerMetrics(metrics.registry, state, MovableClock(NOW, speed=0))
    scheduler.messages_accepted({(Kind.BIRTHDAY, 0.3): 2, (Kind.BIRTHDAY, 7.0): 1})
    scheduler.batch_settled({Status.SENT: 3, Status.RETRYING: 1}, 2)
    scheduler.ledger_kept(retrying=4, unknown=5, expired=6)
    scheduler.ledger_looked_at({Status.UNKNOWN: 5}, Backlog(7, NOW - timedelta(seconds=90)))
    metrics.request_served("GET", "/users/{id}", 200, 0.001)
    metrics.operation_ended("look", "ok", 0.0002)
    metrics.breaker_changed("reading", "open")
    metrics.value_read(Source.BYPASS, Bypass.OVERDUE)
    metrics.fill_ended(stored=False)
    metrics.entry_undecodable()
    metrics.polled(POLL)
    metrics.batch_swept(2, 0.1)
    metrics.gap_found(is_new_epoch=True)
    metrics.hit_audited(5.0, is_stale=True)
    return metrics


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_told_is_shown() -> None:
    figures = CacheFigures(hits=3, misses=1, memory_bytes=1000, connected_clients=5)
    shown = samples(everything().render(figures)[0].decode())
    for name, value, *labels in (
        ("cache_operations_total", 1, ("operation", "look"), ("result", "ok")),
        ("cache_operations_total", 1, ("operation", "read"), ("result", "bypass")),
        ("cache_operations_total", 0, ("operation", "read"), ("result", "hit")),
        ("cache_operation_duration_seconds_count", 1, ("operation", "look")),
        ("cache_bypasses_total", 1, ("reason", "overdue")),
        ("cache_bypasses_total", 0, ("reason", "watermark")),
        ("cache_fills_total", 1, ("outcome", "refused")),
        ("cache_undecodable_entries_total", 1),
        ("cache_breaker_state", 1, ("side", "reading"), ("state", "open")),
        ("cache_breaker_state", 0, ("side", "reading"), ("state", "closed")),
        ("cache_breaker_state", 1, ("side", "sweeping"), ("state", "closed")),
        ("cache_outbox_pending", 4),
        ("cache_outbox_oldest_age_seconds", 1.5),
        ("cache_epoch", 7, ("shard", "0")),
        ("cache_poll_age_seconds", 0),
        ("cache_invalidated_keys_total", 2),
        ("cache_invalidation_lag_seconds_count", 1),
        ("cache_watermark_gaps_total", 1, ("repair", "new_epoch")),
        ("cache_audits_total", 1, ("horizon_s", "5"), ("result", "stale")),
        ("messages_lateness_seconds_count", 3, ("kind", "BIRTHDAY")),
        ("messages_lateness_seconds_sum", 7.6, ("kind", "BIRTHDAY")),
        ("messages_lateness_seconds_bucket", 0, ("kind", "BIRTHDAY"), ("le", "0.25")),
        ("messages_lateness_seconds_bucket", 2, ("kind", "BIRTHDAY"), ("le", "5")),
        ("messages_lateness_seconds_bucket", 3, ("kind", "BIRTHDAY"), ("le", "+Inf")),
        ("messages_lateness_seconds_count", 0, ("kind", "ANNIVERSARY")),
        ("messages_settled_total", 3, ("status", "SENT")),
        ("messages_lost_leases_total", 2),
        ("messages_leases_run_out_total", 5, ("status", "UNKNOWN")),
        ("messages_expired_total", 6),
        ("messages", 5, ("status", "UNKNOWN")),
        ("messages", 0, ("status", "FAILED")),
        ("messages_backlog", 7),
        ("messages_oldest_due_age_seconds", 90),
        ("scheduler_planned_until_timestamp_seconds", NOW.timestamp() - 12 * 3600),
        ("scheduler_last_plan_timestamp_seconds", NOW.timestamp()),
        ("scheduler_last_tick_timestamp_seconds", NOW.timestamp()),
        ("scheduler_clock_offset_seconds", 0.5),
        ("scheduler_zone_data_info", 1, ("version", ZONE_DATA_VERSION)),
        ("cache_hit_rate", 0.75),
        ("cache_memory_bytes", 1000),
        ("cache_connected_clients", 5),
        (
            "http_request_duration_seconds_count",
            1,
            ("method", "GET"),
            ("route", "/users/{id}"),
            ("status", "200"),
        ),
    ):
        assert shown[name, frozenset(labels)] == value, name


def test_the_document_tells_of_every_metric_and_its_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    shown = {}
    for family in text_string_to_metric_families(everything().render(None)[0].decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels if label != "le"}
        shown[name] = (family.type, frozenset(labels))
    assert told == shown


def test_no_id_and_no_address_becomes_a_label(api: Api) -> None:
    ada = api.register()
    api.get(ada)
    api.get("/users?email=ada@example.com")
    api.get(f"{ada}/nothing-of-that-kind")
    api("BREW", f"/users/{ada}")
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.text
    assert ada.rpartition("/")[2] not in text
    assert "example.com" not in text
    assert "BREW" not in text
    assert 'route="/users/{id}",status="200"' in text
    assert 'route="unknown"' in text


def test_a_read_costs_little_to_be_counted() -> None:
    metrics = PrometheusMetrics()
    started_s = time.process_time()
    for _ in range(10_000):
        metrics.value_read(Source.HIT)
    assert (time.process_time() - started_s) / 10_000 < 20e-6  # some 0.5 us on a quiet machine


def test_the_health_of_the_cache_is_what_was_told() -> None:
    metrics = everything()
    metrics.value_read(Source.HIT)
    metrics.value_read(Source.MISS)
    metrics.value_read(Source.HIT)
    metrics.hit_audited(0.0, is_stale=False)
    metrics.hit_audited(0.0, is_stale=True)
    metrics.hit_audited(1.0, is_stale=True)
    metrics.hit_audited(60.0, is_stale=True)
    health = metrics.cache_health()
    assert health == CacheHealth(
        hits=2,
        reads=4,
        audited=2,
        broken=1,  # the one at 60 s was told at 5 s before
        pending=4,
        oldest_pending_s=1.5,
        polled_ago_s=0.0,
        is_breaker_open=True,
    )
    assert health.hit_rate == 0.5


def test_of_a_cache_that_was_never_used_nothing_is_claimed() -> None:
    health = PrometheusMetrics(lambda: 0.0).cache_health()
    assert health == CacheHealth(
        hits=0,
        reads=0,
        audited=0,
        broken=0,
        pending=0,
        oldest_pending_s=0.0,
        polled_ago_s=None,
        is_breaker_open=False,
    )
    assert health.hit_rate is None


def test_durations_are_shown_as_those_of_a_histogram() -> None:
    name, seconds = "http_request_duration_seconds", (0.0, 0.0005, 0.00051, 0.3, 10.0, 99.0)
    metrics, registry = PrometheusMetrics(), CollectorRegistry()
    expected = Histogram(
        name, "Requests served.", ("method", "route", "status"), buckets=REQUEST_S, registry=registry
    )
    for one in seconds:
        metrics.request_served("GET", "/users", 200, one)
        expected.labels("GET", "/users", "200").observe(one)
    metrics.request_served("GET", "/users", 404, 0.1)
    expected.labels("GET", "/users", "404").observe(0.1)
    shown = metrics.render(None)[0].decode()
    for line in generate_latest(registry).decode().splitlines():
        assert line in shown.splitlines()
