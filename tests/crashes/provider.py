"""A provider that keeps books of its own, in a file: whatever dies, what it has taken over stays written."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs

from application.deliveries import Delivery, DeliveryChannel, FailedForGood, FailedForNow, Outcome, Sent
from domain.message import MessageKey
from tests.cache.intercepting import Around, pass_on

TAKEN, REFUSED, BUSY, DOUBTED = "Taken", "Refused", "Busy", "Doubted"
"""First names, by which the provider decides: what it refuses, is too busy for at first, or takes without a word."""


@attrs.frozen
class Books:
    """What the provider has taken over, a line each."""

    path: Path

    def note(self, key: MessageKey) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{key}\n".encode())
        finally:
            os.close(descriptor)

    def accepted(self) -> Counter[MessageKey]:
        """Return how often each message reached its person."""
        if not self.path.exists():
            return Counter()
        return Counter(map(MessageKey.parse, self.path.read_text().splitlines()))


class Provider(DeliveryChannel):
    """Takes messages one by one; with *deduplicates*, one that it knows already is taken and does not arrive again."""

    name = "provider"
    reaches_people = False
    batch_size = 100

    def __init__(self, books: Books, *, deduplicates: bool, around: Around = pass_on) -> None:
        self.deduplicates = deduplicates
        self._books = books
        self._around = around

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return await self._around("send", partial(self._take_all, deliveries))

    async def trouble(self) -> str | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""

    async def _take_all(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._around("accept", partial(self._take, delivery)) for delivery in deliveries]

    async def _take(self, delivery: Delivery) -> Outcome:
        is_first = delivery.fence == 1
        match delivery.recipient.first_name:
            case name if name == REFUSED:
                return FailedForGood("No such mailbox.")
            case name if name == BUSY and is_first:
                return FailedForNow("Try again later.")
        if not (self.deduplicates and delivery.key in self._books.accepted()):
            self._books.note(delivery.key)
        if delivery.recipient.first_name == DOUBTED and is_first:
            return FailedForNow("The provider hung up.", may_have_arrived=True)
        return Sent()
