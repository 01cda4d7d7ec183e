"""A batch over a fixed set of connections, in a bounded time, with a far side that may be slow, dead or busy."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import attrs
import structlog

from application.deliveries import Delivery, FailedForNow, Outcome, Sent

log = structlog.get_logger()

Send = Callable[[Delivery, float], Awaitable[Outcome]]
"""Sends one message within that many seconds. Raises Unreachable."""

UNREACHABLE_PAUSE = timedelta(seconds=30)
UNTRIED = FailedForNow("It was not its turn yet.", timedelta(0))
"""Does not count as an attempt, and asks for no pause."""


class Unreachable(Exception):
    """Nothing of the message was sent, for a reason that would meet every other one too. Names no one."""

    def __init__(self, reason: str, pause: timedelta = UNREACHABLE_PAUSE) -> None:
        super().__init__(reason)
        self.outcome = FailedForNow(reason, pause)


@attrs.define
class _Batch:
    """What is still to be sent, and what came of the rest.

    *trouble* is set once the channel is to be left alone: what has not been tried by then is not tried. No
    outcome with a pause counts as an attempt, nor does one whose pause is zero.
    """

    waiting: deque[tuple[int, Delivery]]
    outcomes: list[Outcome]
    last_start_at: float
    message_s: float
    working: int
    trouble: FailedForNow | None = None

    async def work(self, send: Send) -> None:
        """Send one message after the other until there is none, or no time, or trouble."""
        now = asyncio.get_running_loop().time
        while self.waiting and self.trouble is None and now() < self.last_start_at:
            index, delivery = self.waiting.popleft()
            try:
                outcome = await send(delivery, self.message_s)
            except Unreachable as error:
                self.waiting.appendleft((index, delivery))
                self.working -= 1
                if not self.working:  # the far side may only refuse so many connections at once
                    self.trouble = error.outcome
                return
            self.outcomes[index] = outcome
            if isinstance(outcome, FailedForNow) and outcome.retry_after:
                self.trouble = outcome


async def send_in_turn(
    channel: str, deliveries: Sequence[Delivery], senders: Sequence[Send], message_s: float
) -> Sequence[Outcome]:
    """Send over *senders*, each of which takes one message after the other; return the outcomes in order.

    Returns within twice *message_s*: in the first half of the time messages are begun, each of which
    has *message_s*. A far side that asks for a pause, or is not there, is not bothered with the rest.
    """
    senders = senders[: len(deliveries)]
    batch = _Batch(
        waiting=deque(enumerate(deliveries)),
        outcomes=[UNTRIED] * len(deliveries),
        last_start_at=asyncio.get_running_loop().time() + message_s,
        message_s=message_s,
        working=len(senders),
    )
    async with asyncio.TaskGroup() as workers:
        for send in senders:
            workers.create_task(batch.work(send))
    if batch.trouble is not None:
        # Where one message was the reason, the others are wanted before it: it may be the reason each time.
        rest = attrs.evolve(batch.trouble, retry_after=timedelta(0)) if batch.working else batch.trouble
        for index, _ in batch.waiting:
            batch.outcomes[index] = rest
    _tell(channel, batch)
    return batch.outcomes


def _tell(channel: str, batch: _Batch) -> None:
    if batch.trouble is not None and batch.trouble.retry_after is not None:
        log.warning(
            "channel_paused",
            channel=channel,
            reason=batch.trouble.reason,
            pause_s=batch.trouble.retry_after.total_seconds(),
        )
    failed = Counter(outcome.reason for outcome in batch.outcomes if not isinstance(outcome, Sent))
    if failed:
        log.warning("deliveries_failed", channel=channel, reasons=dict(failed))
