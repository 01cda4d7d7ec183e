"""What is told of a person, as texts, and what a user holds of it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import attrs

from domain.due import zone
from domain.email import clean_address, composed
from domain.errors import InvalidField, InvalidFields
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import Particulars, User, refuse_future_birthday

OPTED_OUT = "opted_out"
"""The name of what a person wants no messages of."""
_KEPT_AS = {"email": clean_address, "first_name": composed, "last_name": composed, "external_id": composed}


def tell(raw: Mapping[str, str | None], now: datetime | None = None) -> Mapping[str, Any]:
    """Return the values of *raw*, texts by the names of Particulars and OPTED_OUT, as a user holds them.

    None stands for a value that is taken back. Kinds have blanks between. Raises InvalidFields with every
    problem there is, a birthday after *now* included where that is given.
    """
    values: dict[str, Any] = {}
    problems: list[InvalidField] = []
    for name, text in raw.items():
        try:
            values[name] = _told_value(name, text)
            if name == "birthday" and now is not None:
                refuse_future_birthday(values[name], now)
        except InvalidField as problem:
            problems.append(problem)
    if problems:
        raise InvalidFields(problems)
    return values


def told(values: Mapping[str, Any]) -> Particulars:
    """Return the particulars of a new person; raises InvalidFields for those that are missing."""
    missing = [
        InvalidField(field.name, "This is needed.")
        for field in attrs.fields(Particulars)
        if field.default is attrs.NOTHING and values.get(field.name) is None
    ]
    if missing:
        raise InvalidFields(missing)
    return Particulars(**{name: value for name, value in values.items() if name != OPTED_OUT})


def _told_value(name: str, text: str | None) -> object:
    if name == OPTED_OUT:
        return _kinds(text or "")
    field = attrs.fields_dict(User)[name]
    value: Any = text
    if text is None:
        if field.default is attrs.NOTHING:
            raise InvalidField(name, "This may not be empty.")
        return None
    if name == "birthday":
        value = AnnualDate.parse(text.strip(), field=name)
    elif name == "anniversary":
        value = _full_date(name, text.strip())
    elif name == "leap_day_rule":
        value = _leap_day_rule(name, text)
    elif name == "timezone":
        zone(text)
    elif name in _KEPT_AS:
        value = _KEPT_AS[name](text)
    if field.validator is not None:
        field.validator(None, field, value)
    return value


def _full_date(name: str, text: str) -> date:
    day = AnnualDate.parse(text, field=name).full_date()
    if day is None:
        raise InvalidField(name, "The year is needed here: write the date as 2019-12-31.")
    return day


def _leap_day_rule(name: str, text: str) -> LeapDayRule:
    try:
        return LeapDayRule(text)
    except ValueError:
        raise InvalidField(name, f"Choose one of {', '.join(LeapDayRule)}.") from None


def _kinds(text: str) -> frozenset[Kind]:
    try:
        return frozenset(Kind(word) for word in text.split())
    except ValueError:
        raise InvalidField(OPTED_OUT, f"Choose from {', '.join(Kind)}.") from None
