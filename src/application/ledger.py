"""What the ledger answers, batch by batch."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import attrs

from application.deliveries import Delivery
from domain.brake import Brake, Braked
from domain.due import SendPolicy
from domain.message import Status
from domain.user import UserId


@attrs.frozen
class SettleReport:
    """How many outcomes were written, by the status they led to; *lost* came too late and changed nothing."""

    settled: Mapping[Status, int]
    lost: int


@attrs.frozen
class PlanReport:
    """How many messages the plan added: to be sent, skipped at once, and past their window already."""

    scheduled: int
    skipped: int
    expired: int = 0


_GATHERED_S = 0.1
BRAKED_PAUSE = timedelta(minutes=1)
"""After that a channel that the brake has stopped is looked at again, in case the surge is gone."""


@attrs.frozen(kw_only=True)
class ClaimTerms:
    """On what terms a process claims for its channel, batch after batch.

    All processes together take at most *rate_per_s* messages a second for a channel, real seconds, after at
    most *burst* at once; None is no limit. Messages to other domains than the allowed ones are skipped. What may
    have arrived by an earlier attempt is claimed if the process *repeats* such, or if an operator wants it, and is
    UNKNOWN otherwise.
    The *brake* looks at what waits, unless so many messages are *cleared*: it has seen them before.
    """

    lease: timedelta
    policy: SendPolicy
    channel: str
    repeats: bool
    rate_per_s: float | None = None
    burst: int = 100
    allowed_domains: frozenset[str] | None = None
    brake: Brake | None = None
    cleared: int = 0

    def pause_until_token(self, tokens: float) -> timedelta:
        """Return how long to wait if there are *tokens*, less than one: for a few at once where they come fast."""
        if not self.rate_per_s:
            return timedelta(0)
        return timedelta(seconds=max((1 - tokens) / self.rate_per_s, _GATHERED_S))


@attrs.frozen
class Claim:
    """What was claimed, and whose messages were passed over since they are not what is owed any more.

    Those of *stale* users stay as they are, to be planned anew outside this transaction: it holds locks on
    messages, and users are locked before their messages. While the channel takes nothing, *pause* is for how
    long, in real time; where the brake has stopped it, *braked* is why. *cleared* is how many messages that the
    brake has seen still wait.
    """

    deliveries: Sequence[Delivery]
    stale: Sequence[UserId] = ()
    pause: timedelta | None = None
    braked: Braked | None = None
    cleared: int = 0


@attrs.frozen
class ReapReport:
    """How many leases had run out, by where their messages went."""

    retrying: int
    unknown: int


@attrs.frozen
class ExpireReport:
    """How many windows had passed; *unknown* of messages of which an attempt may have arrived."""

    expired: int
    unknown: int
