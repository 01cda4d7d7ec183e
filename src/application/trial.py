"""A message that an operator sends to see it arrive."""

from datetime import timedelta
from uuid import uuid4

import attrs

from application.deliveries import Delivery, DeliveryChannel, Outcome, Recipient
from application.ports import Clock
from application.texts import SAMPLE
from domain.message import MessageKey
from domain.occasion import Kind
from domain.user import Particulars, UserId, register


@attrs.frozen
class SendTrial:
    """A birthday message as somebody made up would get it, marked as a test, to an address of the operator's.

    It goes past the ledger, its pauses and its limits: it is to show what the far side says now.
    """

    channel: DeliveryChannel
    clock: Clock

    async def __call__(self, email: str) -> Outcome:
        """Return what the channel says. Raises InvalidField."""
        now = self.clock.now()
        told = Particulars(
            first_name=SAMPLE.first_name, last_name=SAMPLE.last_name, email=email, timezone="Etc/UTC"
        )
        user = register(UserId(uuid4()), told, now)
        delivery = Delivery(
            key=MessageKey(now.date(), Kind.BIRTHDAY, user.id),
            fence=1,
            attempt=1,
            due_at=now,
            expires_at=now + timedelta(days=1),
            years=SAMPLE.years,
            recipient=Recipient(user.first_name, user.last_name, user.email),
            is_trial=True,
        )
        [outcome] = await self.channel.send_many([delivery])
        return outcome
