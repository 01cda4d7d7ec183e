"""People as CSV, in whatever layout a program wrote it: delimiter, columns and order of dates are recognised."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence

import attrs

from application.people_rows import (
    FULL_NAME,
    PRIVATE_ANNIVERSARY,
    BadRow,
    NotAPeopleFile,
    PeopleFile,
    ReadOptions,
    Recognised,
    Row,
    RowProblem,
    private_anniversaries_left_out,
    row_of,
)
from domain.written_dates import DateOrder, order_proven_by

_NAMES: Mapping[str, Sequence[str]] = {
    "first_name": ("first_name", "firstname", "given_name", "vorname"),
    "last_name": ("last_name", "lastname", "surname", "family_name", "nachname", "familienname"),
    FULL_NAME: ("name", "full_name", "fullname", "display_name"),
    "email": ("email", "e_mail", "email_address", "e_mail_address", "e_mail_1_value", "e_mail_adresse"),
    "timezone": ("timezone", "time_zone", "zeitzone"),
    "birthday": (
        *("birthday", "birthday_date", "birthdaydate", "birthdate", "birth_date", "date_of_birth"),
        *("geburtstag", "geburtsdatum"),
    ),
    "anniversary": (
        *("anniversary", "anniversary_date", "anniversarydate", "work_anniversary"),
        *("hire_date", "hiredate", "start_date", "eintritt", "eintrittsdatum"),
    ),
    "leap_day_rule": ("leap_day_rule", "leapdayrule"),
    "external_id": ("external_id", "externalid", "employee_id", "employee_number", "personalnummer"),
}
COLUMNS: Mapping[str, str] = {name: field for field, names in _NAMES.items() for name in names}
"""Header names that are understood, in lower case, with an underscore for blanks and hyphens."""

_GERMAN = frozenset({"vorname", "nachname", "geburtstag", "geburtsdatum", "eintritt", "eintrittsdatum"})
_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r"\"?sep=([,;|\t])\"?\r?\n", re.IGNORECASE)
"""What Excel takes for the delimiter, in a line before the header."""
_EVENT = re.compile(r"event_(\d+)_(label|type|value)")
_WORK_EVENTS = frozenset({"work_anniversary", "hire_date", "start_date"})
_HEADER_LENGTH_MAX = 65_536
_COLUMNS_MAX = 1000
_LINE_LENGTH_MAX = 262_144
_IGNORED_TOLD_MAX = 100
_NAME_TOLD_LENGTH_MAX = 80


@attrs.frozen(kw_only=True)
class _Layout:
    """What the header says: each column's name and field, None for those that say nothing.

    *events* has, by the column of an event's label, the column of its date.
    """

    name: str
    delimiter: str
    lines_before: int
    header: Sequence[str]
    fields: Sequence[str | None]
    events: Mapping[int, int]
    date_order: DateOrder | None


def read_csv(text: str, encoding: str, options: ReadOptions) -> PeopleFile:
    """Recognise the layout and look through the whole file once. Raises NotAPeopleFile."""
    layout = _layout(text)
    if options.dates.order is None:
        options = attrs.evolve(options, dates=attrs.evolve(options.dates, order=layout.date_order))
    lines, warnings = _survey(text, layout, options)
    told = {
        name[:_NAME_TOLD_LENGTH_MAX]: field for name, field in zip(layout.header, layout.fields, strict=True)
    }
    of_events = {layout.header[column] for pair in layout.events.items() for column in pair}
    recognised = Recognised(
        format="csv",
        layout=layout.name,
        encoding=encoding,
        delimiter=layout.delimiter,
        date_order=options.dates.order,
        columns={name: field for name, field in told.items() if field is not None},
        ignored_columns=[name for name, field in told.items() if field is None and name not in of_events][
            :_IGNORED_TOLD_MAX
        ],
    )
    return PeopleFile(recognised, lines, warnings, lambda: _rows(text, layout, options))


def _layout(text: str) -> _Layout:
    separator = _SEPARATOR_LINE.match(text)
    start = text[separator.end() if separator else 0 :][: _HEADER_LENGTH_MAX + 1]
    candidates = [separator[1]] if separator else _DELIMITERS
    headers = [(delimiter, _first_record(start, delimiter)) for delimiter in candidates]
    delimiter, header = max(headers, key=lambda one: (_understood(one[1]), len(one[1])))
    if not header or not (_understood(header) or headers[0][1]):
        what = "not CSV" if start.strip() else "empty"
        raise NotAPeopleFile(f"The file is {what}; its first line must name the columns.")
    names = [_normal(name) for name in header]
    if len("".join(header)) >= _HEADER_LENGTH_MAX - _COLUMNS_MAX or len(header) > _COLUMNS_MAX:
        raise NotAPeopleFile(f"The first line is too long; it may name up to {_COLUMNS_MAX} columns.")
    layout = _layout_name(names)
    fields = [_field(name, layout) for name in names]
    if "first_name" in fields or "last_name" in fields:
        fields = [None if field == FULL_NAME else field for field in fields]
    if "email" not in fields:
        raise NotAPeopleFile("No column is called 'email'; the first line must name the columns.")
    repeated = sorted({field for field in fields if field is not None and fields.count(field) > 1})
    if repeated:
        raise NotAPeopleFile(f"More than one column holds {', '.join(repeated)}; keep one.")
    return _Layout(
        name=layout,
        delimiter=delimiter,
        lines_before=1 if separator else 0,
        header=header,
        fields=fields,
        events=_events(names),
        date_order=_DATE_ORDERS.get(layout),
    )


def _first_record(text: str, delimiter: str) -> Sequence[str]:
    """Return the cells of the header, none if it cannot be read with this delimiter."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), ())
    except csv.Error:
        return ()


def _understood(header: Sequence[str]) -> int:
    return sum(_normal(name) in COLUMNS for name in header)


def _normal(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _layout_name(names: Sequence[str]) -> str:
    if "e_mail_1_value" in names:
        return "google" if "first_name" in names else "google-old"
    if "e_mail_address" in names and "e_mail_2_address" in names:
        return "outlook"
    if set(names) == {"email", "birthday", "hiredate"}:
        return "confetti"
    return "german" if _GERMAN & set(names) else "plain"


_DATE_ORDERS: Mapping[str, DateOrder] = {
    "confetti": DateOrder.MONTH_FIRST,  # its documentation says MM-DD
    "german": DateOrder.DAY_FIRST,
}


def _field(name: str, layout: str) -> str | None:
    if name == "anniversary" and layout == "outlook":
        return PRIVATE_ANNIVERSARY
    return COLUMNS.get(name)


def _events(names: Sequence[str]) -> Mapping[int, int]:
    labels: dict[str, int] = {}
    dates: dict[str, int] = {}
    for column, name in enumerate(names):
        if match := _EVENT.fullmatch(name):
            (dates if match[2] == "value" else labels)[match[1]] = column
    return {labels[number]: dates[number] for number in labels.keys() & dates.keys()}


def _survey(text: str, layout: _Layout, options: ReadOptions) -> tuple[int, Sequence[RowProblem]]:
    """Count the rows, and see what only the whole file shows: dates of both orders, private anniversaries."""
    lines = 0
    warnings: list[RowProblem] = []
    proven: dict[DateOrder, int] = {}
    for line, cells in _records(text, layout):
        lines += 1
        if isinstance(cells, RowProblem):
            continue
        texts = _texts(cells, layout)
        if PRIVATE_ANNIVERSARY in texts and not options.anniversaries_are_work and not warnings:
            warnings.append(private_anniversaries_left_out(line))
        for field in ("birthday", "anniversary", PRIVATE_ANNIVERSARY):
            order = order_proven_by(texts.get(field, ""))
            if order is not None:
                proven.setdefault(order, line)
    if options.dates.order is None and len(proven) > 1:
        raise NotAPeopleFile(
            f"Dates have the day first in line {proven[DateOrder.DAY_FIRST]} and the month first in line "
            f"{proven[DateOrder.MONTH_FIRST]}: say which order holds, or write them as 1990-12-31."
        )
    return lines, warnings


def _rows(text: str, layout: _Layout, options: ReadOptions) -> Iterator[Row | BadRow]:
    for line, cells in _records(text, layout):
        if isinstance(cells, RowProblem):
            yield BadRow(line, [cells])
        elif len(cells) > len(layout.header):
            reason = f"{len(cells)} cells, but the first line names {len(layout.header)} columns."
            yield BadRow(line, [RowProblem(line, None, reason)])
        else:
            yield row_of(line, _texts(cells, layout), options)


def _records(text: str, layout: _Layout) -> Iterator[tuple[int, Sequence[str] | RowProblem]]:
    """Yield each record after the header with the line on which it begins, empty ones left out."""
    source = _lines(text)
    for _ in range(layout.lines_before):
        next(source)
    records = csv.reader(source, delimiter=layout.delimiter, strict=True)
    next(records)
    while True:
        line = layout.lines_before + records.line_num + 1
        try:
            cells = next(records, None)
        except csv.Error as error:
            yield line, RowProblem(line, None, f"This is not CSV: {error}.")
            continue
        if cells is None:
            return
        if any(cell and not cell.isspace() for cell in cells):
            yield line, cells


def _lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > _LINE_LENGTH_MAX:
            raise NotAPeopleFile(f"Line {number} is longer than {_LINE_LENGTH_MAX} characters.")
        yield line


def _texts(cells: Sequence[str], layout: _Layout) -> Mapping[str, str]:
    texts = {
        field: cell
        for field, cell in zip(layout.fields, cells, strict=False)
        if field is not None and cell and not cell.isspace()
    }
    for label, column in layout.events.items():
        if column < len(cells) and cells[column].strip():
            name = _normal(cells[label].strip().lstrip("*"))
            if name in _WORK_EVENTS:
                texts.setdefault("anniversary", cells[column])
            elif name == "anniversary":
                texts.setdefault(PRIVATE_ANNIVERSARY, cells[column])
    return texts
