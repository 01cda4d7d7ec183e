"""What a file of people would bring: every message, in the order in which they would leave."""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.people_file import read_people
from application.simulation import Simulation, simulate
from domain.due import SendPolicy
from domain.occasion import AnnualDate, Kind, LeapDayRule
from tests.domain.calendar_pages import every_date, kept
from tests.domain.people import POLICY, utc
from tests.domain.wall_clock import raw_zone, showing

HEADER = "first_name,last_name,email,timezone,birthday,anniversary,leap_day_rule\n"


def simulated(text: str, first: date, last: date, policy: SendPolicy = POLICY) -> Simulation:
    return simulate(read_people((HEADER + text).encode()), policy, first, last)


def listed(simulation: Simulation) -> list[tuple[datetime, str, str]]:
    return [
        (one.message.due_at, one.user.email, one.occasion.kind.value.lower()) for one in simulation.messages
    ]


def test_in_the_order_in_which_they_leave() -> None:
    found = simulated(
        "N,Y,ny@example.com,America/New_York,1990-03-14,,\n"
        "J,A,jakarta@example.com,Asia/Jakarta,1990-03-14,2019-03-14,\n"
        "K,I,kiritimati@example.com,Pacific/Kiritimati,1990-03-14,,\n",
        date(2027, 3, 14),
        date(2027, 3, 14),
    )
    assert listed(found) == [
        (utc("2027-03-13T19:00"), "kiritimati@example.com", "birthday"),
        (utc("2027-03-14T02:00"), "jakarta@example.com", "anniversary"),
        (utc("2027-03-14T02:00"), "jakarta@example.com", "birthday"),
        (utc("2027-03-14T13:00"), "ny@example.com", "birthday"),
    ]


def test_at_one_instant_in_the_order_of_the_addresses_whatever_the_file_says() -> None:
    rows = [f"A,B,{name}@example.com,UTC,1990-03-14,2019-03-14,\n" for name in "dbca"]
    forwards = simulated("".join(rows), date(2027, 3, 1), date(2027, 3, 31))
    backwards = simulated("".join(reversed(rows)), date(2027, 3, 1), date(2027, 3, 31))
    assert listed(forwards) == listed(backwards)
    assert [(name[0], kind) for _, name, kind in listed(forwards)] == [
        (name, kind) for name in "abcd" for kind in ("anniversary", "birthday")
    ]


def test_a_skipped_day_falls_together_with_the_next() -> None:
    found = simulated(
        "A,B,apia@example.com,Pacific/Apia,1990-12-30,2009-12-31,\n", date(2011, 12, 29), date(2012, 1, 2)
    )
    assert [(one.message.due_at, one.occasion.on) for one in found.messages] == [
        (utc("2011-12-30T19:00"), date(2011, 12, 31)),
        (utc("2011-12-30T19:00"), date(2011, 12, 30)),
    ]


def test_both_ends_belong_to_it() -> None:
    row = "A,B,a@example.com,UTC,1990-03-14,,\n"
    for first, last, count in (
        (date(2027, 3, 14), date(2027, 3, 14), 1),
        (date(2027, 3, 14), date(2028, 3, 14), 2),
        (date(2027, 3, 15), date(2028, 3, 13), 0),
        (date(2027, 3, 13), date(2027, 3, 13), 0),
    ):
        assert len(simulated(row, first, last).messages) == count


def test_a_child_of_this_year_has_its_first_birthday_next_year() -> None:
    found = simulated("A,B,a@example.com,UTC,2027-01-01,,\n", date(2027, 1, 1), date(2028, 12, 31))
    assert [(one.occasion.on, one.occasion.years) for one in found.messages] == [(date(2028, 1, 1), 1)]


def test_problems_of_the_file_and_of_the_people_in_the_order_of_the_lines() -> None:
    found = simulated(
        "A,B,a@example.com,UTC,2099-01-01,,\n"
        ",B,b@example.com,UTC,1990-01-01,,\n"
        "A,B,nobody,UTC,1990-01-01,,\n"
        "A,B,c@example.com,UTC,1990-01-01,,\n"
        "A,,d@example.com,,1990-01-01,,\n",
        date(2027, 1, 1),
        date(2027, 1, 31),
    )
    assert [(problem.line, problem.field) for problem in found.problems] == [
        (2, "birthday"),
        (3, "first_name"),
        (4, "email"),
        (6, "last_name"),
        (6, "timezone"),
    ]
    assert [one.user.email for one in found.messages] == ["c@example.com"]


@pytest.mark.parametrize(
    ("rule", "kept_on"),
    (
        ("", date(2027, 2, 28)),
        ("feb28", date(2027, 2, 28)),
        ("mar1", date(2027, 3, 1)),
        ("leap-years-only", None),
    ),
)
def test_the_rule_of_the_person_goes_before_that_of_the_house(rule: str, kept_on: date | None) -> None:
    found = simulated(f"A,B,a@example.com,UTC,--02-29,,{rule}\n", date(2027, 1, 1), date(2027, 12, 31))
    assert [one.occasion.on for one in found.messages] == ([] if kept_on is None else [kept_on])
    house = SendPolicy(leap_day_rule=LeapDayRule.MAR1)
    found = simulated(f"A,B,a@example.com,UTC,--02-29,,{rule}\n", date(2027, 1, 1), date(2027, 12, 31), house)
    expected = date(2027, 3, 1) if not rule else kept_on
    assert [one.occasion.on for one in found.messages] == ([] if expected is None else [expected])


@attrs.frozen
class Told:
    """A row of the file, before it is one."""

    email: str
    timezone: str
    birthday: AnnualDate | None
    anniversary: date | None
    rule: LeapDayRule | None


days_of_birth = st.one_of(
    st.just(AnnualDate(2, 29, 1992)),
    st.just(AnnualDate(2, 29)),
    st.dates(date(1950, 1, 1), date(2026, 12, 31)).map(AnnualDate.of),
    st.dates(date(2000, 2, 20), date(2000, 3, 10)).map(lambda day: AnnualDate(day.month, day.day)),
)
rows = st.builds(
    Told,
    email=st.integers(1, 10**6).map(lambda number: f"p{number}@example.com"),
    timezone=st.sampled_from(
        ["Pacific/Kiritimati", "America/Nuuk", "Europe/Berlin", "Asia/Calcutta", "Pacific/Pago_Pago"]
    ),
    birthday=st.none() | days_of_birth,
    anniversary=st.none() | st.dates(date(2015, 1, 1), date(2029, 12, 31)),
    rule=st.none() | st.sampled_from(LeapDayRule),
)


def as_csv(people: Sequence[Told]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["Email", "Time Zone", "Birthday", "Hire date", "Leap day rule", "First name", "Last name"]
    )
    for one in people:
        writer.writerow(
            [one.email, one.timezone, one.birthday or "", one.anniversary or "", one.rule or "", "A", "B"]
        )
    return text.getvalue().encode()


def reckoned(
    people: Sequence[Told], send_time: time, house: LeapDayRule, first: date, last: date
) -> list[tuple[datetime, str, str, date, int | None]]:
    """Look at every person on every day, and at the clocks around each of their days."""
    found = []
    for one in people:
        dates = [(Kind.BIRTHDAY, one.birthday)]
        if one.anniversary is not None:
            hired = one.anniversary
            dates.append((Kind.ANNIVERSARY, AnnualDate(hired.month, hired.day, hired.year)))
        for on in every_date(first, last):
            for kind, annual in dates:
                if annual is None or not kept(annual, one.rule or house, on):
                    continue
                years = None if annual.year is None else on.year - annual.year
                if years is None or years > 0:
                    at = showing(raw_zone(one.timezone), on, send_time).at
                    found.append((at, one.email, kind.value, on, years))
    return sorted(found, key=lambda entry: entry[:3])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    people=st.lists(rows, max_size=8, unique_by=lambda one: one.email),
    send_time=st.sampled_from([time(0), time(2, 30), time(9), time(23, 59)]),
    house=st.sampled_from(LeapDayRule),
    first=st.dates(date(2027, 1, 1), date(2029, 1, 1)),
    length=st.integers(0, 500),
)
def test_any_file_against_a_calendar_on_the_wall(
    people: list[Told], send_time: time, house: LeapDayRule, first: date, length: int
) -> None:
    last = first + timedelta(days=length)
    policy = SendPolicy(send_time=send_time, leap_day_rule=house)
    found = simulate(read_people(as_csv(people)), policy, first, last)
    assert found.problems == []
    assert [
        (one.message.due_at, one.user.email, one.occasion.kind.value, one.occasion.on, one.occasion.years)
        for one in found.messages
    ] == reckoned(people, send_time, house, first, last)
    for one in found.messages:
        assert one.message.expires_at == one.message.due_at + policy.window
        assert one.message.key.occasion_on == one.occasion.on
