"""The words of the features: cities, days, times, people, and what they stand for."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

import attrs
from pytest_bdd import parsers

from domain.message import Reason, Status
from domain.occasion import Kind, LeapDayRule
from tests.domain.wall_clock import raw_zone, showing

CITIES = {
    "Apia": "Pacific/Apia",
    "Auckland": "Pacific/Auckland",
    "Berlin": "Europe/Berlin",
    "Honolulu": "Pacific/Honolulu",
    "Jakarta": "Asia/Jakarta",
    "Kathmandu": "Asia/Kathmandu",
    "Kiritimati": "Pacific/Kiritimati",
    "New York": "America/New_York",
    "Pago Pago": "Pacific/Pago_Pago",
    "Rome": "Europe/Rome",
}
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
RULES = {
    "on 28 February when there is none": LeapDayRule.FEB28,
    "on 1 March when there is none": LeapDayRule.MAR1,
    "in leap years only": LeapDayRule.LEAP_YEARS_ONLY,
}
FATES = {
    "cancelled because the person has left": (Status.CANCELLED, Reason.USER_DELETED),
    "cancelled because the day is another": (Status.CANCELLED, Reason.OCCASION_CHANGED),
    "skipped because of a greeting not long ago": (Status.SKIPPED, Reason.GREETED_RECENTLY),
    "skipped because the person does not want it": (Status.SKIPPED, Reason.OPTED_OUT),
    "skipped because it is the day itself": (Status.SKIPPED, Reason.ZERO_YEARS),
    "expired because its time had passed": (Status.EXPIRED, Reason.WINDOW_PASSED),
}
F = TypeVar("F", bound=Callable[[str], object])
_CITY = "|".join(CITIES)
_DAY = r"\d{1,2} [A-Z][a-z]+ \d{4}"


@attrs.frozen
class Moment:
    """What a clock shows in a city, and the instant at which it does so for the first time."""

    instant: datetime


def written(pattern: str) -> Callable[[F], F]:
    """Mark a function as the reader of what looks like *pattern*."""

    def mark(read: F) -> F:
        read.pattern = pattern  # type: ignore[attr-defined]  # where the parser of the steps looks for it
        return read

    return mark


@written(r"[A-Z][a-z]+")
def a_name(text: str) -> str:
    return text


@written(_CITY)
def a_city(text: str) -> str:
    """Return the time zone of a city."""
    return CITIES[text]


@written(_DAY)
def a_day(text: str) -> date:
    day, month, year = text.split()
    return date(int(year), MONTHS.index(month) + 1, int(day))


@written(r"\d\d:\d\d")
def a_time(text: str) -> time:
    return time.fromisoformat(text)


@written(rf"\d\d:\d\d on {_DAY} in (?:{_CITY})")
def a_moment(text: str) -> Moment:
    at, _, rest = text.partition(" on ")
    on, _, city = rest.rpartition(" in ")
    return Moment(showing(raw_zone(a_city(city)), a_day(on), a_time(at)).at)


@written(r"birthday|anniversary")
def a_kind(text: str) -> Kind:
    return Kind(text.upper())


@written("|".join(RULES))
def a_rule(text: str) -> LeapDayRule:
    return RULES[text]


@written("|".join(FATES))
def a_fate(text: str) -> tuple[Status, Reason]:
    return FATES[text]


def step(sentence: str) -> Any:
    """Return a parser for a sentence with the words above as its types."""
    return parsers.cfparse(
        sentence,
        extra_types={
            "City": a_city,
            "Day": a_day,
            "Fate": a_fate,
            "Kind": a_kind,
            "Moment": a_moment,
            "Name": a_name,
            "Rule": a_rule,
            "Time": a_time,
        },
    )


def end_of_day_everywhere(on: date) -> datetime:
    """Return the instant at which the day *on* is over in the last place on Earth, 12 hours behind."""
    return datetime(on.year, on.month, on.day, 12, tzinfo=UTC) + timedelta(days=1)
