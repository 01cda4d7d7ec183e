"""A channel that keeps what it is given, and fails as it is told."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

from application.deliveries import Delivery, DeliveryChannel, FailedForGood, FailedForNow, Outcome, Sent
from domain.message import MessageKey

Answer = Callable[[Delivery], Outcome]


def _sent(_delivery: Delivery) -> Outcome:
    return Sent()


@attrs.define(eq=False, kw_only=True)
class MemoryChannel(DeliveryChannel):
    """Keeps what it accepted, by key, and how often each message reached its person."""

    name: str = "memory"
    deduplicates: bool = True
    reaches_people: bool = False
    batch_size: int = 1000
    accepted: dict[MessageKey, Delivery] = attrs.field(factory=dict, init=False)
    """What was accepted, as it was given last."""
    reached: list[Delivery] = attrs.field(factory=list, init=False)
    """What reached people, in order; a repeat is here only if the channel does not de-duplicate."""
    batches: list[Sequence[Delivery]] = attrs.field(factory=list, init=False)
    """Everything that was given, batch by batch."""
    answer: Answer = attrs.field(default=_sent, init=False)
    """What comes of each delivery; it is accepted if that is ``Sent``."""
    _error: BaseException | None = attrs.field(default=None, init=False)
    _hangs: bool = attrs.field(default=False, init=False)

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.batches.append(tuple(deliveries))
        if self._error is not None:
            raise self._error
        outcomes = [self._take(delivery) for delivery in deliveries]
        if self._hangs:
            await asyncio.Event().wait()
        return outcomes

    async def trouble(self) -> str | None:
        return None if self._error is None else "It is broken."

    async def close(self) -> None:
        """Nothing is open."""

    def fail_for_now(self, retry_after: timedelta | None = None) -> None:
        self.answer = lambda _delivery: FailedForNow("Try again later.", retry_after)

    def fail_for_good(self) -> None:
        self.answer = lambda _delivery: FailedForGood("No such mailbox.")

    def break_with(self, error: BaseException) -> None:
        """Raise *error* from now on instead of sending."""
        self._error = error

    def hang(self) -> None:
        """Take messages from now on and never say so."""
        self._hangs = True

    def recover(self) -> None:
        self.answer, self._error, self._hangs = _sent, None, False

    def _take(self, delivery: Delivery) -> Outcome:
        outcome = self.answer(delivery)
        if isinstance(outcome, Sent):
            if not self.deduplicates or delivery.key not in self.accepted:
                self.reached.append(delivery)
            self.accepted[delivery.key] = delivery
        return outcome
