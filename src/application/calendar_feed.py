"""Birthdays and work anniversaries as a calendar that other programs subscribe to (RFC 5545)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from icalendar import Calendar, Event

from application.views import UserView
from domain.occasion import AnnualDate, Kind, LeapDayRule, occasions

_FIRST_YEAR = 2024
"""Events begin here, so that no year of birth is told. A leap year: every rule keeps a day in it."""
_SEARCHED_YEARS = 8
"""From a leap day to the next one, whatever the century."""

_LEAP_DAY: Mapping[LeapDayRule, Mapping[str, object]] = {
    LeapDayRule.FEB28: {"freq": "yearly", "bymonth": 2, "bymonthday": -1},
    LeapDayRule.MAR1: {"freq": "yearly", "byyearday": 60},
    LeapDayRule.LEAP_YEARS_ONLY: {"freq": "yearly", "bymonth": 2, "bymonthday": 29},
}
"""The last day of February, the sixtieth of the year, and the day itself, which three years in four lack."""
_TITLES = {Kind.BIRTHDAY: "Birthday", Kind.ANNIVERSARY: "Work anniversary"}
_SINCE = {Kind.BIRTHDAY: "born", Kind.ANNIVERSARY: "since"}


def _frame() -> tuple[bytes, bytes]:
    calendar = Calendar.new(
        prodid="-//birthdays//calendar//EN",
        name="Birthdays and work anniversaries",
        refresh_interval=timedelta(days=1),
    )
    calendar["refresh-interval"].params["value"] = "DURATION"  # which RFC 7986 asks to be written
    del calendar["uid"]  # a new one at each start would make every copy a new calendar
    whole: bytes = calendar.to_ical()
    end = b"END:VCALENDAR\r\n"
    return whole.removesuffix(end), end


CALENDAR_BEGINS, CALENDAR_ENDS = _frame()
"""What stands before the events, and after them."""


def events_of(users: Sequence[UserView], *, rule: LeapDayRule, with_years: bool) -> bytes:
    """Return an event that comes back every year for each date of each person.

    *rule* is for those born on 29 February who have chosen none. Years of birth and of hiring are told only
    *with_years*. The bytes change only when a person does, so that a reader can be told that nothing is new.
    """
    return b"".join(event.to_ical() for user in users for event in _events(user, rule, with_years=with_years))


def _events(user: UserView, rule: LeapDayRule, *, with_years: bool) -> Iterator[Event]:
    rule = rule if user.leap_day_rule is None else LeapDayRule(user.leap_day_rule)
    for kind, told in ((Kind.BIRTHDAY, user.birthday), (Kind.ANNIVERSARY, user.anniversary)):
        if told is None:
            continue
        annual = AnnualDate.parse(told)
        event = Event.new(
            uid=f"{kind.lower()}.{user.id}@birthdays",
            stamp=user.updated_at,
            start=_first_day(kind, annual, rule),
            summary=_summary(user, kind, annual, with_years=with_years),
        )
        event.add("transp", "TRANSPARENT")
        event.add("rrule", _LEAP_DAY[rule] if annual.is_leap_day else {"freq": "yearly"})
        yield event


def _first_day(kind: Kind, annual: AnnualDate, rule: LeapDayRule) -> date:
    year = _FIRST_YEAR if annual.year is None else max(_FIRST_YEAR, annual.year + 1)
    kept = occasions(kind, annual, rule, first=date(year, 1, 1), last=date(year + _SEARCHED_YEARS, 12, 31))
    return next(kept).on


def _summary(user: UserView, kind: Kind, annual: AnnualDate, *, with_years: bool) -> str:
    years = f" ({_SINCE[kind]} {annual.year})" if with_years and annual.year is not None else ""
    return f"{_TITLES[kind]}: {user.first_name} {user.last_name}{years}"
