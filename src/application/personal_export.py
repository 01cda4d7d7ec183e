"""All that is held of a person, for whoever has the right to know it: themselves."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs

from application.audit_ports import AuditReader
from application.errors import UserNotFound
from application.ports import UnitOfWorkFactory
from application.trail import current_actor
from application.views import MessageView
from domain.audit import Deed, Entry
from domain.user import User, UserId

_ENTRIES_MAX = 10_000


@attrs.frozen
class Held:
    """What the store holds of a person besides the audit trail.

    *imports* is what each import that can still be undone remembers of them; *answers* how many answers to
    repeated requests tell of them, which are kept for a day.
    """

    user: User
    messages: Sequence[MessageView]
    imports: Sequence[Mapping[str, Any]]
    answers: int


class PersonReader(Protocol):
    """One person in full, read without a transaction. Raises StoreUnavailable."""

    __slots__ = ()

    @abstractmethod
    async def all_held_of(self, user_id: UserId) -> Held | None:
        """Return all that is held of the person, deleted or not; None if there is none."""


@attrs.frozen
class ExportPerson:
    """All that is held of a person, deleted or not. That it was exported is noted."""

    reader: PersonReader
    audit: AuditReader
    unit_of_work: UnitOfWorkFactory

    async def __call__(self, user_id: UserId) -> tuple[Held, Sequence[Entry], datetime]:
        """Return it with what was done to them, and when that was. Raises UserNotFound."""
        held = await self.reader.all_held_of(user_id)
        if held is None:
            raise UserNotFound
        page = await self.audit.page(None, _ENTRIES_MAX, user_id)
        async with self.unit_of_work() as uow:
            now = await uow.now()
            entry = Entry(at=now, actor=current_actor(), action=Deed.EXPORT, user_id=user_id)
            await uow.audit.note([entry])
            await uow.commit()
        return held, page.items, now
