"""Which row of a file is about whom, and what it makes of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from application.import_ports import ImportChange
from application.people_rows import Row, RowProblem
from application.users import changed_user, new_user_id
from domain.errors import InvalidField, InvalidFields
from domain.telling import told
from domain.user import User, UserId, particulars_of, register, restore


@attrs.frozen
class Known:
    """The users whom the rows of a chunk may be about: of those who share a key the live one, or who left last."""

    by_external_id: Mapping[str, User]
    by_email: Mapping[str, User]

    @classmethod
    def of(cls, users: Sequence[User]) -> "Known":
        in_turn = sorted(
            users, key=lambda user: (user.deleted_at is None, user.deleted_at or user.created_at)
        )
        return cls(
            {user.external_id: user for user in in_turn if user.external_id is not None},
            {user.email_key: user for user in in_turn},
        )


@attrs.frozen
class Matched:
    """What the rows of a chunk come to. *lines* has, by person, the line that told of them."""

    added: list[User] = attrs.field(factory=list)
    saved: list[tuple[User, User]] = attrs.field(factory=list)
    unchanged: list[User] = attrs.field(factory=list)
    failed: list[Sequence[RowProblem]] = attrs.field(factory=list)
    lines: dict[UserId, int] = attrs.field(factory=dict)

    @property
    def restored(self) -> int:
        return sum(before.deleted_at is not None for before, _ in self.saved)

    def changes(self) -> Iterator[ImportChange]:
        for user in self.added:
            yield ImportChange(user_id=user.id, version=user.version, before=None)
        for before, after in self.saved:
            yield change_of(before, after)


def change_of(before: User, after: User) -> ImportChange:
    return ImportChange(
        user_id=after.id,
        version=after.version,
        before=particulars_of(before),
        was_deleted=before.deleted_at is not None,
    )


def match_rows(
    chunk: Sequence[Row], known: Known, earlier_lines: Mapping[UserId, int], now: datetime
) -> Matched:
    """Compare the rows with the users they are about; nobody may be told of twice, in *earlier_lines* either."""
    matched = Matched()
    for row in chunk:
        try:
            user = _user_of(row, known)
            _refuse_twice(user, matched.lines, earlier_lines)
            changed = _changed(user, row, now)
        except InvalidFields as invalid:
            matched.failed.append([RowProblem(row.line, one.field, one.reason) for one in invalid.problems])
            continue
        except InvalidField as problem:
            matched.failed.append([RowProblem(row.line, problem.field, problem.reason)])
            continue
        matched.lines[changed.id] = row.line
        if user is None:
            matched.added.append(changed)
        elif changed is user:
            matched.unchanged.append(user)
        else:
            matched.saved.append((user, changed))
    return matched


def _user_of(row: Row, known: Known) -> User | None:
    """Return the user by external id, or else by address; raises InvalidField where the two disagree."""
    by_id = None if row.external_id is None else known.by_external_id.get(row.external_id)
    by_email = known.by_email.get(row.email_key)
    owner = None if by_email is None or by_email.deleted_at is not None else by_email
    if by_id is not None and (by_id.deleted_at is None or owner is None):
        if owner is not None and owner.id != by_id.id:
            raise InvalidField("email", "Somebody else has this address.")
        return by_id
    if by_email is None or row.external_id is None or by_email.external_id in {None, row.external_id}:
        return by_email
    if owner is not None:
        raise InvalidField("external_id", "Who has this address is known by another id.")
    return None  # the address has been given to somebody new


def _refuse_twice(user: User | None, *lines_of: Mapping[UserId, int]) -> None:
    for lines in lines_of:
        if user is not None and user.id in lines:
            raise InvalidField("email", f"The same person as in line {lines[user.id]}.")


def _changed(user: User | None, row: Row, now: datetime) -> User:
    if user is None:
        return register(new_user_id(now), told(row.values), now)
    if user.deleted_at is not None:
        return restore(user, told(row.values), now)
    return changed_user(user, _with_known_year(row.values, user), now)


def _with_known_year(values: Mapping[str, Any], user: User) -> Mapping[str, Any]:
    """Return *values* without a loss: a program that keeps no years does not mean that nobody knows them."""
    birthday = values.get("birthday")
    return values if birthday is None else {**values, "birthday": birthday.completed_by(user.birthday)}
