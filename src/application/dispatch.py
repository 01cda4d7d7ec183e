"""Messages that are due leave: claim, commit, send, and only then write down what came of it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import attrs
import structlog

from application.deliveries import Delivery, FailedForNow, Outcome
from application.errors import StoreUnavailable
from application.ports import DeliveryChannel, SettleReport, UnitOfWorkFactory
from domain.message import RetryPolicy, Status

log = structlog.get_logger()

_SETTLE_PAUSE_S = 0.2


@attrs.frozen
class DispatchReport:
    """What came of one batch."""

    claimed: int
    settled: Mapping[Status, int]
    lost: int


@attrs.frozen
class SendDueMessages:
    """One batch of what is due is sent, and nothing is sent while a transaction is open.

    A process that dies between claim and completion leaves leases that run out; see KeepLedger.
    """

    unit_of_work: UnitOfWorkFactory
    channel: DeliveryChannel
    retry_policy: RetryPolicy
    lease: timedelta

    async def __call__(self) -> DispatchReport:
        async with self.unit_of_work() as uow:
            deliveries = await uow.messages.claim(self.channel.batch_size, self.lease)
            await uow.commit()  # also without a delivery: messages of people who are gone were cancelled
        if not deliveries:
            return DispatchReport(0, {}, 0)
        deadline = asyncio.get_running_loop().time() + self.lease.total_seconds()
        outcomes = [
            (delivery, outcome)
            for delivery, outcome in zip(deliveries, await self._send(deliveries), strict=True)
            if self.channel.deduplicates or not _is_in_doubt(outcome)  # else its lease runs out: UNKNOWN
        ]
        settled = await self._settle(outcomes, deadline)
        return DispatchReport(len(deliveries), settled.settled, settled.lost)

    async def _send(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Send, and give up on a channel that takes so long that the leases would run out meanwhile."""
        try:
            async with asyncio.timeout(self.lease.total_seconds() * 0.8):
                return await self.channel.send_many(deliveries)
        except TimeoutError:
            log.warning("channel_timed_out", channel=self.channel.name, messages=len(deliveries))
            if not self.channel.deduplicates:
                raise  # nobody knows what was accepted: the leases run out and the messages become UNKNOWN
            return [FailedForNow("The channel took too long.", may_have_arrived=True)] * len(deliveries)

    async def _settle(self, outcomes: Sequence[tuple[Delivery, Outcome]], deadline: float) -> SettleReport:
        """Write the outcomes; while the store is away, try again as long as the leases last."""
        while True:
            try:
                async with self.unit_of_work() as uow:
                    report = await uow.messages.settle(outcomes, self.retry_policy)
                    await uow.commit()
            except StoreUnavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_SETTLE_PAUSE_S)
            else:
                return report


def _is_in_doubt(outcome: Outcome) -> bool:
    return isinstance(outcome, FailedForNow) and outcome.may_have_arrived


@attrs.frozen
class KeepReport:
    """What the upkeep of the ledger changed."""

    retrying: int
    unknown: int
    expired: int


@attrs.frozen
class KeepLedger:
    """Leases that ran out are ended, and what missed its window is EXPIRED: counted, not forgotten."""

    unit_of_work: UnitOfWorkFactory
    channel: DeliveryChannel
    batch_size: int = 1000

    async def __call__(self) -> KeepReport:
        async with self.unit_of_work() as uow:
            reaped = await uow.messages.reap(deduplicates=self.channel.deduplicates, limit=self.batch_size)
            expired = await uow.messages.expire(self.batch_size)
            if reaped.retrying or reaped.unknown or expired:
                await uow.commit()
        return KeepReport(reaped.retrying, reaped.unknown, expired)


@attrs.frozen
class NextDue:
    """The instant at which the next message wants to leave."""

    unit_of_work: UnitOfWorkFactory

    async def __call__(self) -> datetime | None:
        async with self.unit_of_work() as uow:
            return await uow.messages.next_due_at()
