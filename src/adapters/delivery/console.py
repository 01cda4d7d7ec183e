"""Messages leave to standard output, a line each."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TextIO

from application.deliveries import Delivery, DeliveryChannel, FailedForGood, Outcome, Sent
from application.texts import Text, TextUnwritable

_SENT = Sent()


class ConsoleChannel(DeliveryChannel):
    """Prints one line per message: instant due, key, address, subject."""

    __slots__ = ("_stream", "_write")

    name = "console"
    deduplicates = False
    reaches_people = False
    batch_size = 1000

    def __init__(self, write: Callable[[Delivery], Text], stream: TextIO | None = None) -> None:
        self._write = write
        self._stream = stream or sys.stdout

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        lines: list[str] = []
        instants: dict[datetime, str] = {}  # a crowd is due at one instant
        for delivery in deliveries:
            try:
                subject = self._write(delivery).subject
            except TextUnwritable as error:
                outcomes.append(FailedForGood(type(error).__doc__ or ""))
                continue
            due = instants.get(delivery.due_at)
            if due is None:
                due = instants[delivery.due_at] = f"{delivery.due_at:%Y-%m-%dT%H:%M:%SZ}"
            lines.append(f"{due}  {delivery.recipient.email}  {subject}\n")
            outcomes.append(_SENT)
        # One by one: of a long piece an unbuffered stream may write a part and say nothing.
        self._stream.writelines(lines)
        self._stream.flush()
        return outcomes

    async def trouble(self) -> str | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""
