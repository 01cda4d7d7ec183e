"""ExportUsers: what leaves can be read by others, and comes back as it was."""

import csv
import io
import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # comes with icalendar, without types
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from application.calendar_feed import CALENDAR_BEGINS, CALENDAR_ENDS, events_of
from application.exports import ExportFormat, ExportUsers, WhereItIsWritten
from application.people_file import read_people
from application.people_rows import Row, defused
from application.views import UserView
from domain.due import SendPolicy
from domain.occasion import AnnualDate, Kind, LeapDayRule, occasions
from tests.contract.adapters import POLICY
from tests.use_cases.service import Service

HEADER = "external_id,first_name,last_name,email,timezone,birthday,work_anniversary,leap_day_rule\n"
ODD = (
    'E1,Zoë 🎂,"O\u2019Brien; Jr., \\ x",zoe@example.com,Asia/Kathmandu,1990-03-14,2019-02-01,\n'
    "+4,=1+1,-Dash,+at@example.com,Europe/Berlin,--02-29,,leap-years-only\n"
    ",'=quoted,''twice,plain@example.com,UTC,,2020-02-29,mar1\n"
    f",{'x' * 150},{'ü' * 150},long@example.com,UTC,1752-09-14,,\n"
)


async def exported(service: Service, form: ExportFormat, *, with_years: bool = False) -> bytes:
    export = ExportUsers(WhereItIsWritten(service.users), POLICY)
    return b"".join([part async for part in export(form, with_years=with_years)])


def told(data: bytes) -> list[dict[str, object]]:
    rows = list(read_people(data).rows())
    assert all(isinstance(row, Row) for row in rows), rows
    return sorted(
        (dict(row.values) for row in rows if isinstance(row, Row)), key=lambda one: str(one["email"])
    )


async def test_csv_comes_back_as_it_was(service: Service) -> None:
    report = await service.import_csv(HEADER + ODD)
    assert (report.created, report.errors) == (4, [])
    data = await exported(service, ExportFormat.CSV)
    assert (await service.import_csv(data.decode())).unchanged == 4
    assert told(data) == told((HEADER + ODD).encode())


async def test_no_cell_of_the_csv_is_a_formula(service: Service) -> None:
    await service.import_csv(HEADER + ODD)
    data = await exported(service, ExportFormat.CSV)
    assert data.startswith(b"\xef\xbb\xbf")
    cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) for cell in row]
    assert {"'=1+1", "'-Dash", "'--02-29", "'+4", "'+at@example.com"} <= set(cells)
    assert not any(cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\uff1d"} for cell in cells)


@given(cell=st.text(st.sampled_from("='+-@ax\uff1d"), max_size=6))
def test_what_is_defused_is_read_as_it_was(cell: str) -> None:
    data = f"email,first_name\na@example.com,{defused(cell)}\n".encode()
    [row] = read_people(data).rows()
    assert isinstance(row, Row)
    assert row.values.get("first_name", "") == cell


async def test_vcards_come_back_as_they_were(service: Service) -> None:
    await service.import_csv(HEADER + ODD)
    data = await exported(service, ExportFormat.VCARD)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert data.endswith(b"END:VCARD\r\n")
    kept = [
        {name: value for name, value in one.items() if name not in {"external_id", "leap_day_rule"}}
        for one in told((HEADER + ODD).encode())
    ]
    assert told(data) == kept


async def test_nobody_is_a_file_too(service: Service) -> None:
    assert (await exported(service, ExportFormat.CSV)).count(b"\r\n") == 1
    assert await exported(service, ExportFormat.VCARD) == b""
    assert _calendar(await exported(service, ExportFormat.CALENDAR)).events == []


@pytest.mark.slow
async def test_a_file_goes_on_over_the_pages(service: Service) -> None:
    rows = "".join(f",P,L,p{number}@example.com,UTC,1990-01-01,,\n" for number in range(2300))
    await service.import_csv(HEADER + rows)
    assert len(told(await exported(service, ExportFormat.CSV))) == 2300
    assert (await exported(service, ExportFormat.CALENDAR)).count(b"BEGIN:VEVENT") == 2300


def _calendar(data: bytes) -> Calendar:
    """Read a calendar as others do; nothing in it may need to be passed over."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calendar = Calendar.from_ical(data)
    assert isinstance(calendar, Calendar)
    assert not calendar.errors
    assert not any(event.errors for event in calendar.walk())
    assert {"PRODID", "VERSION"} <= {*calendar}
    return calendar


async def test_the_calendar_opens_and_tells_no_year_of_birth(service: Service) -> None:
    await service.import_csv(HEADER + ODD)
    data = await exported(service, ExportFormat.CALENDAR)
    events = _calendar(data).events
    assert len({event.uid for event in events}) == 5
    assert all(event.decoded("transp") == "TRANSPARENT" for event in events)
    assert {event.start.year for event in events} == {2024}
    # The digits of a random id may look like any year.
    told = [line for line in data.replace(b"\r\n ", b"").splitlines() if not line.startswith(b"UID:")]
    assert not any(year in line for line in told for year in (b"1990", b"1752", b"2019", b"2020"))
    assert "Birthday: Zoë 🎂 O\u2019Brien; Jr., \\ x" in {event.summary for event in events}
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


async def test_the_calendar_tells_years_where_it_is_asked(service: Service) -> None:
    await service.import_csv(HEADER + ODD)
    events = _calendar(await exported(service, ExportFormat.CALENDAR, with_years=True)).events
    summaries = " ".join(str(event.summary) for event in events)
    assert all(words in summaries for words in ("(born 1990)", "(born 1752)", "(since 2019)", "(since 2020)"))


async def test_the_bytes_change_only_with_a_person(service: Service) -> None:
    await service.import_csv(HEADER + ODD)
    before = await exported(service, ExportFormat.CALENDAR)
    service.at(datetime(2031, 1, 1, tzinfo=UTC))
    assert await exported(service, ExportFormat.CALENDAR) == before
    begins = before.partition(b"BEGIN:VEVENT")[0].splitlines()
    assert b"REFRESH-INTERVAL;VALUE=DURATION:P1D" in begins
    assert not any(line.startswith(b"UID:") for line in begins)


def _view(birthday: str | None, anniversary: str | None, rule: LeapDayRule | None) -> UserView:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    return UserView(
        id=UUID(int=1),
        first_name="A\nBEGIN:VEVENT",
        last_name="L",
        email="a@example.com",
        timezone="UTC",
        birthday=birthday,
        anniversary=anniversary,
        leap_day_rule=rule,
        version=1,
        created_at=now,
        updated_at=now,
    )


def _days(view: UserView, house: LeapDayRule, last: date) -> Sequence[date]:
    """Return the days of the only event, as another library reckons them."""
    data = CALENDAR_BEGINS + events_of([view], rule=house, with_years=False) + CALENDAR_ENDS
    [event] = _calendar(data).events
    start = datetime.combine(event.start, datetime.min.time())
    rule = rrulestr(event.rrules[0].to_ical().decode(), dtstart=start)
    return [day.date() for day in rule.between(start, datetime.combine(last, datetime.min.time()), inc=True)]


annuals = st.one_of(
    st.dates(date(1900, 1, 1), date(2040, 12, 31)).map(AnnualDate.of),
    st.just(AnnualDate(2, 29)),
    st.sampled_from((1904, 1996, 2020, 2024, 2028)).map(lambda year: AnnualDate(2, 29, year)),
    st.dates(date(2023, 1, 1), date(2023, 12, 31)).map(lambda day: AnnualDate(day.month, day.day)),
)


@pytest.mark.slow
@settings(deadline=None)
@given(annual=annuals, own=st.none() | st.sampled_from(LeapDayRule), house=st.sampled_from(LeapDayRule))
def test_the_calendar_has_the_days_on_which_messages_leave(
    annual: AnnualDate, own: LeapDayRule | None, house: LeapDayRule
) -> None:
    last = date(2110, 12, 31)
    kept = occasions(Kind.BIRTHDAY, annual, own or house, first=date(2024, 1, 1), last=last)
    assert _days(_view(str(annual), None, own), house, last) == [occasion.on for occasion in kept]


@pytest.mark.parametrize("rule", LeapDayRule)
def test_the_instance_s_rule_holds_for_those_who_have_none(rule: LeapDayRule) -> None:
    policy = SendPolicy(leap_day_rule=rule)
    first = _days(_view("2000-02-29", None, None), policy.leap_day_rule, date(2025, 12, 31))
    expected = {LeapDayRule.FEB28: 28, LeapDayRule.MAR1: 1, LeapDayRule.LEAP_YEARS_ONLY: 29}
    assert first[-1].day == expected[rule]
