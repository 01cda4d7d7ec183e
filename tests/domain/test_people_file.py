"""A file of people, as people and their programs write it."""

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.people_csv import COLUMNS
from application.people_file import read_people
from application.people_rows import BadRow, NotAPeopleFile, PeopleFile, ReadOptions, Row, RowProblem
from domain.errors import DomainError
from domain.occasion import AnnualDate, LeapDayRule

HEADER = "first_name,last_name,email,timezone,birthday\n"
ADA = "Ada,Lovelace,ada@example.com,Europe/London,1990-12-10\n"
BOB = "Bob,Ross,bob@example.com,America/New_York,--10-29\n"


@attrs.frozen
class Read:
    """A file that was read to its end."""

    file: PeopleFile
    rows: Sequence[Row]
    problems: Sequence[RowProblem]
    warnings: Sequence[RowProblem]

    @property
    def lines(self) -> int:
        return self.file.lines

    @property
    def ignored_columns(self) -> Sequence[str]:
        return self.file.recognised.ignored_columns


def read_all(data: bytes, options: ReadOptions | None = None) -> Read:
    file = read_people(data, options or ReadOptions())
    rows = list(file.rows())
    assert len(rows) == file.lines
    good = [row for row in rows if isinstance(row, Row)]
    bad = [problem for row in rows if isinstance(row, BadRow) for problem in row.problems]
    warnings = [*file.warnings, *(warning for row in good for warning in row.warnings)]
    assert all(warning.is_warning for warning in warnings)
    assert not any(problem.is_warning for problem in bad)
    return Read(file, good, bad, warnings)


def read(text: str, *, default_timezone: str | None = None) -> Read:
    return read_all(text.encode(), ReadOptions(default_timezone=default_timezone))


def lines_of(people: Read) -> list[int]:
    return [row.line for row in people.rows]


def problems_of(people: Read) -> list[tuple[int, str | None]]:
    return [(problem.line, problem.field) for problem in people.problems]


def test_a_plain_file() -> None:
    people = read(HEADER + ADA + BOB)
    assert people.problems == []
    assert people.ignored_columns == []
    assert [(row.line, row.email_key) for row in people.rows] == [
        (2, "ada@example.com"),
        (3, "bob@example.com"),
    ]
    assert people.rows[0].values == {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "timezone": "Europe/London",
        "birthday": AnnualDate(12, 10, 1990),
    }
    assert people.rows[1].values["birthday"] == AnnualDate(10, 29)
    assert people.lines == 2


@pytest.mark.parametrize("column", sorted(COLUMNS))
@pytest.mark.parametrize("write", (str, str.upper, str.title, lambda name: f"  {name.replace('_', ' ')} "))
def test_a_column_may_be_called_so(column: str, write: Any) -> None:
    cells = {
        "first_name": ("Ada", "Ada"),
        "last_name": ("Lovelace", "Lovelace"),
        "email": ("ada@example.com", "ada@example.com"),
        "timezone": ("Europe/London", "Europe/London"),
        "birthday": ("1990-12-10", AnnualDate(12, 10, 1990)),
        "anniversary": ("2019-06-01", date(2019, 6, 1)),
        "leap_day_rule": ("mar1", LeapDayRule.MAR1),
        "external_id": ("E 1", "E 1"),
    }
    field = COLUMNS[column]
    if field == "full_name":
        return
    text, value = cells[field]
    also_email = "" if field == "email" else ",email"
    people = read(f"{write(column)}{also_email}\n{text}{',ada@example.com' if also_email else ''}\n")
    assert people.rows[0].values == {field: value} | {"email": "ada@example.com"}


@pytest.mark.parametrize(
    "header",
    (
        "First Name,Last Name,E-mail,Time Zone,Birthday Date,Work Anniversary,Leap Day Rule",
        "firstName,lastName,email,timezone,birthdayDate,anniversaryDate,leapDayRule",
        "first_name,last_name,EMAIL,time_zone,birthday,hire date,leap_day_rule",
        '"first name","last name","e-mail","timezone","birthday","hireDate","leap day rule"',
    ),
)
def test_whole_headers(header: str) -> None:
    people = read(header + "\nAda,Lovelace,ada@example.com,Europe/London,1990-12-10,2019-06-01,feb28\n")
    assert (people.problems, people.ignored_columns) == ([], [])
    assert set(people.rows[0].values) == {
        "first_name",
        "last_name",
        "email",
        "timezone",
        "birthday",
        "anniversary",
        "leap_day_rule",
    }


def test_columns_that_say_nothing_are_told() -> None:
    people = read("email,Shoe size,,first_name\nada@example.com,38,?,Ada\n")
    assert people.ignored_columns == ["Shoe size", ""]
    assert people.rows[0].values == {"email": "ada@example.com", "first_name": "Ada"}


@pytest.mark.parametrize("ending", ("\n", "\r\n", "\r"))
def test_any_end_of_line(ending: str) -> None:
    people = read((HEADER + ADA + "\n" + BOB).replace("\n", ending))
    assert (lines_of(people), people.problems) == ([2, 4], [])


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    people = read_all(b"\xef\xbb\xbf" + (HEADER + ADA).encode())
    assert people.rows[0].values["first_name"] == "Ada"
    assert people.ignored_columns == []


@pytest.mark.parametrize(
    ("data", "said"),
    (
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"first_name,last_name\nAda,Lovelace\n", "'email'"),
        (b"Vorname;Nachname\nAda;Lovelace\n", "'email'"),
        (b"email,first_name,E-Mail\n", "More than one column holds email"),
        (b"email,hire_date,anniversary,birthday,Birthday Date\n", "anniversary, birthday"),
        (b"email,first_name\nada@example.com,Jos\x81\n", r"neither UTF-8 nor Windows-1252 \(byte 36\)"),
        (b"\xff\xfee", r"not utf-16 \(byte"),
        (b"email\n\0", "not text"),
        (b"email\n" + b"x" * 300_000, "Line 2 is longer"),
        (b"email" + b"," * 1000, "too long"),
        (b"email" + b" " * 70_000 + b"\nada@example.com\n", "too long"),
        (
            b"email,birthday\na@b.com,3/22/1980\nb@b.com,22/3/1980\n",
            "first in line 3 and the month first in line 2",
        ),
        (b'email,"first\n', "not CSV"),
        (b'email,"first"name\n', "not CSV"),
        (b'["vcard", [["version", {}, "text", "4.0"]]]', "JSON"),
        (b'<?xml version="1.0"?>\n<vcards/>', "XML or HTML"),
        (b" <table><tr><td>email</td></tr></table>", "XML or HTML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not text"),
        (
            gzip.compress(b"email,first_name\nada@example.com,Ada\n", mtime=0),
            "compressed with gzip: unpack it",
        ),
        (b"PK\x03\x04\x14\0xl/workbook.xml", "workbook: save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "old workbook"),
        (b"%PDF-1.7\n%", "PDF"),
    ),
)
def test_what_is_no_file_of_people(data: bytes, said: str) -> None:
    with pytest.raises(NotAPeopleFile, match=said) as refused:
        read_people(data)
    assert isinstance(refused.value, DomainError)


def test_the_line_is_where_a_row_begins() -> None:
    """Counted in the file as an editor shows it: rows may go over several lines, others are empty."""
    text = (
        "email,first_name,notes\n"
        'one@example.com,One,"a note\nof three\nlines"\n'
        "\n"
        "five@example.com,,\n"
        "   ,  ,\n"
        'eight@example.com,"Ei\nght",\n'
        "ten@example.com,Ten,\n"
    )
    people = read(text)
    assert lines_of(people) == [2, 6, 10]
    assert problems_of(people) == [(8, "first_name")]
    assert people.lines == 4


def test_a_note_over_several_lines_is_no_harm_and_a_name_over_several_is() -> None:
    people = read('email,first_name\nada@example.com,"Ada\r\nBcc: victim@example.com"\n')
    assert problems_of(people) == [(2, "first_name")]
    assert "victim" not in people.problems[0].reason


def test_the_same_address_twice_is_told_with_the_first_line() -> None:
    text = "email,first_name\nada@example.com,Ada\nbob@example.com,Bob\nADA@Example.com,Ida\n"
    people = read(text)
    assert lines_of(people) == [2, 3]
    assert people.problems == [RowProblem(4, "email", "The same address as in line 2.")]


def test_a_row_that_was_left_out_does_not_take_the_address() -> None:
    people = read("email,birthday\nada@example.com,soon\nada@example.com,1990-12-10\n")
    assert (lines_of(people), problems_of(people)) == ([3], [(2, "birthday")])


def test_too_many_cells_are_a_sign_of_a_comma_in_a_name() -> None:
    people = read("email,first_name\nada@example.com,Lovelace, Ada\nbob@example.com\n")
    assert people.problems == [RowProblem(2, None, "3 cells, but the first line names 2 columns.")]
    assert people.rows[0].values == {"email": "bob@example.com"}


def test_rows_without_an_address_are_told_with_all_that_is_wrong() -> None:
    people = read(HEADER + "Ada,Lovelace,,Mars,1990-02-30\n")
    assert sorted(problems_of(people), key=str) == [(2, "birthday"), (2, "email"), (2, "timezone")]
    assert people.lines == 1


def test_empty_cells_tell_nothing() -> None:
    people = read(HEADER + " , ,ada@example.com,  ,\n")
    assert people.rows[0].values == {"email": "ada@example.com"}


def test_a_zone_for_all_who_have_none() -> None:
    people = read(HEADER + "Ada,Lovelace,ada@example.com,,\n" + BOB, default_timezone="Asia/Tokyo")
    assert [row.values["timezone"] for row in people.rows] == ["Asia/Tokyo", "America/New_York"]
    people = read("email\nada@example.com\n", default_timezone="Local")
    assert problems_of(people) == [(2, "timezone")]


def test_a_broken_row_does_not_hide_the_next_ones() -> None:
    people = read(HEADER + '"Ada"x,Lovelace,ada@example.com,Europe/London,\n' + BOB)
    assert (lines_of(people), problems_of(people)) == ([3], [(2, None)])


def test_a_quote_that_never_ends() -> None:
    people = read(HEADER + ADA + '"Bob,Ross,bob@example.com\n' + BOB)
    assert (lines_of(people), problems_of(people)) == ([2], [(3, None)])


def test_a_cell_as_long_as_a_book() -> None:
    people = read(HEADER + f"Ada,{'x' * 200_000},ada@example.com,Europe/London,\n" + BOB)
    assert (lines_of(people), problems_of(people)) == ([3], [(2, None)])


def test_only_a_header_is_a_file_of_nobody() -> None:
    people = read(HEADER)
    assert (people.rows, people.problems, people.lines) == ([], [], 0)


def test_formulas_and_typographic_apostrophes_are_names() -> None:
    people = read(
        HEADER + '"=HYPERLINK(""http://evil.example"")",O\u2019Brien,ada@example.com,Europe/London,\n'
    )
    assert people.rows[0].values["first_name"] == '=HYPERLINK("http://evil.example")'
    assert people.rows[0].values["last_name"] == "O\u2019Brien"


def test_reasons_name_no_one() -> None:
    people = read(
        HEADER
        + "Ada,Secretname,secret-address,Secret/Zone,secret-day\n"
        + f"Secret{'x' * 200},Secretname,a@example.com,UTC,\n"
    )
    assert len(people.problems) == 4
    assert "secret" not in " ".join(problem.reason for problem in people.problems).lower()


cells = st.text(st.sampled_from('ab @."\n\r,;=é'), max_size=8)


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 40).map(lambda number: f"p{number}@example.com"), cells, cells), max_size=12
    )
)
def test_any_rows_are_each_used_or_told(rows: Sequence[tuple[str, str, str]]) -> None:
    """Against a count of lines of our own, for whatever quotes and line breaks a cell holds."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["email", "first_name", "notes"])
    begins: list[int] = []
    for row in rows:
        begins.append(len(written.getvalue().splitlines()) + 1)
        writer.writerow(row)
    people = read(written.getvalue())
    assert sorted({*lines_of(people), *(line for line, _ in problems_of(people))}) == begins
    assert people.lines == len(rows)
    by_line: Mapping[int, str] = dict(zip(begins, (row[0] for row in rows), strict=True))
    assert all(by_line[row.line] == row.values["email"] for row in people.rows)
    assert len({row.email_key for row in people.rows}) == len(people.rows)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for content in (data, b"email,first_name\n" + data):
        try:
            people = read_all(content)
        except NotAPeopleFile:
            continue
        assert people.lines >= len(people.rows)
