"""The headline says what is bad first, and what comes next."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from application.headline import AWAY, Tone, duration, headline
from application.observing import CacheHealth
from application.operator_ports import COUNTED_MAX, DueGroup, PausedChannel
from application.statistics import SchedulerState
from domain.message import Status
from tests.contract.adapters import START

WELL = SchedulerState(started_at=START, last_plan_at=START)
TRUE = CacheHealth(
    hits=0,
    reads=0,
    audited=0,
    broken=0,
    pending=0,
    oldest_pending_s=0.0,
    polled_ago_s=None,
    is_breaker_open=False,
)
FINE = "Everything due has been sent."
NOTHING = "Nothing is due in the next 24 hours."


def coming(hours: float, timezone: str, people: int = 1) -> DueGroup:
    at = START + timedelta(hours=hours)
    return DueGroup(
        at=at,
        timezone=timezone,
        is_late=False,
        is_waiting=False,
        messages=people,
        people=people,
        oldest_due_at=at,
    )


def late(seconds: float, messages: int = 1, *, is_waiting: bool = True) -> DueGroup:
    due_at = START - timedelta(seconds=seconds)
    return DueGroup(
        at=due_at.replace(second=0, microsecond=0),
        timezone="UTC",
        is_late=True,
        is_waiting=is_waiting,
        messages=messages,
        people=messages,
        oldest_due_at=due_at,
    )


TWO_ZONES = [coming(2, "Europe/London", 2), coming(2, "Africa/Abidjan"), coming(2.5, "Asia/Kolkata", 7)]
PAUSED = [PausedChannel("smtp", timedelta(minutes=11, seconds=1))]

CASES: list[tuple[dict[str, Any], Tone, str]] = [
    ({}, Tone.GOOD, f"{FINE} {NOTHING}"),
    ({"due": TWO_ZONES}, Tone.GOOD, f"{FINE} Next: 14:00 UTC, 3 people in 2 zones."),
    ({"due": [coming(20, "UTC")]}, Tone.GOOD, f"{FINE} Next: 08:00 UTC tomorrow, 1 person in 1 zone."),
    ({"due": [coming(1, "UTC", 12_345)]}, Tone.GOOD, f"{FINE} Next: 13:00 UTC, 12,345 people in 1 zone."),
    ({"due": [late(0, 2)]}, Tone.GOOD, f"2 messages are leaving now. {NOTHING}"),
    ({"due": [late(59)]}, Tone.GOOD, f"1 message is leaving now. {NOTHING}"),
    (
        {"due": [late(60), late(3600, 2)]},
        Tone.BAD,
        f"3 messages are overdue, the oldest since 11:00 UTC. {NOTHING}",
    ),
    (
        {"due": [late(86_400)]},
        Tone.BAD,
        f"1 message is overdue, the oldest since 12:00 UTC yesterday. {NOTHING}",
    ),
    (
        {"due": [late(60, 4, is_waiting=False), coming(2, "UTC")]},
        Tone.WATCH,
        "4 messages failed for now and are tried again. Next: 14:00 UTC, 1 person in 1 zone.",
    ),
    (
        {"due": [late(0, is_waiting=False), late(1)]},
        Tone.WATCH,
        f"1 message is leaving now. 1 message failed for now and is tried again. {NOTHING}",
    ),
    (
        {"in_need": {Status.UNKNOWN: 1, Status.FAILED: 0, Status.EXPIRED: 0}},
        Tone.BAD,
        f"1 unknown message needs somebody. Everything else due has been sent. {NOTHING}",
    ),
    (
        {"in_need": {Status.EXPIRED: 2, Status.UNKNOWN: 3, Status.FAILED: COUNTED_MAX + 1}},
        Tone.BAD,
        (
            "3 unknown, more than 10,000 failed and 2 expired messages need somebody. "
            f"Everything else due has been sent. {NOTHING}"
        ),
    ),
    (
        {"paused": PAUSED},
        Tone.BAD,
        f"The channel smtp takes nothing for another 12 min. {FINE} {NOTHING}",
    ),
    (
        {"paused": PAUSED, "due": [late(5, 3)]},
        Tone.BAD,
        f"The channel smtp takes nothing for another 12 min. 3 messages wait. {NOTHING}",
    ),
    (
        {"state": SchedulerState(started_at=START)},
        Tone.BAD,
        f"The scheduler has not planned yet. {FINE} {NOTHING}",
    ),
    ({"state": SchedulerState()}, Tone.GOOD, f"{FINE} {NOTHING}"),  # it runs in another process
    (
        {"state": SchedulerState(started_at=START, last_plan_at=START, failures_in_a_row=3)},
        Tone.BAD,
        f"The scheduler fails again and again; the log tells why. {FINE} {NOTHING}",
    ),
    (
        {"state": SchedulerState(clock_offset_s=-3.25)},
        Tone.BAD,
        f"Nothing is planned: this machine's clock is 3.2 s off the database's. {FINE} {NOTHING}",
    ),
    (
        {"cache": attrs.evolve(TRUE, broken=2, is_breaker_open=True, pending=9)},
        Tone.BAD,
        f"The cache has given 2 answers that had been wrong for too long. {FINE} {NOTHING}",
    ),
    (
        {
            "state": SchedulerState(started_at=START, last_plan_at=START, failures_in_a_row=9),
            "in_need": {Status.FAILED: 1},
            "due": [late(120), *TWO_ZONES],
        },
        Tone.BAD,
        (
            "The scheduler fails again and again; the log tells why. "
            "1 message is overdue, the oldest since 11:58 UTC. 1 failed message needs somebody. "
            "Next: 14:00 UTC, 3 people in 2 zones."
        ),
    ),
]


@pytest.mark.parametrize(("given", "tone", "text"), CASES, ids=[text for _, _, text in CASES])
def test_bad_news_come_first(given: dict[str, Any], tone: Tone, text: str) -> None:
    usual = {"due": [], "in_need": {}, "paused": [], "state": WELL, "cache": TRUE}
    told = headline(START, **{**usual, **given})
    assert (told.tone, told.text) == (tone, text)


def test_a_database_that_is_away_is_bad_news() -> None:
    assert AWAY.tone is Tone.BAD


@pytest.mark.parametrize(
    ("seconds", "text"),
    (
        (0.0, "1 s"),
        (0.2, "1 s"),
        (1.1, "2 s"),
        (59.5, "1 min"),
        (60, "1 min"),
        (61, "2 min"),
        (3541, "1 h"),
        (3600, "1 h"),
        (3601, "1 h 1 min"),
        (86_400, "24 h"),
        (4_000_000, "1,111 h 7 min"),
    ),
)
def test_a_duration_is_rounded_up(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text
