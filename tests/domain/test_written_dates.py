"""How dates are written: by programs, in the standards, and by mistake."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import written_dates
from domain.errors import InvalidField
from domain.occasion import AnnualDate
from domain.written_dates import (
    AmbiguousDate,
    DateOrder,
    DateReading,
    WrittenDate,
    order_proven_by,
    read_date,
)

TODAY = date(2026, 12, 1)
US = DateReading(order=DateOrder.MONTH_FIRST, today=TODAY)
EU = DateReading(order=DateOrder.DAY_FIRST, today=TODAY)
UNTOLD = DateReading(today=TODAY)


@pytest.mark.parametrize(
    ("text", "meant"),
    (
        # RFC 6350, 4.3 and 6.2.5
        ("19960415", "1996-04-15"),
        ("--0415", "--04-15"),
        ("19531015T231000Z", "1953-10-15"),
        ("--0203", "--02-03"),
        ("20090808T1430-0500", "2009-08-08"),
        ("--0229", "--02-29"),
        ("20000229", "2000-02-29"),
        ("19800322", "1980-03-22"),
        # vCard 3.0, and what programs make of it
        ("1960-09-10", "1960-09-10"),
        ("1912-06-23", "1912-06-23"),
        ("--04-16", "--04-16"),
        ("1996-04-15T201243+04:00", "1996-04-15"),
        ("1953-10-15T23:10:00Z", "1953-10-15"),
        ("1987-09-27T08:30:00-06:00", "1987-09-27"),
        ("2019-02-10T00:00:33", "2019-02-10"),
        ("1604-04-07", "--04-07"),
        ("1604-02-29", "--02-29"),
        # address books and spreadsheets
        (" --05-15", "--05-15"),
        ("22/3/1980", "1980-03-22"),
        ("3/22/1980", "1980-03-22"),
        ("4/4/1980", "1980-04-04"),
        ("1980/3/22", "1980-03-22"),
        ("05-15", "--05-15"),
        ("15.05.", "--05-15"),
        ("22. 3. 1980", "1980-03-22"),
        ("3/22/1980 0:00", "1980-03-22"),
        ("1980-03-22 00:00:00", "1980-03-22"),
        ("1984-03-13T00:00:00.000Z", "1984-03-13"),
        ("1984-03-13T05:00:00.000Z", "1984-03-13"),
    ),
)
def test_it_is_that_day_without_a_doubt(text: str, meant: str) -> None:
    written = read_date(text, "birthday", UNTOLD)
    assert written is not None
    assert (str(written.annual), written.doubt) == (meant, None)


@pytest.mark.parametrize("text", ("", "  ", "0/0/00", "00/00/0000", "0000-00-00", "00.00.0000"))
def test_there_is_no_date(text: str) -> None:
    assert read_date(text, "birthday") is None


@pytest.mark.parametrize(
    "text",
    (
        "circa 1800",
        "foo",
        "19723101",
        "19000229",
        "---12",
        "1985-04",
        "1985",
        "T102200",
        "1972-02-30",
        "--0230",
        "13. März 1984",
        "1403-02-29 (Solar Hijri)",
        "١٩٩٠-٠٢-٢٨",
        "1990-2-28x",
        "31/31/1980",
        "29281",
        "1990-12-31T",
        "19" * 50,
    ),
)
def test_it_is_no_date(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_date(text, "birthday", UNTOLD)
    assert not isinstance(refused.value, AmbiguousDate)
    assert refused.value.field == "birthday"


@pytest.mark.parametrize(
    "text", ("3/4/1980", "03.04.1980", "3-4", "3/22/80", "22.3.80", "1984-03-12T23:00:00.000Z")
)
def test_it_may_be_more_than_one_day(text: str) -> None:
    with pytest.raises(AmbiguousDate):
        read_date(text, "birthday", UNTOLD)


@pytest.mark.parametrize(
    ("text", "reading", "meant"),
    (
        ("3/4/1980", US, "1980-03-04"),
        ("3/4/1980", EU, "1980-04-03"),
        ("03.04.1980", EU, "1980-04-03"),
        ("3/22/1980", US, "1980-03-22"),
        ("02-03", US, "--02-03"),
        ("15-05", EU, "--05-15"),
    ),
)
def test_the_order_decides_where_it_is_told(text: str, reading: DateReading, meant: str) -> None:
    written = read_date(text, "birthday", reading)
    assert written is not None
    assert (str(written.annual), written.doubt) == (meant, None)


def test_the_order_that_is_told_holds_for_every_date() -> None:
    with pytest.raises(InvalidField, match="no such day"):
        read_date("3/22/1980", "birthday", EU)
    with pytest.raises(InvalidField, match="no such day"):
        read_date("22/3/1980", "birthday", US)


@pytest.mark.parametrize(
    ("text", "order"),
    (
        ("22/3/1980", DateOrder.DAY_FIRST),
        ("3/22/1980", DateOrder.MONTH_FIRST),
        ("3/3/1980", None),
        ("1980-03-22", None),
    ),
)
def test_some_dates_prove_the_order(text: str, order: DateOrder | None) -> None:
    assert order_proven_by(text) is order


@pytest.mark.parametrize(
    ("text", "reading", "meant"),
    (
        ("1/1/1900", UNTOLD, "--01-01"),
        ("1904-05-15", UNTOLD, "--05-15"),
        ("1721-04-19", UNTOLD, "1721-04-19"),
        ("29281", DateReading(day_numbers=True), "1980-03-01"),
        ("3/22/80", US, "1980-03-22"),
        ("3/22/26", US, "2026-03-22"),
        ("12/2/26", US, "1926-12-02"),
        ("3/22/68", US, "1968-03-22"),
        ("2/29/00", US, "2000-02-29"),
    ),
)
def test_somebody_should_look_again(text: str, reading: DateReading, meant: str) -> None:
    written = read_date(text, "birthday", reading)
    assert written is not None
    assert str(written.annual) == meant
    assert written.doubt


def test_a_firm_may_hire_in_1900() -> None:
    assert read_date("1900-05-15", "anniversary") == WrittenDate(AnnualDate(5, 15, 1900))


def test_a_year_that_the_card_says_is_none() -> None:
    written = read_date("1804-04-07", "birthday", no_year=1804)
    assert written == WrittenDate(AnnualDate(4, 7))


@given(day=st.dates(date(1753, 1, 1), date(2026, 12, 1)))
def test_every_way_to_write_a_day_says_the_same(day: date) -> None:
    if day.year in {1900, 1904}:
        day += timedelta(days=731)
    for text, reading in (
        (f"{day:%Y-%m-%d}", UNTOLD),
        (f"{day:%Y%m%d}", UNTOLD),
        (f"{day:%Y%m%d}T230000+1400", UNTOLD),
        (f"{day:%Y/%m/%d}", UNTOLD),
        (f"{day:%d.%m.%Y}", EU),
        (f"{day.month}/{day.day}/{day.year}", US),
    ):
        written = read_date(text, "birthday", reading)
        assert written is not None
        assert written.annual == AnnualDate.of(day)


@given(text=st.text(max_size=30) | st.text("0123456789-/.T:Z+ ", max_size=24))
def test_any_text_is_a_day_or_none_or_refused_without_being_repeated(text: str) -> None:
    reasons = {text for text in vars(written_dates).values() if isinstance(text, str)}
    for reading in (UNTOLD, EU, DateReading(order=DateOrder.MONTH_FIRST, day_numbers=True)):
        assert _said(text, reading) in {"", *reasons}


def _said(text: str, reading: DateReading) -> str:
    try:
        read_date(text, "birthday", reading)
    except InvalidField as refused:
        return refused.reason
    return ""
