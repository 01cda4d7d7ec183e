"""Files as address books and spreadsheets write them; the people are made up."""

from collections.abc import Sequence
from datetime import date

import pytest

from application.people_rows import NotAPeopleFile, ReadOptions
from domain.occasion import AnnualDate
from domain.written_dates import DateOrder, DateReading
from tests.domain.test_people_file import problems_of, read_all

GOOGLE = (
    "First Name,Middle Name,Last Name,Name Suffix,Nickname,Birthday,Labels,E-mail 1 - Label,E-mail 1 - Value,"
    "Event 1 - Label,Event 1 - Value\r\n"
)
GOOGLE_OLD = (
    "Name,Given Name,Family Name,Birthday,E-mail 1 - Type,E-mail 1 - Value,Event 1 - Type,Event 1 - Value\r\n"
)
OUTLOOK = "First Name,Last Name,Company,Anniversary,Birthday,E-mail Address,E-mail 2 Address\r\n"
GERMAN = "Vorname;Nachname;E-Mail;Geburtstag;Eintritt;Zeitzone\r\n"

TODAY = date(2026, 12, 1)
MONTH_FIRST = DateReading(order=DateOrder.MONTH_FIRST, today=TODAY)
SOMEWHERE = ReadOptions(default_timezone="UTC")
AS_WORK = ReadOptions(default_timezone="UTC", anniversaries_are_work=True)


def test_google() -> None:
    text = (
        GOOGLE
        + "André,,Carson,III,,1974-10-16,* myContacts,* Work,andre@example.com,Anniversary,2008-03-13\r\n"
        + "Zoë,,Quinn,,, --02-29,* myContacts,* Work,zoe@example.com ::: z@example.com,Work Anniversary,2019-02-01\r\n"
    )
    people = read_all(text.encode(), SOMEWHERE)
    told = people.file.recognised
    assert (told.format, told.layout, told.encoding, told.delimiter) == ("csv", "google", "utf-8", ",")
    assert told.columns["E-mail 1 - Value"] == "email"
    assert "Event 1 - Value" not in told.ignored_columns
    assert "Labels" in told.ignored_columns
    andre, zoe = (row.values for row in people.rows)
    assert (andre["birthday"], andre.get("anniversary")) == (AnnualDate(10, 16, 1974), None)
    assert (zoe["birthday"], zoe["anniversary"]) == (AnnualDate(2, 29), date(2019, 2, 1))
    assert zoe["email"] == "zoe@example.com"
    assert [(warning.line, warning.field) for warning in people.warnings] == [
        (2, "anniversary"),
        (3, "email"),
    ]
    assert read_all(text.encode(), AS_WORK).rows[0].values["anniversary"] == date(2008, 3, 13)


def test_google_before_2024() -> None:
    text = GOOGLE_OLD + "Ada Lovelace,Ada,Lovelace,1990-12-10,* Work,ada@example.com,,\r\n"
    people = read_all(text.encode(), SOMEWHERE)
    assert (people.file.recognised.layout, people.warnings) == ("google-old", [])
    assert people.rows[0].values["last_name"] == "Lovelace"
    assert "Name" in people.ignored_columns


OUTLOOK_ROWS = (
    OUTLOOK
    + "José,Núñez,Acme,1/3/2025,4/7/1992,jose@example.com,\r\n"
    + "Zoë,O\u2019Brien,Acme,0/0/00,0/0/00,zoe@example.com,\r\n"
)


@pytest.mark.parametrize(
    ("encoding", "told"), (("cp1252", "windows-1252"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"))
)
def test_outlook_in_its_encodings(encoding: str, told: str) -> None:
    options = ReadOptions(default_timezone="UTC", dates=MONTH_FIRST, anniversaries_are_work=True)
    people = read_all(OUTLOOK_ROWS.encode(encoding), options)
    assert (people.file.recognised.layout, people.file.recognised.encoding) == ("outlook", told)
    jose, zoe = (row.values for row in people.rows)
    assert (jose["last_name"], zoe["last_name"]) == ("Núñez", "O\u2019Brien")
    assert (jose["birthday"], jose["anniversary"]) == (AnnualDate(4, 7, 1992), date(2025, 1, 3))
    assert not {"birthday", "anniversary"} & zoe.keys()


def test_the_order_of_outlook_s_dates_must_be_told() -> None:
    people = read_all(OUTLOOK_ROWS.encode(), SOMEWHERE)
    assert problems_of(people) == [(2, "birthday")]
    assert "first" in people.problems[0].reason
    assert people.file.recognised.date_order is None


def test_what_one_line_proves_is_not_held_against_another() -> None:
    people = read_all(b"email,birthday\na@example.com,3/22/1980\nb@example.com,3/4/1980\n", SOMEWHERE)
    assert [row.values["birthday"] for row in people.rows] == [AnnualDate(3, 22, 1980)]
    assert problems_of(people) == [(3, "birthday")]


def test_german_excel() -> None:
    text = GERMAN + "Jörg;Müller;joerg@example.com;07.04.1992;03.01.2025;Europe/Berlin\r\n"
    people = read_all(text.encode("cp1252"))
    told = people.file.recognised
    assert (told.layout, told.encoding, told.delimiter) == ("german", "windows-1252", ";")
    assert told.date_order is DateOrder.DAY_FIRST
    values = people.rows[0].values
    assert (values["first_name"], values["birthday"]) == ("Jörg", AnnualDate(4, 7, 1992))
    assert values["anniversary"] == date(2025, 1, 3)
    turned = read_all(text.encode("cp1252"), ReadOptions(dates=MONTH_FIRST))
    assert turned.rows[0].values["birthday"] == AnnualDate(7, 4, 1992)


def test_a_line_for_excel_before_the_header() -> None:
    people = read_all(b"sep=|\r\nemail|first_name\r\nada@example.com|Ada, A.\r\nbad|x\r\n")
    assert people.file.recognised.delimiter == "|"
    assert [(row.line, row.values["first_name"]) for row in people.rows] == [(3, "Ada, A.")]
    assert problems_of(people) == [(4, "email")]


def test_tabs() -> None:
    people = read_all(b"email\tname\nada@example.com\tAda King Lovelace\nplato@example.com\tPlato\n")
    assert people.rows[0].values == {
        "email": "ada@example.com",
        "first_name": "Ada King",
        "last_name": "Lovelace",
    }
    assert people.rows[1].values == {"email": "plato@example.com", "first_name": "Plato"}
    assert [(warning.line, warning.field) for warning in people.warnings] == [(2, "last_name")]


def test_a_bot_s_birthdays_have_no_year_and_the_month_first() -> None:
    people = read_all(b"email,birthday,hiredate\nada@example.com,04-07,2025-01-03\n", SOMEWHERE)
    assert (people.file.recognised.layout, people.file.recognised.date_order) == (
        "confetti",
        DateOrder.MONTH_FIRST,
    )
    assert people.rows[0].values["birthday"] == AnnualDate(4, 7)


def test_an_id_twice_is_told_with_the_first_line() -> None:
    people = read_all(b"email,external_id\na@example.com,7\nb@example.com,8\nc@example.com,7\n")
    assert [row.external_id for row in people.rows] == ["7", "8"]
    assert [(one.line, one.field, one.reason) for one in people.problems] == [
        (4, "external_id", "The same id as in line 2.")
    ]


def test_what_our_export_defuses_is_read_as_it_was() -> None:
    people = read_all(b"email,first_name,birthday\nada@example.com,'=1+1,'--02-29\n")
    assert people.rows[0].values["first_name"] == "=1+1"
    assert people.rows[0].values["birthday"] == AnnualDate(2, 29)


@pytest.mark.parametrize("encoding", ("windows-1250", "windows-1251", "iso-8859-15", "utf-16"))
def test_an_encoding_that_is_told(encoding: str) -> None:
    names: Sequence[str] = {"windows-1250": ("Łukasz",), "windows-1251": ("Анна",)}.get(encoding, ("Zoë",))
    text = f"email,first_name\nada@example.com,{names[0]}\n"
    people = read_all(text.encode(encoding), ReadOptions(encoding=encoding))
    assert (people.rows[0].values["first_name"], people.file.recognised.encoding) == (names[0], encoding)


def test_utf_16_without_a_mark() -> None:
    for codec in ("utf-16-le", "utf-16-be"):
        people = read_all("email,first_name\nada@example.com,Zoë\n".encode(codec))
        assert (people.rows[0].values["first_name"], people.file.recognised.encoding) == ("Zoë", "utf-16")


def test_an_encoding_that_is_told_wrongly() -> None:
    with pytest.raises(NotAPeopleFile, match="not utf-8"):
        read_all(b"email\n\xff@example.com\n", ReadOptions(encoding="utf-8"))


def test_the_reading_never_holds_a_copy_of_all_rows() -> None:
    people = read_all(b"email\n" + b"".join(b"p%d@example.com\n" % number for number in range(3000))).file
    rows = people.rows()
    assert next(rows).line == 2
    assert next(people.rows()).line == 2
    assert next(rows).line == 3
