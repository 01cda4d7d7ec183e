"""Where messages leave: what goes to a channel, and what comes back from it."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import attrs

from domain.message import MessageKey, RetryPolicy


# Tuples, since both are made for each message that leaves: in a third of the time of a frozen class.
class Recipient(NamedTuple):
    """Who gets a message, read in the transaction that claimed it."""

    first_name: str
    last_name: str
    email: str
    link_nonce: int = 0


class Delivery(NamedTuple):
    """A claimed message with all that a channel needs; *fence* entitles its holder to write the outcome."""

    key: MessageKey
    fence: int
    attempt: int
    due_at: datetime
    expires_at: datetime
    years: int | None
    recipient: Recipient
    is_trial: bool = False
    """Whether an operator sends it to see it arrive; it says so, and stands in no ledger."""


@attrs.frozen
class Sent:
    """The channel has taken the message over."""


@attrs.frozen
class FailedForNow:
    """It may be tried again, not before *retry_after* if the far side said so. *reason* names no one.

    *may_have_arrived* if the far side did not say that it refused: nobody knows whether the person has it.
    """

    reason: str
    retry_after: timedelta | None = None
    may_have_arrived: bool = False


@attrs.frozen
class FailedForGood:
    """Trying again would not help. *reason* names no one."""

    reason: str


Outcome = Sent | FailedForNow | FailedForGood


def pause_asked(outcomes: Iterable[Outcome], policy: RetryPolicy) -> timedelta | None:
    """Return for how long the channel is to be left alone, as the far side said, and no longer than sensible."""
    asked = max(
        (one.retry_after for one in outcomes if isinstance(one, FailedForNow) and one.retry_after),
        default=None,
    )
    return None if asked is None else min(asked, policy.pause_max)


class DeliveryChannel(Protocol):
    """Where messages leave."""

    __slots__ = ()

    name: str
    """One word, for logs and settings."""
    deduplicates: bool
    """Whether a message sent again under the same key, within its window, is accepted and arrives once."""
    reaches_people: bool
    """Whether messages leave this machine; such a channel never runs on a clock that was moved."""
    batch_size: int
    """How many messages it takes well at once."""

    @abstractmethod
    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Send each and return its outcome, in the same order. Does not raise for a message it cannot send.

        A *retry_after* of an outcome is a pause for the whole channel. It is zero for what was not tried.
        May be called again before it has returned.
        """

    @abstractmethod
    async def trouble(self) -> str | None:
        """Return what would keep messages from leaving now, as far as that shows without sending one.

        None if nothing does. It may take as long as a message may.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give connections back; they are opened again by what is sent later."""
