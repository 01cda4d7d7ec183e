"""Two years of everybody's mornings, day by day: the zone table against a wall clock and a calendar on the wall."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources

import pytest

from domain.due import NINE, zone_names, zone_table
from domain.occasion import AnnualDate, LeapDayRule
from tests.domain.calendar_pages import every_date, kept
from tests.domain.people import POLICY
from tests.domain.wall_clock import Stretch, raw_zone, showing_among, stretches, wall_seconds

FIRST, LAST = date(2027, 1, 1), date(2028, 12, 31)
"""A common year and a leap year."""
_EVERY_DAY_OF_BIRTH = [(day.month, day.day) for day in every_date(date(2000, 1, 1), date(2000, 12, 31))]


@pytest.mark.slow
def test_every_morning_of_two_years_in_every_zone() -> None:
    days = {on: sorted(born_on(on)) for on in every_date(FIRST, LAST)}
    wrong = []
    rows = 0
    for name in sorted(zone_names()):
        expected = {(on, *who): mornings(rules_of(name))[on] for on, people in days.items() for who in people}
        table = zone_table(POLICY, FIRST, LAST, [name])
        found = {(row.on, row.month, row.day, str(row.leap_day_rule)): row for row in table}
        assert len(found) == len(table)
        assert found.keys() == expected.keys()
        rows += len(table)
        wrong += [
            (name, key, row.due_at)
            for key, row in found.items()
            if (row.due_at, row.wall_time.value) != expected[key]
            or row.expires_at - row.due_at != timedelta(hours=24)
        ]
    assert wrong == []
    assert rows == len(zone_names()) * (731 + 2)


def born_on(on: date) -> Iterator[tuple[int, int, str]]:
    """Yield each day of birth that is kept on this date, with the rule that makes it so, if it takes one."""
    for month, day in _EVERY_DAY_OF_BIRTH:
        rules = [rule for rule in LeapDayRule if kept(AnnualDate(month, day), rule, on)]
        if len(rules) == len(LeapDayRule):
            yield month, day, "None"
        else:
            yield from ((month, day, str(rule)) for rule in rules)


@cache
def _names_by_rules() -> Mapping[bytes, str]:
    return {_rules(name): name for name in sorted(zone_names(), reverse=True)}


def rules_of(name: str) -> str:
    """Return one name for all that link to the same rules, so that they are looked at once."""
    return _names_by_rules()[_rules(name)]


def _rules(name: str) -> bytes:
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


@cache
def mornings(name: str) -> Mapping[date, tuple[datetime, str]]:
    """Return when it is nine there on each of the days, and how that comes about."""
    begins = wall_seconds(FIRST - timedelta(days=3), time(0))
    around = stretches(raw_zone(name), begins, wall_seconds(LAST + timedelta(days=4), time(0)))
    found = {}
    for on in every_date(FIRST, LAST):
        shown = showing_among(_near(around, on), on, NINE)
        found[on] = (shown.at.astimezone(UTC), shown.how)
    return found


def _near(around: Sequence[Stretch], on: date) -> Sequence[Stretch]:
    midnight = wall_seconds(on, time(0))
    return [one for one in around if one.starts < midnight + 3 * 86_400 and midnight - 3 * 86_400 < one.ends]
