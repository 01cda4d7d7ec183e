"""A file of people, as CSV, read into what each row tells."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from domain.errors import DomainError, InvalidFields
from domain.user import email_key, tell

COLUMNS: Mapping[str, str] = {
    "first_name": "first_name",
    "firstname": "first_name",
    "last_name": "last_name",
    "lastname": "last_name",
    "email": "email",
    "e-mail": "email",
    "timezone": "timezone",
    "time_zone": "timezone",
    "birthday": "birthday",
    "birthday_date": "birthday",
    "birthdaydate": "birthday",
    "anniversary": "anniversary",
    "anniversary_date": "anniversary",
    "anniversarydate": "anniversary",
    "work_anniversary": "anniversary",
    "hire_date": "anniversary",
    "hiredate": "anniversary",
    "leap_day_rule": "leap_day_rule",
    "leapdayrule": "leap_day_rule",
}
"""Header names that are understood, in lower case with blanks as underscores."""


class NotAPeopleFile(DomainError):
    """The file cannot be read as people at all; the text says why."""


@attrs.frozen
class RowProblem:
    """Why a row was left out; *line* counts from 1, the header included. The reason names no one."""

    line: int
    field: str | None
    reason: str


@attrs.frozen
class Row:
    """What one row tells: values by the names of Particulars, empty cells left out."""

    line: int
    email_key: str
    values: Mapping[str, Any]


@attrs.frozen
class PeopleFile:
    """The rows that can be used, in order, and the problems of the others."""

    rows: Sequence[Row]
    problems: Sequence[RowProblem]
    ignored_columns: Sequence[str]

    @property
    def lines(self) -> int:
        return len(self.rows) + len({problem.line for problem in self.problems})


def read_people(data: bytes, *, default_timezone: str | None = None) -> PeopleFile:
    """Read UTF-8 CSV with a header line. Raises NotAPeopleFile."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotAPeopleFile(
            f"The file is not UTF-8 (byte {error.start}); save it as 'CSV UTF-8' and try again."
        ) from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, None)
    except csv.Error as error:
        raise NotAPeopleFile(f"The first line is not CSV: {error}.") from None
    if not header:
        raise NotAPeopleFile("The file is empty; its first line must name the columns.")
    names = [COLUMNS.get(cell.strip().lower().replace(" ", "_")) for cell in header]
    if "email" not in names:
        raise NotAPeopleFile("No column is called 'email'; the first line must name the columns.")
    repeated = {name for name in names if name is not None and names.count(name) > 1}
    if repeated:
        raise NotAPeopleFile(f"More than one column holds {', '.join(sorted(repeated))}; keep one.")
    ignored = [cell for cell, name in zip(header, names, strict=True) if name is None]
    rows: list[Row] = []
    problems: list[RowProblem] = []
    first_lines: dict[str, int] = {}
    for line, read in _records(lines, names, default_timezone):
        if isinstance(read, list):
            problems.extend(read)
            continue
        key = email_key(str(read["email"]))
        if key in first_lines:
            problems.append(RowProblem(line, "email", f"The same address as in line {first_lines[key]}."))
            continue
        first_lines[key] = line
        rows.append(Row(line, key, read))
    return PeopleFile(rows, problems, ignored)


def _records(
    lines: Any, names: Sequence[str | None], default_timezone: str | None
) -> Iterator[tuple[int, Mapping[str, Any] | list[RowProblem]]]:
    """Yield each record's first line with what it tells, or with its problems."""
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            yield line, [RowProblem(line, None, f"This is not CSV: {error}.")]
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        yield line, _told(line, cells, names, default_timezone)


def _told(
    line: int, cells: Sequence[str], names: Sequence[str | None], default_timezone: str | None
) -> Mapping[str, Any] | list[RowProblem]:
    if len(cells) > len(names):
        return [RowProblem(line, None, f"{len(cells)} cells, but the first line names {len(names)} columns.")]
    raw: dict[str, str | None] = {
        name: cell.strip()
        for name, cell in zip(names, cells, strict=False)
        if name is not None and cell.strip()
    }
    raw.setdefault("email", None)  # the one cell that may not be empty: a row is known by it
    if default_timezone is not None:
        raw.setdefault("timezone", default_timezone)
    try:
        return tell(raw)
    except InvalidFields as invalid:
        return [RowProblem(line, problem.field, problem.reason) for problem in invalid.problems]
