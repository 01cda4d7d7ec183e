"""Messages leave by a mail server."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from functools import partial

from adapters.delivery.batch import send_in_turn
from adapters.delivery.mail import MailUnwritable, mail_of
from adapters.delivery.smtp_line import MailServer, SmtpLine
from application.deliveries import Delivery, DeliveryChannel, FailedForGood, Outcome
from application.texts import Text, TextUnwritable

_MAILS_PER_CONNECTION = 10  # in one batch


class SmtpChannel(DeliveryChannel):
    """Hands mails in over connections that stay open; a mail server does not de-duplicate.

    What it refuses with 5xx is refused for good, with 4xx for now; where it refuses us, is busy or is not
    there, all messages wait. Only a mail that was handed over whole and never answered is in doubt.
    """

    __slots__ = ("_lines", "_message_s", "_sender", "_write", "batch_size")

    name = "smtp"
    deduplicates = False
    reaches_people = True

    def __init__(
        self,
        server: MailServer,
        sender: str,
        write: Callable[[Delivery], Text],
        *,
        connections: int,
        message_s: float,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """*trusted* holds the authorities that certify the server; else those of the machine."""
        context = trusted or ssl.create_default_context()
        self._lines = [SmtpLine(server, sender, context) for _ in range(connections)]
        self._sender = sender
        self._write = write
        self._message_s = message_s
        self.batch_size = connections * _MAILS_PER_CONNECTION

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        senders = [partial(self._send, line) for line in self._lines]
        return await send_in_turn(self.name, deliveries, senders, self._message_s)

    async def trouble(self) -> str | None:
        return await self._lines[0].try_out(self._message_s)

    async def close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(*(line.quit() for line in self._lines))
        for line in self._lines:
            line.close()

    async def _send(self, line: SmtpLine, delivery: Delivery, within_s: float) -> Outcome:
        try:
            mail = mail_of(delivery, self._write(delivery), self._sender)
        except (MailUnwritable, TextUnwritable) as error:
            return FailedForGood(type(error).__doc__ or "")
        return await line.send(mail, within_s)
