"""Which days are kept, found the slow way: by leafing through a calendar, one page after the other.

The judge of ``domain.occasion``, so it borrows no rule from it.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from domain.occasion import AnnualDate, Kind, LeapDayRule, Occasion


def every_date(first: date, last: date) -> Iterator[date]:
    """Walk the calendar day by day."""
    while first <= last:
        yield first
        first += timedelta(days=1)


def kept(annual: AnnualDate, rule: LeapDayRule, on: date) -> bool:
    """Tell by looking at the calendar page of *on* whether it is kept for *annual*."""
    if (on.month, on.day) == (annual.month, annual.day):
        return True
    yesterday, tomorrow = on - timedelta(days=1), on + timedelta(days=1)
    if (annual.month, annual.day) != (2, 29):
        return False
    if rule is LeapDayRule.FEB28:
        return on.month == 2 and on.day == 28 and tomorrow.month == 3
    if rule is LeapDayRule.MAR1:
        return on.month == 3 and on.day == 1 and yesterday.day == 28
    return False


def reckoned(
    kind: Kind, annual: AnnualDate, rule: LeapDayRule, first: date, last: date, *, is_first_told: bool = False
) -> list[Occasion]:
    found = []
    for on in every_date(first, last):
        years = None if annual.year is None else on.year - annual.year
        begins = (annual.year, annual.month, annual.day) == (on.year, on.month, on.day)
        if kept(annual, rule, on) and (years is None or years > 0 or (is_first_told and begins)):
            found.append(Occasion(on, kind, years))
    return found
