"""When a person's next messages go out, why then, and what became of the last ones."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from application.errors import UserNotFound
from application.explanation import why
from application.ports import Clock, MessageReader, UserReader
from application.views import MessageView, UserView, user_of
from domain.due import SendPolicy, WallTime
from domain.message import OPEN, MessageKey
from domain.occasion import LeapDayRule
from domain.plan import Owed, owed
from domain.user import UserId

_NEXT_WITHIN = timedelta(days=8 * 366 + 4)
"""The longest wait for an occasion: from 29 February 1896 or 2096 to the next one, eight years later."""

_HISTORY_MAX = 100
"""How many messages of one person are looked at, the newest first: two kinds a year, for decades."""


@attrs.frozen(kw_only=True)
class UpcomingMessage:
    """A message that a person is to get: when, in both times, and why then.

    *status* is None while the ledger does not hold it yet. *leap_day_rule* is set where it chose the day.
    """

    key: MessageKey
    years: int | None
    due_at: datetime
    timezone: str
    wall_time: WallTime
    leap_day_rule: LeapDayRule | None
    why: str
    status: str | None


@attrs.frozen
class Upcoming:
    """What a person will get next, and what happened to the last messages."""

    user: UserView
    upcoming: Sequence[UpcomingMessage]
    past: Sequence[MessageView]


@attrs.frozen
class UpcomingOfUser:
    """When a person's next messages go out, which rule applied, and what happened to the last ones.

    Read without a transaction: who only looks does not keep a message from leaving.
    """

    users: UserReader
    messages: MessageReader
    policy: SendPolicy
    clock: Clock

    async def __call__(self, user_id: UserId, days: int = 366) -> Upcoming:
        """Look *days* ahead, and for each kind as far as its next message. Raises UserNotFound."""
        view = await self.users.get(user_id)
        if view is None:
            raise UserNotFound
        now = self.clock.now()
        page = await self.messages.page(after=None, limit=_HISTORY_MAX, user_id=user_id)
        held = {message.key: message for message in page.items}
        first, soon = (now - timedelta(days=2)).date(), (now + timedelta(days=days)).date()
        upcoming: list[UpcomingMessage] = []
        for one in owed(user_of(view), self.policy, first, first + _NEXT_WITHIN, now, years_min=0):
            message = held.get(str(one.message.key))
            if message is None:
                if one.message.due_at < now or one.occasion.years == 0:
                    continue
            elif message.status not in OPEN:
                continue
            is_next = all(told.key.kind is not one.occasion.kind for told in upcoming)
            if is_next or one.occasion.on <= soon:
                upcoming.append(self._told(one, message))
        past = [message for message in page.items if message.status not in OPEN]
        return Upcoming(view, upcoming, past[:20])

    def _told(self, one: Owed, message: MessageView | None) -> UpcomingMessage:
        annual = one.user.annual(one.occasion.kind)
        is_leap_day = annual is not None and annual.is_leap_day
        rule = (one.user.leap_day_rule or self.policy.leap_day_rule) if is_leap_day else None
        wall_time = one.message.wall_time if message is None else WallTime(message.wall_time)
        return UpcomingMessage(
            key=one.message.key,
            years=one.occasion.years if message is None else message.years,
            due_at=one.message.due_at if message is None else message.due_at,
            timezone=one.user.timezone,
            wall_time=wall_time,
            leap_day_rule=rule,
            why=why(one.occasion.on, wall_time, self.policy.send_time, rule),
            status=None if message is None else message.status,
        )
