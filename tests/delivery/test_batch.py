"""A batch whose far side asks to be left alone."""

from collections.abc import Sequence
from datetime import timedelta

from adapters.delivery.batch import Unreachable, send_in_turn
from adapters.memory.channel import MemoryChannel
from application.deliveries import Delivery, FailedForNow, Outcome, Sent
from domain.user import UserId
from tests.contract.adapters import START
from tests.contract.channel import delivery
from tests.use_cases.service import Service

PAUSE = timedelta(seconds=60)
PEOPLE = 20


class Grudging(MemoryChannel):
    """Wants to be left alone whenever it is given the message of *whom*, and takes every other."""

    whom: UserId

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return await send_in_turn(self.name, deliveries, [self._send], 5.0)

    async def _send(self, one: Delivery, _within_s: float) -> Outcome:
        if one.key.user_id == self.whom:
            return FailedForNow("Not now.", PAUSE)
        [outcome] = await MemoryChannel.send_many(self, [one])
        return outcome


async def test_a_message_for_which_a_pause_is_asked_each_time_keeps_nobody_else_from_leaving() -> None:
    service = Service()
    service.channel = channel = Grudging()
    rows = [f"A,B,p{number}@example.com,Europe/Berlin,--03-14" for number in range(PEOPLE)]
    await service.import_csv("\n".join(["first_name,last_name,email,timezone,birthday", *rows]))
    channel.whom = min(service.store.committed.users)
    service.at(START + timedelta(hours=20))
    for _ in range(3):
        await service.send()
        service.at(service.clock.now() + 2 * PAUSE)
        service.leases_passed_s += 2 * PAUSE.total_seconds()
    assert len(channel.reached) == PEOPLE - 1


async def test_what_was_not_tried_asks_for_no_pause() -> None:
    async def send(_one: Delivery, _within_s: float) -> Outcome:
        return FailedForNow("Not now.", PAUSE)

    outcomes = await send_in_turn("any", [delivery() for _ in range(3)], [send], 5.0)
    untried = FailedForNow("Not now.", timedelta(0))
    assert outcomes == [FailedForNow("Not now.", PAUSE), untried, untried]


async def test_where_nobody_is_there_all_wait_alike() -> None:
    async def send(one: Delivery, _within_s: float) -> Outcome:
        if one is first:
            return Sent()
        raise Unreachable("Nobody is there.", PAUSE)

    first = delivery()
    outcomes = await send_in_turn("any", [first, delivery(), delivery()], [send], 5.0)
    assert outcomes == [Sent(), *[FailedForNow("Nobody is there.", PAUSE)] * 2]
