"""Messages that are due leave: claim, commit, send, and only then write down what came of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import attrs
import structlog

from application.deliveries import Delivery, DeliveryChannel, FailedForNow, Outcome, Sent
from application.errors import StoreUnavailable
from application.import_ports import REMEMBERED
from application.ledger import ClaimTerms, ReapReport, SettleReport
from application.planning import PlanAnew
from application.ports import UnitOfWorkFactory
from domain.brake import Brake, Braked
from domain.message import RetryPolicy, Status
from domain.occasion import Kind

log = structlog.get_logger()

_SETTLE_PAUSE_S = 0.2


@attrs.frozen
class DispatchReport:
    """What came of one batch; *stale* people had messages that were not owed any more and are planned anew."""

    claimed: int
    settled: Mapping[Status, int]
    lost: int
    stale: int = 0
    pause: timedelta | None = None
    """For how long the channel takes nothing, in real time."""
    braked: Braked | None = None
    """Why the brake has stopped it."""
    accepted: Mapping[tuple[Kind, datetime], int] = attrs.field(factory=dict, eq=False)
    """How many the channel has taken, by kind and due instant."""

    @property
    def goes_on(self) -> bool:
        """Whether there may be more to claim at once."""
        return self.claimed > 0 or self.stale > 0


@attrs.define
class Clearance:
    """How many of the messages that wait the brake has seen, so that it need not count for each batch."""

    messages: int = 0


@attrs.frozen
class SendDueMessages:
    """One batch of what is due is sent, and nothing is sent while a transaction is open.

    A process that dies between claim and completion leaves leases that run out; see KeepLedger.
    """

    unit_of_work: UnitOfWorkFactory
    channel: DeliveryChannel
    retry_policy: RetryPolicy
    lease: timedelta
    plan_anew: PlanAnew
    rate_per_s: float | None = None
    burst: int = 100
    brake: Brake | None = None
    allowed_domains: frozenset[str] | None = None
    retries_unknown: bool = False
    """Whether a second greeting is risked where the channel does not de-duplicate."""
    clearance: Clearance = attrs.field(factory=Clearance, eq=False)

    async def __call__(self) -> DispatchReport:
        async with self.unit_of_work() as uow:
            claim = await uow.messages.claim(self.channel.batch_size, self._terms)
            await uow.commit()  # also without a delivery: messages of people who are gone were cancelled
        self.clearance.messages = claim.cleared
        anew = set(claim.stale)
        settled = SettleReport({}, 0)
        accepted: Mapping[tuple[Kind, datetime], int] = {}
        if claim.deliveries:
            deadline = asyncio.get_running_loop().time() + self.lease.total_seconds()
            outcomes = [
                (delivery, outcome)
                for delivery, outcome in zip(
                    claim.deliveries, await self._send(claim.deliveries), strict=True
                )
                if self.channel.deduplicates or not _is_in_doubt(outcome)  # else its lease runs out: UNKNOWN
            ]
            accepted = Counter(
                (one.key.kind, one.due_at) for one, outcome in outcomes if isinstance(outcome, Sent)
            )
            settled = await self._settle(outcomes, deadline)
            if settled.settled.get(Status.FAILED):
                # Another date of theirs may have had to wait for the end of this attempt.
                anew.update(one.key.user_id for one, outcome in outcomes if not isinstance(outcome, Sent))
        if anew:
            await self.plan_anew(sorted(anew))
        return DispatchReport(
            len(claim.deliveries),
            settled.settled,
            settled.lost,
            len(claim.stale),
            claim.pause,
            claim.braked,
            accepted,
        )

    @property
    def _terms(self) -> ClaimTerms:
        return ClaimTerms(
            lease=self.lease,
            policy=self.plan_anew.policy,
            channel=self.channel.name,
            repeats=self.channel.deduplicates or self.retries_unknown,
            rate_per_s=self.rate_per_s,
            burst=self.burst,
            allowed_domains=self.allowed_domains,
            brake=self.brake,
            cleared=self.clearance.messages,
        )

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
                    report = await uow.messages.settle(outcomes, self.retry_policy, self.channel.name)
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
    has_more_leases: bool = attrs.field(default=False, eq=False)
    """Whether as many leases had run out as are looked after at once."""

    @property
    def changed(self) -> int:
        return self.retrying + self.unknown + self.expired


@attrs.frozen
class KeepLedger:
    """Leases that ran out are ended, and what missed its window is EXPIRED: counted, not forgotten.

    What was on its way then may have arrived: it is tried again where the channel de-duplicates or where
    that risk is taken (*retries_unknown*), else it is UNKNOWN. Forgotten is what people were before an import that nobody has undone in time.
    """

    unit_of_work: UnitOfWorkFactory
    channel: DeliveryChannel
    retry_policy: RetryPolicy
    retries_unknown: bool = False
    batch_size: int = 1000

    async def __call__(self, *, reaps: bool = True) -> KeepReport:
        """Keep it; leases are looked after only if it *reaps*, which reads whatever is due and has not ended."""
        async with self.unit_of_work() as uow:
            reaped = ReapReport(0, 0)
            if reaps:
                reaped = await uow.messages.reap(
                    self.retry_policy,
                    retries=self.channel.deduplicates or self.retries_unknown,
                    limit=self.batch_size,
                )
            ended = await uow.messages.expire(self.batch_size)
            report = KeepReport(
                reaped.retrying,
                reaped.unknown + ended.unknown,
                ended.expired,
                reaped.retrying + reaped.unknown >= self.batch_size,
            )
            forgotten = await uow.imports.forget_before(await uow.now() - REMEMBERED)
            if report.changed or forgotten:
                await uow.commit()
        return report


@attrs.frozen
class NextDue:
    """The instant at which the next message wants to leave."""

    unit_of_work: UnitOfWorkFactory

    async def __call__(self) -> datetime | None:
        async with self.unit_of_work() as uow:
            return await uow.messages.next_due_at()
