"""New people are read into the cache, where whoever registered them will look for them first."""

import asyncio
from collections.abc import Sequence

import attrs
import structlog

from application.cached_reader import SourcedUserReader
from application.errors import StoreUnavailable
from domain.events import Event, UserCreated
from domain.user import User, UserId

log = structlog.get_logger()

WARMED_MAX = 10
"""A commit that brings more people is an import, whom nobody will look for one by one."""


@attrs.define(eq=False)
class WarmNewUsers:
    """Reads new people once through the cache after their commit; an event handler that nobody waits for.

    It stores by the rule of every other read: under a lease taken before the row is read.
    """

    _reader: SourcedUserReader
    _warming: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def __call__(self, events: Sequence[Event]) -> None:
        created = [event.user for event in events if isinstance(event, UserCreated)]
        if len(created) <= WARMED_MAX:
            for user in created:
                task = asyncio.create_task(self._warm(user))
                self._warming.add(task)
                task.add_done_callback(self._warming.discard)

    async def _warm(self, user: User) -> None:
        try:
            await self._reader.get(UserId(user.id))
            await self._reader.find_by_email(user.email)
        except StoreUnavailable:
            log.debug("user_not_warmed")
