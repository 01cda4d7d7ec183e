"""People as vCards 2.1, 3.0 and 4.0, as address books write them."""

import io
import quopri
import re
from collections.abc import Iterator, Mapping, Sequence

import attrs
from icalendar.parser import Contentline, split_on_unescaped_semicolon, unescape_backslash

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
from domain.due import zone_names

_FIELDS: Mapping[str, str] = {
    "ANNIVERSARY": PRIVATE_ANNIVERSARY,
    "X-ANNIVERSARY": PRIVATE_ANNIVERSARY,
    "X-MS-ANNIVERSARY": PRIVATE_ANNIVERSARY,
    "X-EVOLUTION-ANNIVERSARY": PRIVATE_ANNIVERSARY,
    "X-WORK-ANNIVERSARY": "anniversary",
}
_READ = frozenset({"N", "FN", "EMAIL", "BDAY", "TZ", "KIND", "DEATHDATE", "X-ABDATE", "X-ABLABEL", *_FIELDS})
_NAME = re.compile(r"\s*(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9-]+)\s*[;:]")
_ENCODINGS = frozenset({"QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT"})
_LINE_LENGTH_MAX = 10_000
_PROPERTIES_MAX = 200
_APPLE_ANNIVERSARY = "_$!<Anniversary>!$_"


@attrs.frozen
class _Property:
    group: str
    parameters: Mapping[str, str]
    value: str


_Card = Mapping[str, Sequence[_Property]]


class _Unreadable(Exception):
    """A line of a card is not one."""


def is_vcard(text: str) -> bool:
    return text.lstrip()[:11].upper() == "BEGIN:VCARD"


def read_vcards(text: str, encoding: str, options: ReadOptions) -> PeopleFile:
    """Look through the whole file once. Raises NotAPeopleFile if it ends inside a card."""
    cards = 0
    warnings: list[RowProblem] = []
    for line, lines in _cards(text):
        cards += 1
        if not warnings and not options.anniversaries_are_work and _has_private_anniversary(lines):
            warnings.append(private_anniversaries_left_out(line))
    recognised = Recognised(format="vcard", layout="vcard", encoding=encoding)
    return PeopleFile(recognised, cards, warnings, lambda: _rows(text, options))


def _has_private_anniversary(lines: Sequence[str]) -> bool:
    return any(
        _FIELDS.get(_name(line)) == PRIVATE_ANNIVERSARY
        or (_name(line) == "X-ABLABEL" and _APPLE_ANNIVERSARY in line)
        for line in lines
    )


def _rows(text: str, options: ReadOptions) -> Iterator[Row | BadRow]:
    for line, lines in _cards(text):
        try:
            card = _card(lines)
        except _Unreadable as error:
            yield BadRow(line, [RowProblem(line, None, f"This card cannot be read: {error}.")])
        else:
            yield _row(line, card, options)


def _row(line: int, card: _Card, options: ReadOptions) -> Row | BadRow:
    kind = _text(card, "KIND").lower()
    if kind not in {"", "individual"}:
        return BadRow(line, [RowProblem(line, None, "This card is of a group or a place, not of a person.")])
    if "DEATHDATE" in card:
        reason = "This person has died and is left out; remove them if they are registered."
        return BadRow(line, [RowProblem(line, None, reason)])
    warnings: list[RowProblem] = []
    texts: dict[str, str] = {**_names(card)}
    addresses = card.get("EMAIL", ())
    if addresses:
        texts["email"] = unescape_backslash(min(addresses, key=_preference).value)
    if len(addresses) > 1:
        warnings.append(RowProblem(line, "email", "There are several addresses: one of them is used.", True))
    zone = _text(card, "TZ")
    if zone in zone_names():
        texts["timezone"] = zone
    elif zone:
        warnings.append(
            RowProblem(line, "timezone", "The card tells no IANA time zone: it was left out.", True)
        )
    texts |= _anniversaries(card)
    if _has_date_without_label(card):
        warnings.append(RowProblem(line, None, "A date that has no label was left out.", is_warning=True))
    # A birthday may be told as a text as well, under the same ALTID: the date is the one to take.
    birthdays = sorted(
        card.get("BDAY", ()), key=lambda told: told.parameters.get("VALUE", "").lower() == "text"
    )
    no_year = ""
    if birthdays:
        texts["birthday"] = birthdays[0].value
        no_year = birthdays[0].parameters.get("X-APPLE-OMIT-YEAR", "")
    return row_of(
        line, texts, options, warnings, no_year=int(no_year) if re.fullmatch("[0-9]{4}", no_year) else None
    )


def _names(card: _Card) -> Mapping[str, str]:
    if "N" in card:
        last, first, *_ = [*split_on_unescaped_semicolon(card["N"][0].value), ""]
        if first.strip() or last.strip():
            return {"first_name": first, "last_name": last}
    return {FULL_NAME: _text(card, "FN")}


def _anniversaries(card: _Card) -> Mapping[str, str]:
    texts = {field: card[name][0].value for name, field in _FIELDS.items() if name in card}
    groups = {
        label.group
        for label in card.get("X-ABLABEL", ())
        if unescape_backslash(label.value) == _APPLE_ANNIVERSARY
    }
    labelled = [told.value for told in card.get("X-ABDATE", ()) if told.group and told.group in groups]
    return {PRIVATE_ANNIVERSARY: labelled[0], **texts} if labelled else texts


def _has_date_without_label(card: _Card) -> bool:
    labelled = {label.group for label in card.get("X-ABLABEL", ())}
    return any(told.group not in labelled for told in card.get("X-ABDATE", ()))


def _preference(told: _Property) -> int:
    """Order addresses: vCard 4.0 has PREF=1 to 100, 3.0 TYPE=pref, 2.1 a bare PREF."""
    rank = told.parameters.get("PREF", "")
    if re.fullmatch("[0-9]{1,3}", rank):
        return int(rank)
    return 1 if "PREF" in told.parameters.get("TYPE", "").upper().split(",") else 101


def _text(card: _Card, name: str) -> str:
    return unescape_backslash(card[name][0].value).strip() if name in card else ""


def _cards(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each card's first line and those of its unfolded lines that are read here."""
    begins = depth = 0
    kept: list[str] = []
    for number, line in _unfolded(text):
        word = line.strip().upper()
        if word == "BEGIN:VCARD":
            depth += 1
            if depth == 1:
                begins, kept = number, []
        elif word == "END:VCARD" and depth:
            depth -= 1
            if depth == 0:
                yield begins, kept
        elif depth == 1 and _name(line) in _READ and len(kept) < _PROPERTIES_MAX:
            kept.append(line)
    if depth:
        raise NotAPeopleFile(f"The card that begins in line {begins} does not end.")


def _name(line: str) -> str:
    match = _NAME.match(line)
    return "" if match is None else match[2].upper()


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with the number of its first part; what is long, such as a photograph, is cut off."""
    begins, whole, is_soft = 0, "", False
    for number, raw in enumerate(io.StringIO(text, newline=None), start=1):
        part = raw.rstrip("\n")
        if begins and (is_soft or part[:1] in {" ", "\t"}):
            continued = (whole[:-1] + part) if is_soft else whole + part[1:]
            whole = continued[:_LINE_LENGTH_MAX]
        else:
            if begins:
                yield begins, whole
            begins, whole = number, part[:_LINE_LENGTH_MAX]
        # Quoted-printable, in vCard 2.1, has line breaks of its own.
        is_soft = part.endswith("=") and "QUOTED-PRINTABLE" in whole.partition(":")[0].upper()
        if is_soft and not whole.endswith("="):
            whole += "="
    if begins:
        yield begins, whole


def _card(lines: Sequence[str]) -> _Card:
    card: dict[str, list[_Property]] = {}
    for line in lines:
        if len(line) >= _LINE_LENGTH_MAX:
            raise _Unreadable("a line is too long")
        try:
            name, parameters, value = _content_line(_with_named_parameters(line)).raw_parts()
        except ValueError:
            raise _Unreadable("a line is not 'NAME:value'") from None
        told = {key.upper(): _joined(given) for key, given in parameters.items()}
        group, _, name = name.upper().rpartition(".")
        card.setdefault(name, []).append(_Property(group, told, _decoded(value, told)))
    return card


def _content_line(line: str) -> Contentline:
    return Contentline(line)  # type: ignore[no-untyped-call]  # typed but for what makes one


def _with_named_parameters(line: str) -> str:
    """Write the bare parameters of vCard 2.1, ``TEL;CELL:``, as 3.0 has them, ``TEL;TYPE=CELL:``."""
    end = _content_line(line).value_separator_index()
    if end < 0:
        raise _Unreadable("a line is not 'NAME:value'")
    head, value = line[:end], line[end:]
    if '"' in head:
        return line
    name, *parameters = head.split(";")
    named = [
        one if "=" in one else f"{'ENCODING' if one.upper() in _ENCODINGS else 'TYPE'}={one}"
        for one in parameters
        if one.strip()
    ]
    types = ",".join(one[5:] for one in named if one.upper().startswith("TYPE="))
    others = [one for one in named if not one.upper().startswith("TYPE=")]
    return ";".join([name, *others, *([f"TYPE={types}"] if types else [])]) + value


def _joined(given: str | Sequence[str]) -> str:
    return given if isinstance(given, str) else ",".join(given)


def _decoded(value: str, parameters: Mapping[str, str]) -> str:
    if parameters.get("ENCODING", "").upper() != "QUOTED-PRINTABLE":
        return value
    data = quopri.decodestring(value.encode("utf-8", "replace"))
    charset = parameters.get("CHARSET")
    try:
        return data.decode(charset or "utf-8")
    except (LookupError, ValueError):
        if charset is None:
            return data.decode("windows-1252", "replace")
        raise _Unreadable("its character set is not what it says") from None
