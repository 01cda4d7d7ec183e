"""What every channel keeps to: an outcome for each, in order, and no exception for one that cannot be sent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from application.deliveries import Delivery, DeliveryChannel, Recipient, Sent
from tests.contract.people import message, person


def delivery(first_name: str = "Ada", **values: Any) -> Delivery:
    """Return a claimed message to somebody new."""
    held = message(user := person(first_name))
    return Delivery(
        **{
            "key": held.key,
            "fence": 1,
            "attempt": 1,
            "due_at": held.due_at,
            "expires_at": held.due_at + timedelta(hours=24),
            "years": 37,
            "recipient": Recipient(user.first_name, user.last_name, user.email),
            **values,
        }
    )


Reached = Callable[[], Awaitable[Sequence[str]]]
"""Returns the addresses that were reached, one for each message, in any order."""


class ChannelContract:
    """A channel whose far side is well."""

    async def test_it_says_what_it_is(self, channel: DeliveryChannel) -> None:
        assert channel.name.isidentifier()
        assert channel.batch_size > 0
        assert isinstance(channel.deduplicates, bool)
        assert isinstance(channel.reaches_people, bool)

    async def test_it_is_well_and_to_say_so_sends_nothing(
        self, channel: DeliveryChannel, reached: Reached
    ) -> None:
        assert await channel.trouble() is None
        assert list(await reached()) == []

    async def test_nothing_is_sent_of_nothing(self, channel: DeliveryChannel, reached: Reached) -> None:
        assert list(await channel.send_many([])) == []
        assert list(await reached()) == []

    async def test_everybody_is_reached(self, channel: DeliveryChannel, reached: Reached) -> None:
        deliveries = [delivery(f"P{number}") for number in range(25)]
        assert list(await channel.send_many(deliveries)) == [Sent()] * 25
        assert sorted(await reached()) == sorted(one.recipient.email for one in deliveries)

    async def test_batches_may_overlap(self, channel: DeliveryChannel, reached: Reached) -> None:
        batches = [[delivery(f"P{number}") for number in range(15)] for _ in range(2)]
        for outcomes in await asyncio.gather(*map(channel.send_many, batches)):
            assert list(outcomes) == [Sent()] * 15
        expected = sorted(one.recipient.email for batch in batches for one in batch)
        assert sorted(await reached()) == expected

    async def test_any_name_and_age_can_be_written(self, channel: DeliveryChannel) -> None:
        deliveries = [
            delivery(recipient=Recipient("Zoë 🎂", "李 {0} %s <b>&", "zoë@exämple.com"), years=None),
            delivery(recipient=Recipient("x" * 200, "y" * 200, "x@example.com"), years=1),
            delivery(recipient=Recipient("=?utf-8?q?x?=", "$name ${name}", "x.y+z@example.com"), years=123),
        ]
        assert list(await channel.send_many(deliveries)) == [Sent()] * 3

    async def test_a_repeat_is_taken_over_as_well(self, channel: DeliveryChannel, reached: Reached) -> None:
        one = delivery()
        again = Delivery(one.key, 2, 2, one.due_at, one.expires_at, one.years, one.recipient)
        assert list(await channel.send_many([one])) == [Sent()]
        assert list(await channel.send_many([again])) == [Sent()]
        assert len(await reached()) == (1 if channel.deduplicates else 2)
