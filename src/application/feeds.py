"""Calendars at secret addresses, for programs that subscribe to them: made, listed, shown, revoked."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from hashlib import sha256

import attrs

from application.access import Access, NewKey
from application.access_ports import ApiKeys
from application.exports import ExportFormat, ExportUsers
from application.ports import UserReader
from domain.access import ApiKey, KeyKind

_EDITION = 1
"""To be raised when the same people are written otherwise, so that nobody keeps the calendar of before."""


@attrs.frozen
class Feeds:
    """Feeds, and what stands at their addresses.

    A feed is a key that is good for nothing but its calendar. Its text is a part of the address, told once;
    only its digest is kept. When it was last asked for is noted, and it is revoked like any key.
    """

    access: Access
    keys: ApiKeys
    reader: UserReader
    export: ExportUsers

    async def make(self, name: str, *, tells_years: bool = False, lasts: timedelta | None = None) -> NewKey:
        """Return a new feed; years of birth and of hiring are in it only if it *tells_years*. Raises InvalidField."""
        return await self.access.make_key(name, (), lasts=lasts, kind=KeyKind.FEED, tells_years=tells_years)

    async def list(self) -> Sequence[ApiKey]:
        """Return all feeds, the oldest first, without their secrets."""
        return [key for key in await self.keys.list() if key.kind is KeyKind.FEED]

    async def revoke(self, feed_id: str) -> None:
        """Let the address lead nowhere any more. Raises KeyNotFound."""
        await self.access.revoke_key(feed_id)
        self.access.authenticate.forget(feed_id)

    async def at(self, text: str) -> ApiKey | None:
        """Return the feed that has this secret; None if there is none, or it is over."""
        return await self.access.authenticate(text, KeyKind.FEED)

    async def tag(self, feed: ApiKey) -> str:
        """Return what is the same text as long as the calendar of the feed is.

        To be asked for before the calendar: who is changed in between is told again, instead of never.
        """
        told = (await self.reader.fingerprint(), self.export.policy.leap_day_rule, feed.tells_years, _EDITION)
        return sha256(repr(told).encode()).hexdigest()[:32]

    def calendar(self, feed: ApiKey) -> AsyncIterator[bytes]:
        """Yield the parts of the calendar; nothing before the first page of people could be read."""
        return self.export(ExportFormat.CALENDAR, with_years=feed.tells_years)
