"""What a file of people tells, whatever its format: rows that can be used, and the problems of the others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from domain.email import email_key
from domain.errors import DomainError, InvalidField, InvalidFields
from domain.user import tell
from domain.written_dates import AS_WRITTEN, DateOrder, DateReading, read_date

PRIVATE_ANNIVERSARY = "private_anniversary"
"""An anniversary of an address book, which is a wedding (RFC 6350, 6.2.6) unless the options say otherwise."""
FULL_NAME = "full_name"
"""A name that is not told in parts."""

_SEVERAL = ":::"
"""How Google writes several values into one cell."""
_FORMULA_MARKS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula, in either width."""


class NotAPeopleFile(DomainError):
    """The file cannot be read as people at all; the text says why."""


@attrs.frozen
class RowProblem:
    """Why a row was left out, or (*is_warning*) what somebody should look at; the reason names no one.

    *line* is the one on which the row begins, counted from 1, the header included.
    """

    line: int
    field: str | None
    reason: str
    is_warning: bool = False


@attrs.frozen
class Row:
    """What one row tells: values by the names of Particulars, empty cells left out."""

    line: int
    email_key: str
    values: Mapping[str, Any]
    warnings: Sequence[RowProblem] = ()

    @property
    def external_id(self) -> str | None:
        told: str | None = self.values.get("external_id")
        return told


@attrs.frozen
class BadRow:
    """A row that cannot be used, and all that is wrong with it."""

    line: int
    problems: Sequence[RowProblem]


@attrs.frozen(kw_only=True)
class ReadOptions:
    """What the file itself does not tell.

    *encoding* is recognised where it is None. With *anniversaries_are_work* the anniversaries of an address
    book are taken as first days at work.
    """

    default_timezone: str | None = None
    encoding: str | None = None
    dates: DateReading = AS_WRITTEN
    anniversaries_are_work: bool = False


@attrs.frozen(kw_only=True)
class Recognised:
    """What the file was taken for. *columns* holds the field that each column was read as."""

    format: str
    layout: str
    encoding: str
    delimiter: str | None = None
    date_order: DateOrder | None = None
    columns: Mapping[str, str] = attrs.field(factory=dict)
    ignored_columns: Sequence[str] = ()


@attrs.frozen
class PeopleFile:
    """A file of people. It is read row by row, as often as it is asked for, so that no copy of it is held.

    *lines* counts the rows that tell something; *warnings* are about the file as a whole.
    """

    recognised: Recognised
    lines: int
    warnings: Sequence[RowProblem]
    _read: Callable[[], Iterator[Row | BadRow]]

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield each row in order; what repeats an address or an id of an earlier one is a bad row."""
        first_lines: dict[tuple[str, str], int] = {}
        for row in self._read():
            repeated = None if isinstance(row, BadRow) else _repeated(row, first_lines)
            yield row if repeated is None else BadRow(row.line, [repeated])


def _repeated(row: Row, first_lines: dict[tuple[str, str], int]) -> RowProblem | None:
    keys = [("email", row.email_key)]
    if row.external_id is not None:
        keys.append(("external_id", row.external_id))
    for name, key in keys:
        first = first_lines.get((name, key))
        if first is not None:
            what = "address" if name == "email" else "id"
            return RowProblem(row.line, name, f"The same {what} as in line {first}.")
    first_lines.update((key, row.line) for key in keys)
    return None


def row_of(
    line: int,
    texts: Mapping[str, str],
    options: ReadOptions,
    warnings: Sequence[RowProblem] = (),
    *,
    no_year: int | None = None,
) -> Row | BadRow:
    """Return what *texts*, by field, come to. *no_year* stands for none in its birthday."""
    telling = _Telling(line, options, no_year, list(warnings))
    raw: dict[str, str | None] = {}
    problems: list[RowProblem] = []
    for name, text in texts.items():
        value = _undefused(text.strip())
        if value:
            try:
                raw |= telling.told(name, value)
            except InvalidField as problem:
                problems.append(RowProblem(line, problem.field, problem.reason))
    raw.setdefault("email", None)  # the one field that may not be empty: everybody has one
    if options.default_timezone is not None:
        raw.setdefault("timezone", options.default_timezone)
    try:
        values = tell(raw)
    except InvalidFields as invalid:
        problems.extend(RowProblem(line, problem.field, problem.reason) for problem in invalid.problems)
    if problems:
        order = {name: number for number, name in enumerate(texts)}
        return BadRow(line, sorted(problems, key=lambda one: order.get(one.field or "", 0)))
    return Row(line, email_key(str(values["email"])), values, telling.warnings)


def defused(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: a quote before it makes it text.

    One that a quote stands before already gets another, so that reading it gives back what it was.
    """
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA_MARKS) else cell


def _undefused(cell: str) -> str:
    is_defused = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_MARKS)
    return cell[1:] if is_defused else cell


@attrs.frozen
class _Telling:
    """How the texts of one row become what ``domain.user.tell`` reads."""

    line: int
    options: ReadOptions
    no_year: int | None
    warnings: list[RowProblem]

    def told(self, name: str, text: str) -> Mapping[str, str]:
        if name == "email":
            return {name: self._first_of_several(text)}
        if name == FULL_NAME:
            return self._split_name(text)
        if name == "birthday":
            return self._date(name, text, self.no_year)
        if name == "anniversary":
            return self._date(name, text, None)
        if name == PRIVATE_ANNIVERSARY:
            return self._date("anniversary", text, None) if self.options.anniversaries_are_work else {}
        return {name: text}

    def _first_of_several(self, text: str) -> str:
        first, mark, _ = text.partition(_SEVERAL)
        if mark:
            self._warn("email", "There are several addresses: the first is used.")
        return first.strip()

    def _split_name(self, name: str) -> Mapping[str, str]:
        first, _, last = name.rpartition(" ")
        if not first:
            return {"first_name": last}
        self._warn("last_name", "The name was told as a whole and split at its last blank.")
        return {"first_name": first.strip(), "last_name": last}

    def _date(self, field: str, text: str, no_year: int | None) -> Mapping[str, str]:
        written = read_date(text, field, self.options.dates, no_year=no_year)
        if written is None:
            return {}
        if written.doubt is not None:
            self._warn(field, written.doubt)
        return {field: str(written.annual)}

    def _warn(self, field: str, reason: str) -> None:
        self.warnings.append(RowProblem(self.line, field, reason, is_warning=True))


def private_anniversaries_left_out(line: int) -> RowProblem:
    return RowProblem(
        line,
        "anniversary",
        "The anniversaries of an address book are mostly weddings and were left out; an option takes them as "
        "first days at work.",
        is_warning=True,
    )
