"""The due instant: nine in the morning, or whenever, by the clocks of every place there is."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.due import NINE, SendPolicy, WallTime, due, zone, zone_names
from tests.domain.wall_clock import (
    distinct_zones,
    raw_zone,
    showing,
    showing_among,
    stretches,
    wall_seconds,
)

SEND_TIMES = [time(0), time(2, 30), NINE, time(23, 59)]
ZONES = st.sampled_from(distinct_zones())


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("place", "january", "july"),
    (
        ("UTC", "2027-01-15T09:00", "2027-07-15T09:00"),
        ("Pacific/Kiritimati", "2027-01-14T19:00", "2027-07-14T19:00"),  # the first to have morning
        ("Pacific/Auckland", "2027-01-14T20:00", "2027-07-14T21:00"),
        ("Pacific/Chatham", "2027-01-14T19:15", "2027-07-14T20:15"),
        ("Pacific/Apia", "2027-01-14T20:00", "2027-07-14T20:00"),  # no daylight saving since 2021
        ("Australia/Lord_Howe", "2027-01-14T22:00", "2027-07-14T22:30"),  # goes forward by half an hour
        ("Australia/Adelaide", "2027-01-14T22:30", "2027-07-14T23:30"),
        ("Australia/Eucla", "2027-01-15T00:15", "2027-07-15T00:15"),
        ("Asia/Tokyo", "2027-01-15T00:00", "2027-07-15T00:00"),
        ("Asia/Kathmandu", "2027-01-15T03:15", "2027-07-15T03:15"),
        ("Asia/Kolkata", "2027-01-15T03:30", "2027-07-15T03:30"),
        ("Asia/Calcutta", "2027-01-15T03:30", "2027-07-15T03:30"),
        ("Asia/Tehran", "2027-01-15T05:30", "2027-07-15T05:30"),  # no daylight saving since 2022
        ("Asia/Kabul", "2027-01-15T04:30", "2027-07-15T04:30"),
        ("Europe/London", "2027-01-15T09:00", "2027-07-15T08:00"),
        ("Europe/Dublin", "2027-01-15T09:00", "2027-07-15T08:00"),  # winter time is the exception there
        ("Europe/Kyiv", "2027-01-15T07:00", "2027-07-15T06:00"),
        ("Europe/Kiev", "2027-01-15T07:00", "2027-07-15T06:00"),
        ("Africa/Casablanca", "2027-01-15T09:00", "2027-07-15T09:00"),  # an hour more until autumn 2026
        ("America/Sao_Paulo", "2027-01-15T12:00", "2027-07-15T12:00"),
        ("America/Mexico_City", "2027-01-15T15:00", "2027-07-15T15:00"),
        ("America/St_Johns", "2027-01-15T12:30", "2027-07-15T11:30"),
        ("America/Nuuk", "2027-01-15T11:00", "2027-07-15T10:00"),  # moved by an hour in 2023
        ("America/New_York", "2027-01-15T14:00", "2027-07-15T13:00"),
        ("America/Phoenix", "2027-01-15T16:00", "2027-07-15T16:00"),
        ("EST", "2027-01-15T14:00", "2027-07-15T14:00"),  # not New York in summer
        ("America/Caracas", "2027-01-15T13:00", "2027-07-15T13:00"),
        ("Pacific/Marquesas", "2027-01-15T18:30", "2027-07-15T18:30"),
        ("Pacific/Honolulu", "2027-01-15T19:00", "2027-07-15T19:00"),
        ("Pacific/Pago_Pago", "2027-01-15T20:00", "2027-07-15T20:00"),
        ("Etc/GMT+12", "2027-01-15T21:00", "2027-07-15T21:00"),  # the sign in the name is turned round
    ),
)
def test_nine_in_the_morning_around_the_world(place: str, january: str, july: str) -> None:
    assert due(date(2027, 1, 15), NINE, zone(place)).at == utc(january)
    assert due(date(2027, 7, 15), NINE, zone(place)).at == utc(july)


@pytest.mark.parametrize(
    ("place", "on", "at", "instant", "wall_time"),
    (
        # Clocks went forward over it: the first instant after.
        ("America/New_York", date(2027, 3, 14), time(2, 30), "2027-03-14T07:00", WallTime.GAP),
        ("America/New_York", date(2027, 3, 14), time(3, 0), "2027-03-14T07:00", WallTime.EXACT),
        ("Australia/Lord_Howe", date(2027, 10, 3), time(2, 15), "2027-10-02T15:30", WallTime.GAP),
        ("Asia/Beirut", date(2027, 3, 28), time(0), "2027-03-27T22:00", WallTime.GAP),
        ("Europe/Athens", date(1979, 4, 1), NINE, "1979-04-01T07:00", WallTime.GAP),
        ("Africa/Monrovia", date(1972, 1, 7), time(0, 30), "1972-01-07T00:44:30", WallTime.GAP),
        # The last hour of the day is missing, and the day is there all the same.
        ("America/Nuuk", date(2025, 3, 29), time(23, 59), "2025-03-30T01:00", WallTime.GAP),
        ("America/Scoresbysund", date(2048, 3, 28), time(23, 0), "2048-03-29T01:00", WallTime.GAP),
        # Clocks went back over it: the first of the two.
        ("America/New_York", date(2027, 11, 7), time(1, 30), "2027-11-07T05:30", WallTime.REPEATED),
        ("Europe/Berlin", date(2027, 10, 31), time(2, 30), "2027-10-31T00:30", WallTime.REPEATED),
        ("America/Havana", date(2027, 11, 7), time(0), "2027-11-07T04:00", WallTime.REPEATED),
        ("Europe/Berlin", date(2027, 10, 31), time(3, 0), "2027-10-31T02:00", WallTime.EXACT),
        ("Kwajalein", date(1969, 9, 30), NINE, "1969-09-29T22:00", WallTime.REPEATED),  # a whole day twice
        # The whole day was left out: the same wall time of the next one that exists.
        ("Pacific/Kwajalein", date(1993, 8, 21), NINE, "1993-08-21T21:00", WallTime.SKIPPED_DAY),
        ("Kwajalein", date(1993, 8, 21), time(23, 59), "1993-08-22T11:59", WallTime.SKIPPED_DAY),
        ("Pacific/Kiritimati", date(1994, 12, 31), NINE, "1994-12-31T19:00", WallTime.SKIPPED_DAY),
        ("Pacific/Kanton", date(1994, 12, 31), NINE, "1994-12-31T20:00", WallTime.SKIPPED_DAY),
        ("Pacific/Enderbury", date(1994, 12, 31), NINE, "1994-12-31T20:00", WallTime.SKIPPED_DAY),
        ("Pacific/Apia", date(2011, 12, 30), NINE, "2011-12-30T19:00", WallTime.SKIPPED_DAY),
        ("Pacific/Apia", date(2011, 12, 30), time(0), "2011-12-30T10:00", WallTime.SKIPPED_DAY),
        ("Pacific/Apia", date(2011, 12, 30), time(23, 59), "2011-12-31T09:59", WallTime.SKIPPED_DAY),
        ("Pacific/Fakaofo", date(2011, 12, 30), NINE, "2011-12-30T20:00", WallTime.SKIPPED_DAY),
        ("Pacific/Apia", date(2011, 12, 29), time(23, 59), "2011-12-30T09:59", WallTime.EXACT),
        ("Pacific/Apia", date(2011, 12, 31), time(0), "2011-12-30T10:00", WallTime.EXACT),
    ),
)
def test_a_wall_time_that_is_missing_or_comes_twice(
    place: str, on: date, at: time, instant: str, wall_time: WallTime
) -> None:
    found = due(on, at, zone(place))
    assert (found.at, found.wall_time) == (utc(instant), wall_time)


@pytest.mark.slow
def test_around_every_change_of_every_zones_clocks_from_2020_to_2040() -> None:
    begins, ends = wall_seconds(date(2019, 12, 20), time(0)), wall_seconds(date(2041, 1, 10), time(0))
    wrong, judged = [], 0
    for name in distinct_zones():
        where = zone(name)
        kept = stretches(raw_zone(name), begins, ends, step_s=86_400)
        for number, changed in enumerate(kept[1:], start=1):
            near = kept[max(0, number - 2) : number + 3]
            day = datetime.fromtimestamp(changed.starts, UTC).date()
            for on in (day - timedelta(days=1), day, day + timedelta(days=1)):
                for at in SEND_TIMES:
                    expected, found = showing_among(near, on, at), due(on, at, where)
                    judged += 1
                    if (found.at, found.wall_time) != (expected.at, expected.how):
                        wrong.append((name, on, at, expected, found))
    assert not wrong
    assert judged > 40_000


@pytest.mark.slow
def test_every_name_has_its_mornings() -> None:
    wrong = [
        (name, on)
        for name in sorted(zone_names())
        for on in (date(2027, 1, 15), date(2027, 7, 15))
        if due(on, NINE, zone(name)).at != showing(raw_zone(name), on, NINE).at
    ]
    assert not wrong


@pytest.mark.slow
def test_nine_in_the_morning_was_missing_on_five_days_since_1970_and_never_came_twice() -> None:
    begins, ends = wall_seconds(date(1970, 1, 3), time(0)), wall_seconds(date(2037, 12, 29), time(0))
    odd = set()
    for name in distinct_zones():
        where = zone(name)
        for changed in stretches(raw_zone(name), begins, ends, step_s=7 * 86_400)[1:]:
            day = datetime.fromtimestamp(changed.starts, UTC).date()
            for on in (day - timedelta(days=1), day, day + timedelta(days=1)):
                found = due(on, NINE, where).wall_time
                if found is not WallTime.EXACT:
                    odd.add((name, on, found))
    assert odd == {
        ("Europe/Athens", date(1979, 4, 1), WallTime.GAP),
        ("Pacific/Kwajalein", date(1993, 8, 21), WallTime.SKIPPED_DAY),
        ("Pacific/Kiritimati", date(1994, 12, 31), WallTime.SKIPPED_DAY),
        ("Pacific/Kanton", date(1994, 12, 31), WallTime.SKIPPED_DAY),
        ("Pacific/Apia", date(2011, 12, 30), WallTime.SKIPPED_DAY),
        ("Pacific/Fakaofo", date(2011, 12, 30), WallTime.SKIPPED_DAY),
    }


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(place=ZONES, on=st.dates(date(1900, 1, 1), date(2100, 12, 31)), minute=st.integers(0, 1439))
def test_any_day_and_send_time_from_1900_to_2100(place: str, on: date, minute: int) -> None:
    at = time(*divmod(minute, 60))
    expected, found = showing(raw_zone(place), on, at), due(on, at, zone(place))
    assert (found.at, found.wall_time) == (expected.at, expected.how)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(
    place=ZONES,
    year=st.integers(1900, 2100),
    choice=st.integers(0, 1000),
    minutes=st.integers(-26 * 60, 26 * 60),
    at=st.one_of(st.none(), st.sampled_from(SEND_TIMES)),
)
def test_around_any_change_of_clocks_from_1900_to_2100(
    place: str, year: int, choice: int, minutes: int, at: time | None
) -> None:
    begins, ends = wall_seconds(date(year, 1, 1), time(0)), wall_seconds(date(year, 12, 31), time(0))
    changes = stretches(raw_zone(place), begins, ends)[1:]
    middle = changes[choice % len(changes)] if changes else None
    instant = begins if middle is None else middle.starts + middle.offset
    wall = datetime.fromtimestamp(instant, UTC) + timedelta(minutes=minutes)
    send_time = wall.time() if at is None else at
    expected, found = (
        showing(raw_zone(place), wall.date(), send_time),
        due(wall.date(), send_time, zone(place)),
    )
    assert (found.at, found.wall_time) == (expected.at, expected.how)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(place=ZONES, on=st.dates(date(1900, 1, 1), date(2100, 12, 31)), minute=st.integers(0, 1439))
def test_never_before_the_wall_clock_shows_the_time(place: str, on: date, minute: int) -> None:
    at = time(*divmod(minute, 60))
    shown = due(on, at, zone(place)).at.astimezone(raw_zone(place)).replace(tzinfo=None)
    assert datetime.combine(on, at) <= shown <= datetime.combine(on, at) + timedelta(days=1, hours=2)


def test_what_was_planned_by_other_zone_data_was_planned_by_other_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_ours = SendPolicy().reckoning
    monkeypatch.setattr("domain.due.ZONE_DATA_VERSION", "2099z")
    assert by_ours != SendPolicy().reckoning
