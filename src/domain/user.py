"""A person who gets messages, and what a change of theirs means for the messages."""

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NewType
from uuid import UUID

import attrs

from domain.due import zone
from domain.email import clean_address, composed, email_key, is_address
from domain.errors import InvalidField, InvalidFields
from domain.occasion import AnnualDate, Kind, LeapDayRule

UserId = NewType("UserId", UUID)

NAME_LENGTH_MAX = 200
EXTERNAL_ID_LENGTH_MAX = 200
_EARLIEST_YEAR = 1600
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the order of letters on a screen around, also those of the line after it; no name needs them."""
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing."""


def _refuse_control_characters(field: str, text: str) -> None:
    # Cc: line breaks, NUL; Cs: lone surrogates; Zl and Zp: the line breaks of Unicode. None of them is printable,
    # as nearly every text is at once.
    if not text.isprintable() and any(
        character in _REORDERING or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        for character in text
    ):
        raise InvalidField(field, "Line breaks and control characters are not allowed.")


def _name(_user: object, attribute: "attrs.Attribute[str]", text: str) -> None:
    if len(text) > NAME_LENGTH_MAX:
        raise InvalidField(attribute.name, f"At most {NAME_LENGTH_MAX} characters.")
    _refuse_control_characters(attribute.name, text)
    if not any(map(_can_be_seen, text)):
        raise InvalidField(attribute.name, "A name may not be empty.")


def _can_be_seen(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK_LETTERS


def _email(_user: object, attribute: "attrs.Attribute[str]", text: str) -> None:
    if not is_address(text):
        raise InvalidField(attribute.name, "This is not an e-mail address such as ada@example.com.")


def _clean_or_none(text: str | None) -> str | None:
    return None if text is None else composed(text)


def _external_id(_user: object, attribute: "attrs.Attribute[str | None]", text: str | None) -> None:
    if text is not None:
        if not 0 < len(text) <= EXTERNAL_ID_LENGTH_MAX:
            raise InvalidField(attribute.name, f"An id has 1 to {EXTERNAL_ID_LENGTH_MAX} characters.")
        _refuse_control_characters(attribute.name, text)


def _timezone(_user: object, _attribute: object, name: str) -> None:
    zone(name)


def _not_before_calendar(_user: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    year = None if value is None else value.year
    if year is not None and year < _EARLIEST_YEAR:
        raise InvalidField(attribute.name, f"Years begin with {_EARLIEST_YEAR} here.")


@attrs.frozen(kw_only=True)
class User:
    """A person who gets messages.

    *external_id* is what another system, whose files are imported, knows the person by. *version* grows by
    one with every change. A birthday's *birthday_known_at* is the instant from which it
    is known here: what was due before it is not made up for.
    """

    id: UserId
    first_name: str = attrs.field(converter=composed, validator=_name)
    last_name: str = attrs.field(converter=composed, validator=_name)
    email: str = attrs.field(converter=clean_address, validator=_email)
    timezone: str = attrs.field(validator=_timezone)
    birthday: AnnualDate | None = attrs.field(default=None, validator=_not_before_calendar)
    anniversary: date | None = attrs.field(default=None, validator=_not_before_calendar)
    leap_day_rule: LeapDayRule | None = None
    external_id: str | None = attrs.field(default=None, converter=_clean_or_none, validator=_external_id)
    version: int = 1
    created_at: datetime
    updated_at: datetime
    birthday_known_at: datetime
    anniversary_known_at: datetime
    deleted_at: datetime | None = None

    @property
    def email_key(self) -> str:
        return email_key(self.email)

    def annual(self, kind: Kind) -> AnnualDate | None:
        """Return the date that comes back every year for this kind of occasion."""
        if kind is Kind.BIRTHDAY:
            return self.birthday
        return None if self.anniversary is None else AnnualDate.of(self.anniversary)

    def known_at(self, kind: Kind) -> datetime:
        return self.birthday_known_at if kind is Kind.BIRTHDAY else self.anniversary_known_at

    def moves_messages(self, earlier: "User") -> bool:
        """Tell whether *earlier* was owed other messages, or at other instants."""
        return (self.timezone, self.birthday, self.anniversary, self.leap_day_rule, self.deleted_at) != (
            earlier.timezone,
            earlier.birthday,
            earlier.anniversary,
            earlier.leap_day_rule,
            earlier.deleted_at,
        )


@attrs.frozen(kw_only=True)
class Particulars:
    """What a person tells of themselves: everything of a user that a request may set."""

    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday: AnnualDate | None = None
    anniversary: date | None = None
    leap_day_rule: LeapDayRule | None = None
    external_id: str | None = None


def tell(raw: Mapping[str, str | None], now: datetime | None = None) -> Mapping[str, Any]:
    """Return the values of *raw*, texts by the names of Particulars, as a user holds them.

    None stands for a value that is taken back. Raises InvalidFields with every problem there is, a birthday
    after *now* included where that is given.
    """
    values: dict[str, Any] = {}
    problems: list[InvalidField] = []
    for name, text in raw.items():
        try:
            values[name] = _told_value(name, text)
            if name == "birthday" and now is not None:
                _refuse_future_birthday(values[name], now)
        except InvalidField as problem:
            problems.append(problem)
    if problems:
        raise InvalidFields(problems)
    return values


def told(values: Mapping[str, Any]) -> "Particulars":
    """Return the particulars of a new person; raises InvalidFields for those that are missing."""
    missing = [
        InvalidField(field.name, "This is needed.")
        for field in attrs.fields(Particulars)
        if field.default is attrs.NOTHING and values.get(field.name) is None
    ]
    if missing:
        raise InvalidFields(missing)
    return Particulars(**values)


def _told_value(name: str, text: str | None) -> object:
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
    elif name == "email":
        value = clean_address(text)
    elif name in {"first_name", "last_name", "external_id"}:
        value = composed(text)
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


def register(user_id: UserId, particulars: Particulars, now: datetime) -> User:
    """Return a new user who is known from *now* on."""
    _refuse_future_birthday(particulars.birthday, now)
    return User(
        id=user_id,
        created_at=now,
        updated_at=now,
        birthday_known_at=now,
        anniversary_known_at=now,
        **attrs.asdict(particulars, recurse=False),
    )


def change(user: User, particulars: Particulars, now: datetime) -> User:
    """Return *user* as told now; the very same value if nothing is new.

    A new date is known from *now* on: its occasion of today, if the send time has passed, is not made up
    for. A new time zone does not make a date new.
    """
    changed = attrs.evolve(user, **attrs.asdict(particulars, recurse=False))
    if changed == user:
        return user
    if changed.birthday != user.birthday:
        _refuse_future_birthday(changed.birthday, now)
        changed = attrs.evolve(changed, birthday_known_at=now)
    if changed.anniversary != user.anniversary:
        changed = attrs.evolve(changed, anniversary_known_at=now)
    return attrs.evolve(changed, version=user.version + 1, updated_at=now)


def remove(user: User, now: datetime) -> User:
    """Return *user* as deleted: nothing is sent any more, and the record stays."""
    return attrs.evolve(user, deleted_at=now, updated_at=now, version=user.version + 1)


def restore(user: User, particulars: Particulars, now: datetime) -> User:
    """Return a deleted user who registers again: the same person, so that nobody is greeted twice."""
    _refuse_future_birthday(particulars.birthday, now)
    return attrs.evolve(
        user,
        deleted_at=None,
        birthday_known_at=now,
        anniversary_known_at=now,
        created_at=now,
        updated_at=now,
        version=user.version + 1,
        **attrs.asdict(particulars, recurse=False),
    )


def particulars_of(user: User) -> Particulars:
    """Return what *user* has told, to be merged with what they tell now."""
    return Particulars(
        **{field.name: getattr(user, field.name) for field in attrs.fields(Particulars)},
    )


def _refuse_future_birthday(birthday: AnnualDate | None, now: datetime) -> None:
    # Somewhere it is already tomorrow: a child born there today is not born in the future.
    born = None if birthday is None else birthday.full_date()
    if born is not None and born > now.date() + timedelta(days=1):
        raise InvalidField("birthday", "A birthday may not lie in the future.")
