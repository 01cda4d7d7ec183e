"""What goes to a channel, and what comes back from it."""

from datetime import datetime, timedelta

import attrs

from domain.message import MessageKey


@attrs.frozen
class Recipient:
    """Who gets a message, read in the transaction that claimed it."""

    first_name: str
    last_name: str
    email: str


@attrs.frozen
class Delivery:
    """A claimed message with all that a channel needs; *fence* entitles its holder to write the outcome."""

    key: MessageKey
    fence: int
    attempt: int
    due_at: datetime
    expires_at: datetime
    years: int | None
    recipient: Recipient


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
