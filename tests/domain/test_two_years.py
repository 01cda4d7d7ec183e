"""Two years of everybody's mornings, day by day: the zone table against a wall clock and a calendar on the wall."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest

from domain.due import NINE, WallTime, zone_table
from domain.occasion import AnnualDate, LeapDayRule
from tests.domain.calendar_pages import every_date, kept
from tests.domain.people import POLICY
from tests.domain.wall_clock import distinct_zones, raw_zone, showing_among, stretches, wall_seconds

FIRST, LAST = date(2027, 1, 1), date(2028, 12, 31)
"""A common year and a leap year."""
_EVERY_DAY_OF_BIRTH = [(day.month, day.day) for day in every_date(date(2000, 1, 1), date(2000, 12, 31))]
_DAY_S = 86_400


@pytest.mark.slow
def test_every_morning_of_two_years_by_all_rules_that_zones_have() -> None:
    """Names that link to the same rules are looked at once; test_due looks at every name."""
    days = {on: list(born_on(on)) for on in every_date(FIRST, LAST)}
    rows = 0
    for name in distinct_zones():
        table = zone_table(POLICY, FIRST, LAST, [name])
        found = {(row.on, row.month, row.day, row.leap_day_rule, row.due_at, row.wall_time) for row in table}
        assert found == {(on, *who, at, how) for on, at, how in mornings(name) for who in days[on]}, name
        assert len(found) == len(table) == 731 + 2
        assert {row.expires_at - row.due_at for row in table} == {timedelta(hours=24)}
        rows += len(table)
    assert rows > 240_000


def born_on(on: date) -> Iterator[tuple[int, int, LeapDayRule | None]]:
    """Yield each day of birth that is kept on this date, with the rule that makes it so, if it takes one."""
    for month, day in _EVERY_DAY_OF_BIRTH:
        if month not in {on.month, 2}:
            continue
        rules = [rule for rule in LeapDayRule if kept(AnnualDate(month, day), rule, on)]
        if len(rules) == len(LeapDayRule):
            yield month, day, None
        else:
            yield from ((month, day, rule) for rule in rules)


def mornings(name: str) -> Iterator[tuple[date, datetime, WallTime]]:
    """Yield when it is nine there on each of the days, and how that comes about."""
    begins = wall_seconds(FIRST - timedelta(days=3), time(0))
    around = stretches(raw_zone(name), begins, wall_seconds(LAST + timedelta(days=4), time(0)))
    for on in every_date(FIRST, LAST):
        midnight = wall_seconds(on, time(0))
        near = [
            one for one in around if one.starts < midnight + 3 * _DAY_S and midnight - 3 * _DAY_S < one.ends
        ]
        shown = showing_among(near, on, NINE)
        yield on, shown.at.astimezone(UTC), WallTime(shown.how)
