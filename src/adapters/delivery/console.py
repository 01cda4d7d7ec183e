"""Messages leave to standard output, a line each."""

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from application.deliveries import Delivery, DeliveryChannel, FailedForGood, Outcome, Sent
from application.texts import Text, TextUnwritable


class ConsoleChannel(DeliveryChannel):
    """Prints one line per message: instant due, key, address, subject."""

    __slots__ = ("_stream", "_write")

    name = "console"
    deduplicates = False
    reaches_people = False
    batch_size = 500

    def __init__(self, write: Callable[[Delivery], Text], stream: TextIO | None = None) -> None:
        self._write = write
        self._stream = stream or sys.stdout

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = [self._send(delivery) for delivery in deliveries]
        self._stream.flush()
        return outcomes

    async def trouble(self) -> str | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""

    def _send(self, delivery: Delivery) -> Outcome:
        try:
            subject = self._write(delivery).subject
        except TextUnwritable as error:
            return FailedForGood(type(error).__doc__ or "")
        print(
            f"{delivery.due_at:%Y-%m-%dT%H:%M:%SZ}  {delivery.recipient.email}  {subject}", file=self._stream
        )
        return Sent()
