"""Somebody is looked for by what an operator knows of them."""

from collections.abc import Sequence
from uuid import UUID

import attrs

from application.operator_ports import OperatorReader
from application.ports import UserReader
from application.views import UserView
from domain.user import UserId

FOUND_MAX = 50
_LENGTH_MAX = 320
_WORDS_MAX = 10


@attrs.frozen
class FindPeople:
    """Live people by id, address, external id, or the beginning of their names."""

    users: UserReader
    reader: OperatorReader

    async def __call__(self, text: str) -> Sequence[UserView]:
        """Return up to FOUND_MAX people, by their last names."""
        words = text.replace("\0", " ")[:_LENGTH_MAX].split()[:_WORDS_MAX]
        if len(words) == 1 and (user_id := _id_of(words[0])) is not None:
            user = await self.users.get(user_id)
            if user is not None:
                return [user]
        found = await self.reader.find_people(words, FOUND_MAX) if words else []
        return sorted(found, key=_alphabetically)


def _alphabetically(person: UserView) -> tuple[str, str, str]:
    return person.last_name.casefold(), person.first_name.casefold(), str(person.id)


def _id_of(word: str) -> UserId | None:
    try:
        return UserId(UUID(word))
    except ValueError:
        return None
