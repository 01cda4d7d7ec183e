"""What PlanMessages keeps to, which plans all shards at once, each in a transaction of its own."""

import asyncio
from datetime import date, timedelta

from application.ledger import PlanReport
from application.planning import PlanMessages
from domain.events import MessagesChanged
from domain.message import Status
from tests.contract.adapters import POLICY, Adapters
from tests.contract.people import born_on_pi_day

_PEOPLE = 40


class PlanAtOnceContract:
    """PlanMessages, over everybody."""

    async def test_everybody_is_planned_in_whichever_shard(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(_PEOPLE)]
        await adapters.add(*people)
        adapters.told.forget()
        plan = PlanMessages(adapters.unit_of_work, POLICY)
        assert await plan() == PlanReport(_PEOPLE, 0)
        assert len(await adapters.messages_of(*people)) == _PEOPLE
        assert adapters.told.events == [MessagesChanged(), MessagesChanged()]
        assert await planned_until(adapters) == await last_of_window(adapters)
        assert await plan() == PlanReport(0, 0)

    async def test_two_who_plan_at_once_and_one_who_plans_all_in_one_piece_add_everything_once(
        self, adapters: Adapters
    ) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(_PEOPLE)]
        await adapters.add(*people)
        plan = PlanMessages(adapters.unit_of_work, POLICY)
        reports = await asyncio.gather(plan(), adapters.plan(), plan(dry_run=True), plan())
        assert sum(reports[place].scheduled for place in (0, 1, 3)) == _PEOPLE
        held = (await adapters.messages_of(*people)).values()
        assert [one.status for one in held] == [Status.SCHEDULED] * _PEOPLE

    async def test_a_dry_run_tells_the_same_and_keeps_nothing(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(_PEOPLE)]
        await adapters.add(*people)
        adapters.told.forget()
        plan = PlanMessages(adapters.unit_of_work, POLICY)
        assert await plan(dry_run=True) == PlanReport(_PEOPLE, 0)
        assert await adapters.messages_of(*people) == {}
        assert adapters.told.events == []
        assert await planned_until(adapters) is None

    async def test_other_dates_than_the_window_move_no_bookmark(self, adapters: Adapters) -> None:
        last = await last_of_window(adapters)
        plan = PlanMessages(adapters.unit_of_work, POLICY)
        await plan(last + timedelta(days=1), last + timedelta(days=2))
        assert await planned_until(adapters) is None


async def planned_until(adapters: Adapters) -> date | None:
    async with adapters.unit_of_work() as uow:
        return (await uow.upkeep.bookmark()).planned_until


async def last_of_window(adapters: Adapters) -> date:
    async with adapters.unit_of_work() as uow:
        return POLICY.plan_dates(await uow.now())[1]
