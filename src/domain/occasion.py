"""The days of a year that are somebody's: birthdays, anniversaries, and the 29 February."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Self

import attrs

from domain.errors import InvalidField

_LEAP_YEAR = 2000
_ANNUAL = re.compile(r"(?P<year>\d{4}|-)-(?P<month>\d{2})-(?P<day>\d{2})", re.ASCII)


class Kind(StrEnum):
    """What is celebrated."""

    BIRTHDAY = "BIRTHDAY"
    ANNIVERSARY = "ANNIVERSARY"


class LeapDayRule(StrEnum):
    """When somebody's 29 February is kept in a year that has none."""

    FEB28 = "feb28"
    MAR1 = "mar1"
    LEAP_YEARS_ONLY = "leap-years-only"


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _exists(annual: "AnnualDate", _attribute: object, year: int | None) -> None:
    date(_LEAP_YEAR if year is None else year, annual.month, annual.day)


@attrs.frozen
class AnnualDate:
    """A day that comes back every year, with the year it began if that is known.

    Raises ValueError for a day that the calendar does not have.
    """

    month: int
    day: int
    year: int | None = attrs.field(default=None, validator=_exists)

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day.month, day.day, day.year)

    @classmethod
    def parse(cls, text: str, *, field: str = "birthday") -> Self:
        """Read ``1990-02-28``, or ``--02-28`` where the year is not known (ISO 8601, vCard)."""
        match = _ANNUAL.fullmatch(text)
        if match is None:
            raise InvalidField(field, "Write the date as 1990-12-31, or --12-31 if the year is not known.")
        year = None if match["year"] == "-" else int(match["year"])
        try:
            return cls(int(match["month"]), int(match["day"]), year)
        except ValueError:
            raise InvalidField(field, "There is no such day in the calendar.") from None

    def __str__(self) -> str:
        year = "-" if self.year is None else f"{self.year:04d}"
        return f"{year}-{self.month:02d}-{self.day:02d}"

    def full_date(self) -> date | None:
        """Return the day on which it began, None if its year is not known."""
        return None if self.year is None else date(self.year, self.month, self.day)

    def completed_by(self, known: Self | None) -> Self:
        """Return the date with the year that is *known* of the same day, where it tells none itself."""
        is_same_day = known is not None and (known.month, known.day) == (self.month, self.day)
        return known if known is not None and is_same_day and self.year is None else self

    @property
    def is_leap_day(self) -> bool:
        return (self.month, self.day) == (2, 29)

    def kept_in(self, year: int, rule: LeapDayRule) -> date | None:
        """Return the day on which this date is kept in *year*, or None if it is not kept then."""
        if not self.is_leap_day or is_leap(year):
            return date(year, self.month, self.day)
        match rule:
            case LeapDayRule.FEB28:
                return date(year, 2, 28)
            case LeapDayRule.MAR1:
                return date(year, 3, 1)
            case LeapDayRule.LEAP_YEARS_ONLY:
                return None


@attrs.frozen(order=True)
class Occasion:
    """A birthday or an anniversary of somebody on one day of the local calendar.

    *years* is the age or the years of service; None where the first year is not known.
    """

    on: date
    kind: Kind
    years: int | None


def occasions(
    kind: Kind, annual: AnnualDate, rule: LeapDayRule, *, first: date, last: date, years_min: int = 1
) -> Iterator[Occasion]:
    """Yield what is kept of *annual* from *first* to *last*, both included, in order.

    The day itself is not kept, its first return is: one is not born on one's birthday. With *years_min* 0 it is
    told as well.
    """
    for year in range(first.year, last.year + 1):
        on = annual.kept_in(year, rule)
        if on is None or not first <= on <= last:
            continue
        years = None if annual.year is None else year - annual.year
        if years is None or years >= years_min:
            yield Occasion(on, kind, years)


def days(first: date, last: date) -> Iterator[date]:
    """Yield every date from *first* to *last*, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
