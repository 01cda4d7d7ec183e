"""What the ledger answers, batch by batch."""

from collections.abc import Mapping, Sequence

import attrs

from application.deliveries import Delivery
from domain.message import Status
from domain.user import UserId


@attrs.frozen
class SettleReport:
    """How many outcomes were written, by the status they led to; *lost* came too late and changed nothing."""

    settled: Mapping[Status, int]
    lost: int


@attrs.frozen
class PlanReport:
    """How many messages the plan added: to be sent, skipped by the guard, and past their window already."""

    scheduled: int
    skipped: int
    expired: int = 0


@attrs.frozen
class Claim:
    """What was claimed, and whose messages were passed over since they are not what is owed any more.

    Those of *stale* users stay as they are, to be planned anew outside this transaction: it holds locks on
    messages, and users are locked before their messages.
    """

    deliveries: Sequence[Delivery]
    stale: Sequence[UserId] = ()


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
