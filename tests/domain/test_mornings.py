"""Where on earth the send time comes next: every zone once, within a day or two, and never in the past."""

from datetime import UTC, datetime, time, timedelta

import pytest

from domain.due import NINE, zone, zone_names
from domain.mornings import next_mornings


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def when(now: datetime, name: str) -> datetime:
    [found] = [morning.at for morning in next_mornings(now, NINE) if name in morning.zones]
    return found


@pytest.mark.parametrize("now", (at("2027-03-13T12:00"), at("2027-03-14T07:59:59"), at("2011-12-30T09:30")))
def test_every_zone_has_one_morning_that_comes(now: datetime) -> None:
    found = next_mornings(now, NINE)
    assert sorted(name for morning in found for name in morning.zones) == sorted(zone_names())
    instants = [morning.at for morning in found]
    assert instants == sorted(set(instants))
    assert now < instants[0]
    assert instants[-1] <= now + timedelta(hours=49), "a place may leave a day out"
    for morning in found:
        for name in morning.zones:
            assert morning.at.astimezone(zone(name)).time() >= NINE


@pytest.mark.parametrize(
    ("now", "name", "expected"),
    (
        ("2027-03-13T12:00", "UTC", "2027-03-14T09:00"),
        ("2027-03-13T08:59:59", "UTC", "2027-03-13T09:00"),
        ("2027-03-13T09:00", "UTC", "2027-03-14T09:00"),
        ("2027-03-13T12:00", "Pacific/Kiritimati", "2027-03-13T19:00"),
        ("2027-03-13T12:00", "Asia/Kathmandu", "2027-03-14T03:15"),
        ("2027-03-28T00:30", "Europe/Berlin", "2027-03-28T07:00"),  # clocks go forward in between
        ("2011-12-29T19:30", "Pacific/Apia", "2011-12-30T19:00"),  # there was no 30 December there
    ),
)
def test_it_is_the_next_one(now: str, name: str, expected: str) -> None:
    assert when(at(now), name) == at(expected)


def test_the_send_time_is_the_one_that_is_set() -> None:
    [first, *_] = next_mornings(at("2027-03-13T12:00"), time(23, 30))
    assert first.at.minute in {0, 15, 30, 45}
    assert "UTC" in next(
        m.zones for m in next_mornings(at("2027-03-13T12:00"), time(23, 30)) if m.at == at("2027-03-13T23:30")
    )
