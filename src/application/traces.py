"""What is remembered of the greetings of people who are erased: enough not to greet an address twice, and no more."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

import attrs

from domain.due import SendPolicy, due, zone
from domain.message import Message, MessageKey, Reason, Status
from domain.occasion import Kind
from domain.user import User


@attrs.frozen(order=True)
class Greeted:
    """That whoever had an address was greeted, or may have been."""

    kind: Kind
    occasion_on: date


class GreetedAddresses(Protocol):
    """What ``Users.erase`` leaves: a keyed hash of address and kind, with the date, inside a unit of work.

    Erasing keeps what has greeted, or is on its way, and drops the rest.
    """

    __slots__ = ()

    @abstractmethod
    async def of(self, emails: Sequence[str]) -> Mapping[str, Sequence[Greeted]]:
        """Return what is remembered of these e-mail keys, in order; those of which nothing is are absent."""

    @abstractmethod
    async def forget_before(self, day: date) -> int:
        """Forget the greetings for occasions before *day*; return how many."""


async def carry_over(
    addresses: GreetedAddresses, users: Sequence[User], policy: SendPolicy, now: datetime
) -> Sequence[Message]:
    """Return the messages by which the guard knows that the addresses of *users* were greeted not long ago.

    They were sent to whoever had the address before, who is erased; they are told as skipped.
    """
    found = await addresses.of([user.email_key for user in users])
    since = now.date() - kept_for(policy)
    return [
        _trace(user, one, policy, now)
        for user in users
        for one in found.get(user.email_key, ())
        if one.occasion_on >= since
    ]


def kept_for(policy: SendPolicy) -> timedelta:
    """Return for how long a greeting guards anything: nothing is planned further ahead."""
    return policy.greeted_guard + policy.planned_ahead


def _trace(user: User, greeted: Greeted, policy: SendPolicy, now: datetime) -> Message:
    when = due(greeted.occasion_on, policy.send_time, zone(user.timezone))
    return Message(
        key=MessageKey(greeted.occasion_on, greeted.kind, user.id),
        status=Status.SKIPPED,
        reason=Reason.GREETED_RECENTLY,
        due_at=when.at,
        expires_at=when.at + policy.window,
        timezone=user.timezone,
        wall_time=when.wall_time,
        years=None,
        may_have_arrived=True,
        created_at=now,
        updated_at=now,
    )
