"""vCards as phones, address books and the standards write them; the people are made up."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.people_rows import NotAPeopleFile, ReadOptions
from domain.occasion import AnnualDate
from tests.domain.test_people_file import Read, problems_of, read_all

AS_WORK = ReadOptions(default_timezone="UTC", anniversaries_are_work=True)


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""))


def read(*texts: str, options: ReadOptions = AS_WORK) -> Read:
    return read_all("".join(texts).encode(), options)


def values(*lines: str, version: str = "3.0") -> Mapping[str, Any]:
    people = read(card("N:Doe;Jo;;;", "EMAIL:jo@example.com", *lines, version=version))
    assert people.problems == []
    return people.rows[0].values


def test_a_plain_card() -> None:
    people = read(card("FN:Jo Doe", "N:Doe;Jo;Ann;Dr.;Jr.", "EMAIL:jo@example.com", "BDAY:1980-03-22"))
    told = people.file.recognised
    assert (told.format, told.encoding, people.lines, people.warnings) == ("vcard", "utf-8", 1, [])
    assert people.rows[0].values == {
        "first_name": "Jo",
        "last_name": "Doe",
        "email": "jo@example.com",
        "birthday": AnnualDate(3, 22, 1980),
        "timezone": "UTC",
    }


@pytest.mark.parametrize(
    ("line", "version", "meant"),
    (
        ("BDAY:19960415", "4.0", AnnualDate(4, 15, 1996)),
        ("BDAY:--0415", "4.0", AnnualDate(4, 15)),
        ("BDAY:19531015T231000Z", "4.0", AnnualDate(10, 15, 1953)),
        ("BDAY;VALUE=date-and-or-time:--0203", "4.0", AnnualDate(2, 3)),
        ("BDAY;value=date:2012-06-06", "3.0", AnnualDate(6, 6, 2012)),
        ("bday:1912-06-23", "3.0", AnnualDate(6, 23, 1912)),
        ("item1.BDAY:1912-06-23", "3.0", AnnualDate(6, 23, 1912)),
        ("BDAY:19800322", "2.1", AnnualDate(3, 22, 1980)),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-07", "3.0", AnnualDate(4, 7)),
        ("BDAY:1604-04-07", "3.0", AnnualDate(4, 7)),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "3.0", AnnualDate(2, 29)),
        ("BDAY;X-APPLE-OMIT-YEAR=1800:1800-02-28", "3.0", AnnualDate(2, 28)),
        ("BDAY;VALUE=text:2016-08-01\r\nBDAY;ALTID=1:20160802", "4.0", AnnualDate(8, 2, 2016)),
        ("BDAY:1980-\r\n 03-22", "3.0", AnnualDate(3, 22, 1980)),
        ("BDAY:", "3.0", None),
    ),
)
def test_birthdays(line: str, version: str, meant: AnnualDate | None) -> None:
    assert values(line, version=version).get("birthday") == meant


@pytest.mark.parametrize(
    "line",
    (
        "BDAY;VALUE=text:circa 1800",
        "BDAY:19723101",
        "BDAY:foo",
        "BDAY:19000229",
        "BDAY:---12",
        "BDAY:1985-04",
    ),
)
def test_birthdays_that_are_none(line: str) -> None:
    people = read(card("N:Doe;Jo", "EMAIL:jo@example.com", line))
    assert problems_of(people) == [(1, "birthday")]


@pytest.mark.parametrize(
    "line",
    (
        "ANNIVERSARY:20190201T1430-0500",
        "X-ANNIVERSARY:2019-02-01",
        "X-MS-ANNIVERSARY:20190201",
        "X-EVOLUTION-ANNIVERSARY:2019-02-01",
        "item1.X-ABDATE:2019-02-01\r\nitem1.X-ABLabel:_$!<Anniversary>!$_",
    ),
)
def test_anniversaries_are_weddings_unless_the_options_say_so(line: str) -> None:
    assert values(line)["anniversary"] == date(2019, 2, 1)
    people = read(card("N:Doe;Jo", "EMAIL:jo@example.com", line), options=ReadOptions())
    assert "anniversary" not in people.rows[0].values
    assert [(warning.line, warning.field) for warning in people.warnings] == [(1, "anniversary")]


def test_our_own_anniversary_needs_no_option() -> None:
    people = read(
        card("N:Doe;Jo", "EMAIL:jo@example.com", "X-WORK-ANNIVERSARY:2019-02-01"), options=ReadOptions()
    )
    assert (people.rows[0].values["anniversary"], people.warnings) == (date(2019, 2, 1), [])


@pytest.mark.parametrize("label", ("", "\r\nitem2.X-ABLabel:_$!<Anniversary>!$_", "\r\nitem1.X-ABLabel:Exam"))
def test_a_date_without_that_label_is_no_anniversary(label: str) -> None:
    assert "anniversary" not in values(f"item1.X-ABDATE:1776-07-04{label}")


def test_a_date_without_any_label_is_told() -> None:
    people = read(card("N:Doe;Jo", "EMAIL:jo@example.com", "X-ABDATE:1776-07-04"))
    assert "anniversary" not in people.rows[0].values
    assert [one.reason for one in people.warnings] == ["A date that has no label was left out."]


def test_version_2_1_has_bare_parameters_and_quoted_printable() -> None:
    text = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\n"
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=\r\n=B6rg;;;\r\n"
        "EMAIL;HOME:home@example.com\r\nEMAIL;PREF;INTERNET:work@example.com\r\n"
        "NOTE;ENCODING=QUOTED-PRINTABLE:first=0D=0A=\r\nBDAY:1999-09-09=\r\nEND:VCARD\r\n"
        "PHOTO;ENCODING=BASE64;TYPE=JPEG:\r\n /9j/4AAQ\r\n\r\nBDAY:19800322\r\nEND:VCARD\r\n"
    )
    people = read(text)
    told = people.rows[0].values
    assert (told["first_name"], told["last_name"]) == ("Jörg", "Müller")
    assert (told["email"], told["birthday"]) == ("work@example.com", AnnualDate(3, 22, 1980))


@pytest.mark.parametrize(
    ("lines", "chosen"),
    (
        (("EMAIL:a@example.com", "EMAIL;TYPE=INTERNET,pref:b@example.com"), "b@example.com"),
        (("EMAIL;type=HOME:a@example.com", "item1.EMAIL;type=WORK;type=pref:b@example.com"), "b@example.com"),
        (("EMAIL;PREF=2:a@example.com", "EMAIL;PREF=1:b@example.com"), "b@example.com"),
        (("EMAIL;TYPE=home:a@example.com", "EMAIL:b@example.com"), "a@example.com"),
    ),
)
def test_of_several_addresses_the_preferred_one(lines: tuple[str, str], chosen: str) -> None:
    people = read(card("N:Doe;Jo", *lines))
    assert people.rows[0].values["email"] == chosen
    assert [warning.field for warning in people.warnings] == ["email"]


def test_escapes_and_charsets() -> None:
    people = read(card("N;CHARSET=UTF-8:Doe\\, Sr.;Jo\\;Ann", 'EMAIL;X-A="x;y:z":jo@example.com'))
    told = people.rows[0].values
    assert (told["last_name"], told["first_name"], told["email"]) == ("Doe, Sr.", "Jo;Ann", "jo@example.com")


def test_a_card_in_windows_1252() -> None:
    people = read_all(
        card("N:Müller;Jörg", "EMAIL:joerg@example.com", version="2.1").encode("cp1252"), AS_WORK
    )
    assert people.rows[0].values["last_name"] == "Müller"
    assert people.file.recognised.encoding == "windows-1252"


def test_a_name_told_as_a_whole_is_split_and_told() -> None:
    people = read(
        card("FN:Jo Ann Doe", "EMAIL:jo@example.com"), card("FN:Plato", "N:;;;;", "EMAIL:p@example.com")
    )
    told = [(row.values["first_name"], row.values.get("last_name")) for row in people.rows]
    assert told == [("Jo Ann", "Doe"), ("Plato", None)]
    assert [(one.line, one.field) for one in people.warnings] == [(1, "last_name")]


def test_zones_are_taken_by_name_only() -> None:
    assert values("TZ:Asia/Tokyo", version="4.0")["timezone"] == "Asia/Tokyo"
    people = read(card("N:Doe;Jo", "EMAIL:jo@example.com", "TZ:-0500"))
    assert people.rows[0].values["timezone"] == "UTC"
    assert [warning.field for warning in people.warnings] == ["timezone"]


def test_who_has_died_and_who_is_no_person_is_left_out() -> None:
    people = read(
        card("N:Doe;Jo", "EMAIL:jo@example.com", "DEATHDATE:19960415", version="4.0"),
        card("FN:Staff", "KIND:group", "EMAIL:staff@example.com", version="4.0"),
        card("N:Poe;Al", "EMAIL:al@example.com", "KIND:individual", version="4.0"),
    )
    assert [row.line for row in people.rows] == [13]
    assert problems_of(people) == [(1, None), (7, None)]


def test_cards_inside_cards_are_passed_over() -> None:
    inner = card("N:In;Ner", "EMAIL:inner@example.com", "BDAY:19900101")
    people = read(card("N:Doe;Jo", "AGENT:", inner.strip(), "EMAIL:jo@example.com"))
    assert [row.values["email"] for row in people.rows] == ["jo@example.com"]
    assert "birthday" not in people.rows[0].values


def test_one_bad_card_does_not_hide_the_others() -> None:
    good = card("N:Doe;Jo", "EMAIL:jo@example.com")
    for bad in (
        "EMAIL",
        "EMAIL;",
        "EMAIL;=:x",
        'BDAY;X=":',
        "FN:" + "x" * 20_000,
        "FN;CHARSET=nonsense;ENCODING=QUOTED-PRINTABLE:=FF",
    ):
        people = read(card(bad), good)
        assert [row.values["email"] for row in people.rows] == ["jo@example.com"]
        assert people.problems


def test_a_file_that_ends_inside_a_card() -> None:
    with pytest.raises(NotAPeopleFile, match="line 5"):
        read(card("N:Doe;Jo", version="3.0")[:-2] + "\r\nBEGIN:VCARD\r\nN:Poe;Al\r\n")


parts = st.sampled_from(
    (
        "BEGIN:VCARD",
        "END:VCARD",
        "VERSION:2.1",
        "N:",
        "EMAIL",
        ";PREF",
        ";TYPE=",
        ":",
        "=",
        "\r\n",
        "\n ",
        '"',
        "\\",
        "BDAY",
        "--0229",
        "jo@example.com",
        "ENCODING=QUOTED-PRINTABLE",
        ";CHARSET=",
        "item1.",
        "X-ABDATE",
        "é",
    )
)


@given(text=st.lists(parts, max_size=30).map("".join), data=st.binary(max_size=60))
def test_any_text_in_a_card_is_used_or_told(text: str, data: bytes) -> None:
    try:
        people = read_all(b"BEGIN:VCARD\r\n" + text.encode() + data + b"\r\nEND:VCARD\r\n", AS_WORK)
    except NotAPeopleFile:
        return
    assert people.lines == len({*(row.line for row in people.rows), *(one.line for one in people.problems)})
