"""Messages leave to standard output, a line each."""

import sys
from collections.abc import Sequence
from typing import TextIO

from adapters.delivery.texts import text_of
from application.deliveries import Delivery, Outcome, Sent
from application.ports import DeliveryChannel


class ConsoleChannel(DeliveryChannel):
    """Prints one line per message: instant due, key, address, subject."""

    __slots__ = ("_stream",)

    name = "console"
    deduplicates = False
    reaches_people = False
    batch_size = 500

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        for delivery in deliveries:
            line = f"{delivery.due_at:%Y-%m-%dT%H:%M:%SZ}  {delivery.recipient.email}  {text_of(delivery).subject}"
            print(line, file=self._stream)
        self._stream.flush()
        return [Sent()] * len(deliveries)
