"""Which days are somebody's: 29 February, years that are not known, and the first anniversary."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidField
from domain.occasion import AnnualDate, Kind, LeapDayRule, Occasion, days, is_leap, occasions
from tests.domain.calendar_pages import every_date, reckoned
from tests.domain.people import RULES, annual_dates

FIRST, LAST = date(1899, 12, 1), date(2101, 1, 31)
YEARS = range(1900, 2101)
LEAP_YEARS = [year for year in YEARS if str(year)[2:] != "00" and year % 4 == 0] + [2000]


def test_which_years_are_leap_years() -> None:
    assert [year for year in YEARS if is_leap(year)] == sorted(LEAP_YEARS)
    assert not is_leap(1900)
    assert is_leap(2000)
    assert not is_leap(2100)


@pytest.mark.parametrize(
    ("rule", "in_common_years"),
    ((LeapDayRule.FEB28, (2, 28)), (LeapDayRule.MAR1, (3, 1)), (LeapDayRule.LEAP_YEARS_ONLY, None)),
)
def test_29_february_in_every_year_from_1900_to_2100(
    rule: LeapDayRule, in_common_years: tuple[int, int] | None
) -> None:
    for year in YEARS:
        month_and_day = (2, 29) if year in LEAP_YEARS else in_common_years
        expected = None if month_and_day is None else date(year, *month_and_day)
        assert AnnualDate(2, 29).kept_in(year, rule) == expected
        assert AnnualDate(2, 29, 1896).kept_in(year, rule) == expected


@pytest.mark.parametrize("rule", LeapDayRule)
def test_every_other_day_is_kept_on_itself_in_every_year(rule: LeapDayRule) -> None:
    for day in every_date(date(2027, 1, 1), date(2027, 12, 31)):
        for year in (1900, 2000, 2026, 2028, 2100):
            assert AnnualDate(day.month, day.day).kept_in(year, rule) == date(year, day.month, day.day)


@pytest.mark.parametrize(
    ("told", "known", "meant"),
    (
        (AnnualDate(4, 7), AnnualDate(4, 7, 1992), AnnualDate(4, 7, 1992)),
        (AnnualDate(4, 8), AnnualDate(4, 7, 1992), AnnualDate(4, 8)),
        (AnnualDate(4, 7, 1993), AnnualDate(4, 7, 1992), AnnualDate(4, 7, 1993)),
        (AnnualDate(4, 7), AnnualDate(4, 7), AnnualDate(4, 7)),
        (AnnualDate(4, 7), None, AnnualDate(4, 7)),
    ),
)
def test_a_day_without_a_year_takes_none_away(
    told: AnnualDate, known: AnnualDate | None, meant: AnnualDate
) -> None:
    assert told.completed_by(known) == meant


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("rule", LeapDayRule)
@pytest.mark.parametrize(
    "annual",
    (AnnualDate(2, 29), AnnualDate(2, 29, 1896), AnnualDate(2, 28, 2027), AnnualDate(3, 1, 1999)),
    ids=str,
)
def test_two_centuries_of_occasions_one_day_after_the_other(
    kind: Kind, annual: AnnualDate, rule: LeapDayRule
) -> None:
    found = list(occasions(kind, annual, rule, first=FIRST, last=LAST))
    assert found == reckoned(kind, annual, rule, FIRST, LAST)


@given(
    kind=st.sampled_from(Kind),
    annual=annual_dates,
    rule=RULES,
    first=st.dates(date(1899, 1, 1), date(2101, 1, 1)),
    length=st.integers(-3, 1200),
    years_min=st.integers(0, 1),
)
def test_any_stretch_of_occasions(
    kind: Kind, annual: AnnualDate, rule: LeapDayRule, first: date, *, length: int, years_min: int
) -> None:
    last = first + timedelta(days=length)
    found = list(occasions(kind, annual, rule, first=first, last=last, years_min=years_min))
    assert found == reckoned(kind, annual, rule, first, last, is_first_told=not years_min)


def test_the_day_itself_is_no_anniversary_and_its_first_return_is() -> None:
    hired = AnnualDate(6, 1, 2025)
    found = occasions(
        Kind.ANNIVERSARY, hired, LeapDayRule.FEB28, first=date(2024, 1, 1), last=date(2027, 12, 31)
    )
    assert list(found) == [
        Occasion(date(2026, 6, 1), Kind.ANNIVERSARY, 1),
        Occasion(date(2027, 6, 1), Kind.ANNIVERSARY, 2),
    ]


def test_hired_on_a_leap_day_the_first_year_is_full_on_the_28th() -> None:
    hired = AnnualDate(2, 29, 2024)
    found = occasions(
        Kind.ANNIVERSARY, hired, LeapDayRule.FEB28, first=date(2024, 1, 1), last=date(2025, 12, 31)
    )
    assert list(found) == [Occasion(date(2025, 2, 28), Kind.ANNIVERSARY, 1)]


def test_without_a_year_nobody_counts() -> None:
    found = occasions(
        Kind.BIRTHDAY,
        AnnualDate(12, 31),
        LeapDayRule.FEB28,
        first=date(2026, 12, 31),
        last=date(2027, 12, 31),
    )
    assert [(one.on, one.years) for one in found] == [(date(2026, 12, 31), None), (date(2027, 12, 31), None)]


@pytest.mark.parametrize(
    ("text", "read"),
    (
        ("1990-02-28", AnnualDate(2, 28, 1990)),
        ("2000-02-29", AnnualDate(2, 29, 2000)),
        ("--02-29", AnnualDate(2, 29)),
        ("--12-31", AnnualDate(12, 31)),
    ),
)
def test_a_date_is_read_and_written_alike(text: str, read: AnnualDate) -> None:
    assert AnnualDate.parse(text) == read
    assert str(read) == text


@given(annual=annual_dates)
def test_any_date_is_read_as_it_was_written(annual: AnnualDate) -> None:
    assert AnnualDate.parse(str(annual)) == annual


@pytest.mark.parametrize(
    "text",
    (
        "",
        "1990-02-29",
        "1900-02-29",
        "2100-02-29",
        "--02-30",
        "--13-01",
        "--00-10",
        "--10-00",
        "0000-01-01",
        "1990-2-28",
        "90-02-28",
        "1990/02/28",
        "28.02.1990",
        "02/28/1990",
        "19900228",
        "--0229",
        "-02-29",
        "---02-29",
        "1990-02-28T00:00",
        "1990-02-28\n",
        " 1990-02-28",
        "١٩٩٠-٠٢-٢٨",  # digits that are no ASCII digits
        "+1990-02-28",
    ),
)
def test_what_is_no_date_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        AnnualDate.parse(text, field="anniversary")
    assert refused.value.field == "anniversary"
    assert not text or text not in refused.value.reason


@pytest.mark.parametrize(
    ("month", "day", "year"), ((2, 30, None), (2, 29, 2027), (13, 1, None), (0, 1, 2000))
)
def test_there_is_no_annual_date_that_the_calendar_does_not_have(
    month: int, day: int, year: int | None
) -> None:
    with pytest.raises(ValueError, match=re.compile("month|day")):
        AnnualDate(month, day, year)


def test_days_counts_both_ends() -> None:
    assert list(days(date(2027, 2, 27), date(2027, 3, 1))) == [
        date(2027, 2, 27),
        date(2027, 2, 28),
        date(2027, 3, 1),
    ]
    assert list(days(date(2027, 3, 1), date(2027, 3, 1))) == [date(2027, 3, 1)]
    assert list(days(date(2027, 3, 1), date(2027, 2, 28))) == []


def test_the_day_it_began() -> None:
    assert AnnualDate.of(date(1990, 2, 28)).full_date() == date(1990, 2, 28)
    assert AnnualDate(2, 28).full_date() is None
