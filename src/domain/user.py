"""A person who gets messages, and what a change of theirs means for the messages."""

import unicodedata
from datetime import date, datetime, timedelta
from typing import Any, NewType
from uuid import UUID

import attrs

from domain.email import clean_address, composed, email_key, is_address
from domain.errors import InvalidField
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


def _not_before_calendar(_user: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    year = None if value is None else value.year
    if year is not None and year < _EARLIEST_YEAR:
        raise InvalidField(attribute.name, f"Years begin with {_EARLIEST_YEAR} here.")


@attrs.frozen(kw_only=True)
class User:
    """A person who gets messages.

    *external_id* is what another system, whose files are imported, knows the person by. *version* grows by
    one with every change. A birthday's *birthday_known_at* is the instant from which it
    is known here: what was due before it is not made up for. *opted_out* is of what the person wants no messages;
    no file and no restoring changes it. Links to get out of messages are good for one *link_nonce*. A *timezone* is
    looked at when it is told: zone data of another release may lack one that somebody lives in.
    """

    id: UserId
    first_name: str = attrs.field(converter=composed, validator=_name)
    last_name: str = attrs.field(converter=composed, validator=_name)
    email: str = attrs.field(converter=clean_address, validator=_email)
    timezone: str
    birthday: AnnualDate | None = attrs.field(default=None, validator=_not_before_calendar)
    anniversary: date | None = attrs.field(default=None, validator=_not_before_calendar)
    leap_day_rule: LeapDayRule | None = None
    external_id: str | None = attrs.field(default=None, converter=_clean_or_none, validator=_external_id)
    opted_out: frozenset[Kind] = frozenset()
    link_nonce: int = 0
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

    def is_opted_out(self, kind: Kind) -> bool:
        return kind in self.opted_out

    def moves_messages(self, earlier: "User") -> bool:
        """Tell whether *earlier* was owed other messages, or at other instants."""
        names = ("timezone", "birthday", "anniversary", "leap_day_rule", "opted_out", "deleted_at")
        return any(getattr(self, name) != getattr(earlier, name) for name in names)


@attrs.frozen(kw_only=True)
class Particulars:
    """What a person tells of themselves, in a request or a file; what they want no messages of is apart."""

    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday: AnnualDate | None = None
    anniversary: date | None = None
    leap_day_rule: LeapDayRule | None = None
    external_id: str | None = None


def register(
    user_id: UserId, particulars: Particulars, now: datetime, opted_out: frozenset[Kind] = frozenset()
) -> User:
    """Return a new user who is known from *now* on."""
    refuse_future_birthday(particulars.birthday, now)
    return User(
        id=user_id,
        created_at=now,
        updated_at=now,
        birthday_known_at=now,
        anniversary_known_at=now,
        opted_out=opted_out,
        **attrs.asdict(particulars, recurse=False),
    )


def change(
    user: User, particulars: Particulars, now: datetime, opted_out: frozenset[Kind] | None = None
) -> User:
    """Return *user* as told now; the very same value if nothing is new. *opted_out* stays where it is None.

    A new date is known from *now* on: its occasion of today, if the send time has passed, is not made up
    for. A new time zone does not make a date new.
    """
    kept = user.opted_out if opted_out is None else opted_out
    changed = attrs.evolve(user, opted_out=kept, **attrs.asdict(particulars, recurse=False))
    if changed == user:
        return user
    if changed.birthday != user.birthday:
        refuse_future_birthday(changed.birthday, now)
        changed = attrs.evolve(changed, birthday_known_at=now)
    if changed.anniversary != user.anniversary:
        changed = attrs.evolve(changed, anniversary_known_at=now)
    return attrs.evolve(changed, version=user.version + 1, updated_at=now)


def remove(user: User, now: datetime) -> User:
    """Return *user* as deleted: nothing is sent any more, and the record stays."""
    return attrs.evolve(user, deleted_at=now, updated_at=now, version=user.version + 1)


def revoke_links(user: User, now: datetime) -> User:
    """Return *user*, whose links in all messages so far are good for nothing any more."""
    return attrs.evolve(user, link_nonce=user.link_nonce + 1, version=user.version + 1, updated_at=now)


def restore(
    user: User, particulars: Particulars, now: datetime, opted_out: frozenset[Kind] | None = None
) -> User:
    """Return a deleted user who registers again: the same person, so that nobody is greeted twice.

    What they wanted no messages of they still do not want, unless they say so.
    """
    refuse_future_birthday(particulars.birthday, now)
    return attrs.evolve(
        user,
        deleted_at=None,
        opted_out=user.opted_out if opted_out is None else opted_out,
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


def refuse_future_birthday(birthday: AnnualDate | None, now: datetime) -> None:
    # Somewhere it is already tomorrow: a child born there today is not born in the future.
    born = None if birthday is None else birthday.full_date()
    if born is not None and born > now.date() + timedelta(days=1):
        raise InvalidField("birthday", "A birthday may not lie in the future.")
