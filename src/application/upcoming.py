"""Everybody's next messages, reckoned from the calendar and compared with the ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from application.ports import Clock, MessageReader, UserReader
from application.views import user_of
from domain.due import SendPolicy
from domain.message import MessageKey, Status
from domain.plan import Owed, owed
from domain.user import UserId

_PAGE = 1000
_STILL_COMING = frozenset({Status.SCHEDULED, Status.RETRYING})


@attrs.frozen
class UpcomingMessages:
    """What goes out in the next days, in the order in which it will."""

    users: UserReader
    messages: MessageReader
    policy: SendPolicy
    clock: Clock

    async def __call__(self, days: int) -> Sequence[Owed]:
        now = self.clock.now()
        until = now + timedelta(days=days)
        held = await self._held(now)
        found: list[Owed] = []
        after: UserId | None = None
        while True:
            page = await self.users.page(after, _PAGE)
            for view in page.items:
                found.extend(
                    one
                    for one in owed(
                        user_of(view),
                        self.policy,
                        (now - timedelta(days=2)).date(),
                        until.date() + timedelta(2),
                        now,
                    )
                    if now <= one.message.due_at <= until
                    and held.get(str(one.message.key), Status.SCHEDULED) in _STILL_COMING
                )
            if not page.more:
                break
            after = UserId(page.items[-1].id)
        found.sort(key=lambda one: (one.message.due_at, one.user.email, one.occasion.kind))
        return found

    async def _held(self, now: datetime) -> Mapping[str, Status]:
        """Return the status of every message whose occasion is not past."""
        held: dict[str, Status] = {}
        oldest = (now - timedelta(days=2)).date()
        after: MessageKey | None = None
        while True:
            page = await self.messages.page(after=after, limit=_PAGE)
            held.update((view.key, Status(view.status)) for view in page.items)
            if not page.more:
                return held
            after = MessageKey.parse(page.items[-1].key)
            if after.occasion_on < oldest:
                return held
