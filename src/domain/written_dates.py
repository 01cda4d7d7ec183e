"""How people and their programs write a date down, and which day is meant: never guessed, never converted."""

import re
from contextlib import suppress
from datetime import date, timedelta
from enum import StrEnum

import attrs

from domain.errors import InvalidField
from domain.occasion import AnnualDate


class DateOrder(StrEnum):
    """What comes first where a date is written as three numbers, or two."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


class AmbiguousDate(InvalidField):
    """The text can be read as more than one day."""


@attrs.frozen
class WrittenDate:
    """The day that was meant; *doubt* says why a person should look at it again, if there is a reason."""

    annual: AnnualDate
    doubt: str | None = None


@attrs.frozen(kw_only=True)
class DateReading:
    """How dates are to be read. What is not said here is an error where it would matter.

    *today* decides the century of a year of two digits, which needs *order* as well.
    """

    order: DateOrder | None = None
    day_numbers: bool = False
    today: date | None = None


AS_WRITTEN = DateReading()

_ISO = re.compile(
    r"(?:(?P<year>\d{4})(?:-(?P<month>\d\d)-(?P<day>\d\d)|(?P<month_>\d\d)(?P<day_>\d\d))"
    r"|--(?P<month__>\d\d)-?(?P<day__>\d\d))"
    r"(?:[T ](?P<hour>\d\d)(?::?\d\d(?::?\d\d(?P<fraction>[.,]\d{1,9})?)?)? ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"(\d{4})([./])(\d{1,2})\2(\d{1,2})\.?", re.ASCII)
_NUMBERS = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[./-]) ?(?P<second>\d{1,2})(?:(?P=mark) ?(?P<year>\d{4}|\d\d)?)?"
    r"(?: 0?0:00(?::00)?(?: AM)?)?",
    re.ASCII,
)
_DAY_NUMBER = re.compile(r"\d{5}", re.ASCII)
_NO_DATE = re.compile(r"0{1,4}([./-])0{1,2}\1(?:0{4}|0{1,2})(?:[T ][0:]*)?", re.ASCII)

_FIRST_DAY_NUMBER = date(1899, 12, 30)
"""Day 0 of the spreadsheets, whose 1900 has a 29 February."""
_MONTHS = 12
_NO_YEAR = 1604
"""Apple's year of those who told none."""
_DEFAULT_YEARS = frozenset({1900, 1904})
_SWITCH = date(1752, 9, 14)
_MORNING_ENDS = 10

_HOW = "Write the date as 1990-12-31, or --12-31 if the year is not known."
_NO_SUCH_DAY = "There is no such day in the calendar."
_WHICH_ORDER = "Day and month cannot be told apart: say whether the day or the month is written first."
_WHICH_CENTURY = (
    "The year has two digits: say whether the day or the month is written first, or write all four."
)
_NUMBER_OF_DAY = (
    "This may be a spreadsheet's number of a day: say that such numbers are dates, or format them so."
)
_SHIFTED = (
    "This is the midnight of some time zone, written in UTC: the day meant is most likely the next one. "
    "Write the date without a time."
)
_NUMBER_READ = "Read from a spreadsheet's number of the day."
_YEAR_DROPPED = "The year is one that programs fill in where none is known: it was left out."
_OLD_STYLE = "Before 14 September 1752 a date may be of the Julian calendar."
_CENTURY_TAKEN = "The year had two digits: it was taken as the last such year that is not in the future."


def read_date(
    text: str, field: str, reading: DateReading = AS_WRITTEN, *, no_year: int | None = None
) -> WrittenDate | None:
    """Return the day that is written; None for what programs write where there is no date.

    A time of day is dropped and the date kept as it is written, whatever the zone. *no_year* is one more year
    that stands for none. Raises InvalidField, or AmbiguousDate, which is one.
    """
    text = text.strip()
    if not text or _NO_DATE.fullmatch(text):
        return None
    if match := _ISO.fullmatch(text):
        return _written(field, _of_iso(field, match), no_year)
    if match := _YEAR_FIRST.fullmatch(text):
        return _written(field, _annual(field, int(match[1]), int(match[3]), int(match[4])), no_year)
    if match := _NUMBERS.fullmatch(text):
        return _of_numbers(field, match, reading, no_year)
    if _DAY_NUMBER.fullmatch(text):
        if not reading.day_numbers:
            raise InvalidField(field, _NUMBER_OF_DAY)
        day = _FIRST_DAY_NUMBER + timedelta(days=int(text))
        return WrittenDate(AnnualDate.of(day), _NUMBER_READ)
    raise InvalidField(field, _HOW)


def order_proven_by(text: str) -> DateOrder | None:
    """Return the order in which these numbers must be read, if only one makes a date."""
    match = _NUMBERS.fullmatch(text.strip())
    return None if match is None else _proven_order(int(match["first"]), int(match["second"]))


def _of_iso(field: str, match: re.Match[str]) -> AnnualDate:
    month = match["month"] or match["month_"] or match["month__"]
    day = match["day"] or match["day_"] or match["day__"]
    year = None if match["year"] is None else int(match["year"])
    # What JavaScript's toISOString made of a local midnight; other programs write other fractions, or none.
    is_made_of_midnight = match["fraction"] == ".000" and match["zone"] in {"Z", "z"}
    if is_made_of_midnight and int(match["hour"]) >= _MORNING_ENDS:
        raise AmbiguousDate(field, _SHIFTED)
    return _annual(field, year, int(month), int(day))


def _of_numbers(field: str, match: re.Match[str], reading: DateReading, no_year: int | None) -> WrittenDate:
    first, second, year = int(match["first"]), int(match["second"]), match["year"]
    has_short_year = year is not None and len(year) == len("80")
    if has_short_year and reading.order is None:
        raise AmbiguousDate(field, _WHICH_CENTURY)
    order = reading.order or _proven_order(first, second)
    if order is None and first != second:
        raise AmbiguousDate(field, _WHICH_ORDER)
    month, day = (first, second) if order is DateOrder.MONTH_FIRST else (second, first)
    if has_short_year:
        return WrittenDate(_of_this_century(field, int(year), month, day, reading.today), _CENTURY_TAKEN)
    return _written(field, _annual(field, None if year is None else int(year), month, day), no_year)


def _of_this_century(field: str, short_year: int, month: int, day: int, today: date | None) -> AnnualDate:
    """Return the last day that is written so and is not in the future."""
    if today is None:
        raise AmbiguousDate(field, _WHICH_CENTURY)
    century = today.year - today.year % 100
    for year in (century + short_year, century - 100 + short_year):
        with suppress(ValueError):
            if date(year, month, day) <= today:
                return AnnualDate(month, day, year)
    raise InvalidField(field, _NO_SUCH_DAY)


def _proven_order(first: int, second: int) -> DateOrder | None:
    if first > _MONTHS >= second:
        return DateOrder.DAY_FIRST
    if second > _MONTHS >= first:
        return DateOrder.MONTH_FIRST
    return None


def _annual(field: str, year: int | None, month: int, day: int) -> AnnualDate:
    try:
        return AnnualDate(month, day, year)
    except ValueError:
        raise InvalidField(field, _NO_SUCH_DAY) from None


def _written(field: str, annual: AnnualDate, no_year: int | None) -> WrittenDate:
    """Leave out a year that nobody told, and say what is doubtful."""
    if annual.year is None or annual.year in {_NO_YEAR, no_year}:
        return WrittenDate(attrs.evolve(annual, year=None))
    if annual.year in _DEFAULT_YEARS and field == "birthday":
        return WrittenDate(attrs.evolve(annual, year=None), _YEAR_DROPPED)
    day = annual.full_date()
    return WrittenDate(annual, _OLD_STYLE if day is not None and day < _SWITCH else None)
