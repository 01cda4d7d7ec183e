"""The zone table plans everybody at once; it may not differ from what is owed to each, one by one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.due import SendPolicy, ZoneRow, due, kept_on, zone, zone_names, zone_table
from domain.occasion import Kind, LeapDayRule
from domain.plan import owed
from domain.user import User, UserId
from tests.domain.people import POLICY, RULES, anybody, instants, utc
from tests.domain.wall_clock import distinct_zones

SEND_TIMES = st.sampled_from([time(0), time(2, 30), time(9), time(23, 59)])
first_dates = st.one_of(
    st.sampled_from([date(2027, 2, 26), date(2028, 2, 27), date(2100, 2, 27), date(2011, 12, 28)]),
    st.dates(date(1990, 1, 1), date(2100, 12, 1)),
)
policies = st.builds(
    SendPolicy,
    send_time=SEND_TIMES,
    window=st.integers(1, 72).map(lambda hours: timedelta(hours=hours)),
    leap_day_rule=RULES,
    planned_ahead=st.integers(0, 96).map(lambda hours: timedelta(hours=hours)),
)


@attrs.frozen
class Expected:
    """What somebody is to get, however it was found."""

    user_id: UserId
    kind: Kind
    on: date
    due_at: datetime
    expires_at: datetime
    wall_time: str
    years: int | None


def from_table(table: Sequence[ZoneRow], users: Sequence[User], policy: SendPolicy) -> Iterator[Expected]:
    """Join each row with each person, as simply as can be."""
    for row in table:
        for user in users:
            for kind in Kind:
                annual = user.annual(kind)
                rule = user.leap_day_rule or policy.leap_day_rule
                if annual is None or user.timezone != row.timezone:
                    continue
                if (annual.month, annual.day) != (row.month, row.day) or row.leap_day_rule not in {
                    None,
                    rule,
                }:
                    continue
                years = None if annual.year is None else row.on.year - annual.year
                if years is None or years >= 0:
                    yield Expected(
                        user.id, kind, row.on, row.due_at, row.expires_at, row.wall_time.value, years
                    )


def one_by_one(users: Sequence[User], policy: SendPolicy, first: date, last: date) -> Iterator[Expected]:
    for user in users:
        for one in owed(user, policy, first, last, utc("2027-01-01T00:00"), years_min=0):
            message = one.message
            yield Expected(
                user.id,
                message.key.kind,
                message.key.occasion_on,
                message.due_at,
                message.expires_at,
                message.wall_time.value,
                message.years,
            )


@settings(max_examples=150, deadline=None)
@given(
    people=st.lists(anybody(), min_size=1, max_size=12),
    policy=policies,
    first=first_dates,
    length=st.integers(0, 6),
)
@pytest.mark.slow
def test_the_table_owes_what_is_owed_to_each(
    people: list[User], policy: SendPolicy, first: date, length: int
) -> None:
    users = [attrs.evolve(user, id=UserId(UUID(int=number))) for number, user in enumerate(people)]
    last = first + timedelta(days=length)
    table = zone_table(policy, first, last, {user.timezone for user in users})
    joined = list(from_table(table, users, policy))
    alone = list(one_by_one(users, policy, first, last))
    assert len(set(joined)) == len(joined)
    assert set(joined) == set(alone)
    assert len(alone) == len(joined)


def test_everybody_born_on_any_day_is_in_the_table_of_a_year_once() -> None:
    """Of the 366 days that there are, none is lost or doubled in a common or a leap year."""
    for year in (2027, 2028, 2100):
        for rule in LeapDayRule:
            kept: dict[tuple[int, int], int] = {}
            on = date(year, 1, 1)
            while on.year == year:
                for month, day, needed in kept_on(on):
                    if needed in {None, rule}:
                        kept[month, day] = kept.get((month, day), 0) + 1
                on += timedelta(days=1)
            without_leap_day = year != 2028 and rule is LeapDayRule.LEAP_YEARS_ONLY
            assert len(kept) == (365 if without_leap_day else 366)
            assert set(kept.values()) == {1}


def test_what_is_kept_around_the_end_of_february() -> None:
    assert kept_on(date(2027, 2, 28)) == [(2, 28, None), (2, 29, LeapDayRule.FEB28)]
    assert kept_on(date(2027, 3, 1)) == [(3, 1, None), (2, 29, LeapDayRule.MAR1)]
    assert kept_on(date(2028, 2, 28)) == [(2, 28, None)]
    assert kept_on(date(2028, 2, 29)) == [(2, 29, None)]
    assert kept_on(date(2028, 3, 1)) == [(3, 1, None)]


def test_the_table_of_a_planning_window_is_small_and_names_every_zone() -> None:
    first, last = POLICY.plan_dates(utc("2027-06-15T12:00"))
    table = zone_table(POLICY, first, last)
    assert {row.timezone for row in table} == zone_names()
    assert len(table) < 5_000
    assert len({(row.timezone, row.on, row.month, row.day) for row in table}) == len(table)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(
    place=st.sampled_from(distinct_zones()),
    policy=policies,
    now=st.one_of(
        instants("1990-01-01", "2100-01-01"),
        instants("2011-12-26", "2012-01-03"),  # Apia and Fakaofo skip a day
        instants("1994-12-27", "1995-01-04"),  # Kiritimati and Kanton
        instants("2025-03-26", "2025-04-02"),  # Nuuk loses the end of an evening
    ),
)
def test_the_planning_window_holds_every_date_that_may_still_be_sent(
    place: str, policy: SendPolicy, now: datetime
) -> None:
    first, last = policy.plan_dates(now)
    for distance in range(-8, 9):
        on = now.date() + timedelta(days=distance)
        due_at = due(on, policy.send_time, zone(place)).at
        if now - policy.window <= due_at <= now + policy.planned_ahead:
            assert first <= on <= last


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(
    place=st.sampled_from(distinct_zones()),
    policy=policies.map(lambda one: attrs.evolve(one, planned_ahead=POLICY.planned_ahead)),
    now=st.one_of(
        instants("1990-01-01", "2100-01-01"),
        instants("2011-12-26", "2012-01-03"),
        instants("1994-12-27", "1995-01-04"),
    ),
)
def test_all_that_is_due_on_a_utc_day_is_planned_at_any_instant_of_the_day_before(
    place: str, policy: SendPolicy, now: datetime
) -> None:
    """Today's lists are made of what is planned."""
    first, last = policy.plan_dates(now)
    tomorrow = now.date() + timedelta(days=1)
    for distance in range(-8, 9):
        on = tomorrow + timedelta(days=distance)
        if due(on, policy.send_time, zone(place)).at.date() == tomorrow:
            assert first <= on <= last


def test_the_window_at_the_ends_of_the_earth() -> None:
    """At any hour of a day, from where the day begins first to where it ends last."""
    places = ["Pacific/Kiritimati", "Pacific/Apia", "Etc/GMT+12", "Etc/GMT-14", "Pacific/Pago_Pago"]
    for policy in (POLICY, SendPolicy(send_time=time(0)), SendPolicy(send_time=time(23, 59))):
        for hour in range(24 * 3):
            now = datetime(2011, 12, 29, tzinfo=UTC) + timedelta(hours=hour)
            first, last = policy.plan_dates(now)
            for place in places:
                for distance in range(-5, 6):
                    on = now.date() + timedelta(days=distance)
                    due_at = due(on, policy.send_time, zone(place)).at
                    if due_at + policy.window > now and due_at <= now + policy.planned_ahead:
                        assert first <= on <= last, (place, on, now)
