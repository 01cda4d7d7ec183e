"""What every brake keeps to: far more than usual does not leave before somebody has confirmed it."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from application.retention import ForgetWhatIsOld
from domain.brake import LOOKS_BACK, Brake, Braked
from domain.message import Reason, Status
from tests.contract.adapters import POLICY, START, TERMS, Adapters
from tests.contract.people import born_on_pi_day, message

HOUR = timedelta(hours=1)
BRAKE = Brake(factor=5, least=4)
STOPPED = attrs.evolve(TERMS, brake=BRAKE)


async def due(adapters: Adapters, number: int, hours: int = 0, **values: Any) -> None:
    """Let so many messages wait that were due within an hour, which began so many hours after START."""
    people = [born_on_pi_day(f"P{count}") for count in range(number)]
    at = START + hours * HOUR
    values.setdefault("expires_at", at + 48 * HOUR)
    held = [
        message(user, due_at=at + timedelta(minutes=count % 60), **values)
        for count, user in enumerate(people)
    ]
    await adapters.add(*people)
    if held:
        await adapters.keep(*held)


async def claim(adapters: Adapters, hours: float, limit: int = 1000) -> tuple[int, Braked | None]:
    """Claim at the end of that hour; return how many, and what stopped it."""
    await adapters.set_now(START + (hours + 1) * HOUR)
    async with adapters.unit_of_work() as uow:
        claimed = await uow.messages.claim(limit, STOPPED)
        await uow.commit()
    assert (claimed.pause is not None) == (claimed.braked is not None)
    return len(claimed.deliveries), claimed.braked


async def resume(adapters: Adapters) -> bool:
    async with adapters.unit_of_work() as uow:
        was_stopped = await uow.channels.let_go_on(TERMS.channel)
        await uow.commit()
    return was_stopped


async def remembered(adapters: Adapters) -> int:
    """Return how many hours are remembered, by forgetting them for a moment."""
    async with adapters.unit_of_work() as uow:
        return await uow.upkeep.forget_due_hours_before(START + 10_000 * HOUR)


class BrakeContract:
    """Messages.claim with a brake, and Channels.resume."""

    async def test_as_much_as_is_always_allowed_leaves_and_one_more_does_not(
        self, adapters: Adapters
    ) -> None:
        await due(adapters, 4)
        assert await claim(adapters, 0) == (4, None)
        await due(adapters, 5, hours=50)
        assert await claim(adapters, 50) == (5, None), "five times what was due before"
        await due(adapters, 26, hours=60)
        assert await claim(adapters, 60) == (0, Braked(START + 60 * HOUR, 26, 25))

    async def test_nothing_at_all_leaves_while_it_stops(self, adapters: Adapters) -> None:
        await due(adapters, 5)
        await due(adapters, 1, hours=1)
        stopped = Braked(START, 5, 4)
        assert await claim(adapters, 1) == (0, stopped)
        [channel] = await adapters.operator_reader.paused_channels()
        assert (channel.name, channel.braked) == (TERMS.channel, stopped)

    async def test_what_has_left_of_an_hour_counts_with_what_waits(self, adapters: Adapters) -> None:
        await due(adapters, 3)
        assert await claim(adapters, 0) == (3, None)
        await due(adapters, 2)
        assert await claim(adapters, 0) == (0, Braked(START, 5, 4))

    async def test_after_a_downtime_each_hour_counts_for_itself(self, adapters: Adapters) -> None:
        for hours in range(6):
            await due(adapters, 4, hours=hours)
        assert await claim(adapters, 6) == (24, None)

    async def test_once_confirmed_the_same_surge_does_not_stop_it_again(self, adapters: Adapters) -> None:
        await due(adapters, 9)
        await due(adapters, 12, hours=1)
        assert await claim(adapters, 1) == (0, Braked(START + HOUR, 12, 4))
        assert await resume(adapters)
        assert await adapters.operator_reader.paused_channels() == []
        assert await claim(adapters, 1) == (21, None)
        await due(adapters, 11, hours=2)
        assert await claim(adapters, 2) == (11, None)
        assert not await resume(adapters)

    async def test_it_goes_on_by_itself_once_the_surge_is_gone(self, adapters: Adapters) -> None:
        await due(adapters, 5, expires_at=START + 3 * HOUR)
        await due(adapters, 1, hours=1)
        assert (await claim(adapters, 1))[0] == 0
        assert await claim(adapters, 4) == (1, None)
        assert await adapters.operator_reader.paused_channels() == []

    async def test_what_an_operator_sends_is_confirmed_by_that(self, adapters: Adapters) -> None:
        await due(adapters, 9, reason=Reason.OPERATOR)
        assert await claim(adapters, 0) == (9, None)

    async def test_what_was_tried_before_was_counted_then(self, adapters: Adapters) -> None:
        await due(adapters, 9, status=Status.RETRYING, retry_at=START, attempt=1, fence=1)
        assert await claim(adapters, 0) == (9, None)

    async def test_of_many_that_it_has_seen_no_more_are_claimed_than_it_saw(self, adapters: Adapters) -> None:
        await due(adapters, 4)
        await adapters.set_now(START + HOUR)
        async with adapters.unit_of_work() as uow:
            first = await uow.messages.claim(3, STOPPED)
            await uow.commit()
        assert (len(first.deliveries), first.cleared) == (3, 1)
        await due(adapters, 9)
        async with adapters.unit_of_work() as uow:
            second = await uow.messages.claim(3, attrs.evolve(STOPPED, cleared=first.cleared))
            await uow.commit()
        assert (len(second.deliveries), second.cleared) == (1, 0)
        assert (await claim(adapters, 0))[0] == 0

    @pytest.mark.parametrize("days", (29, 31))
    async def test_it_remembers_a_month(self, adapters: Adapters, days: int) -> None:
        await due(adapters, 4)
        await claim(adapters, 0)
        await due(adapters, 20, hours=24 * days)
        assert (await claim(adapters, 24 * days))[0] == (20 if days < 30 else 0)

    async def test_the_retention_takes_the_hours_that_nobody_looks_at_any_more(
        self, adapters: Adapters
    ) -> None:
        await due(adapters, 4)
        await claim(adapters, 0)
        await due(adapters, 21, hours=5)
        await claim(adapters, 5)
        assert await resume(adapters), "which is remembered as confirmed"
        forget = ForgetWhatIsOld(adapters.unit_of_work, POLICY, timedelta(days=400))
        kept = LOOKS_BACK + POLICY.window + HOUR
        for at, left in ((kept, 2), (kept + HOUR, 1), (2 * kept, 0)):
            await adapters.set_now(START + at)
            await forget()
            assert await remembered(adapters) == left

    async def test_what_is_forgotten_is_usual_no_more(self, adapters: Adapters) -> None:
        await due(adapters, 4)
        assert await claim(adapters, 0) == (4, None)
        await due(adapters, 20, hours=50)
        async with adapters.unit_of_work() as uow:
            assert await uow.upkeep.forget_due_hours_before(START) == 0
            assert await uow.upkeep.forget_due_hours_before(START + HOUR) == 1
            await uow.commit()
        assert await claim(adapters, 50) == (0, Braked(START + 50 * HOUR, 20, 4))
