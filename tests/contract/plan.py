"""What every plan keeps to: what the calendar owes, once, whoever plans and however often."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.ledger import PlanReport
from application.ports import Shard
from application.users import replan
from domain.due import SendPolicy, zone_table
from domain.events import MessagesChanged
from domain.message import Action, Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.plan import owed, plan_user
from domain.user import User, remove
from tests.contract.adapters import POLICY, START, Adapters
from tests.contract.people import (
    BERLIN,
    INSTANTS,
    NINE_IN_BERLIN,
    PI_DAY,
    ZONES,
    born_on_pi_day,
    message,
    pasts_of,
    people_around,
    person,
)

_POLICIES = st.builds(SendPolicy, leap_day_rule=st.sampled_from(LeapDayRule))
_RANDOM = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # each example takes its people away at its end
        HealthCheck.differing_executors,  # a contract is kept by several classes
        HealthCheck.too_slow,
    ],
)


class PlanContract:
    """Messages.plan and prepare."""

    async def test_what_is_owed_stands_in_the_ledger_afterwards(self, adapters: Adapters) -> None:
        ada = born_on_pi_day(anniversary=date(2020, 3, 14))
        await adapters.add(ada)
        adapters.told.forget()
        assert await adapters.plan(BERLIN) == PlanReport(scheduled=2, skipped=0)
        assert await adapters.messages_of(ada) == {
            one.key: one
            for one in (
                message(ada, PI_DAY, Kind.BIRTHDAY, due_at=NINE_IN_BERLIN, years=37),
                message(ada, PI_DAY, Kind.ANNIVERSARY, due_at=NINE_IN_BERLIN, years=7),
            )
        }
        assert adapters.told.events == [MessagesChanged()]

    async def test_the_table_of_all_zones_can_be_planned(self, adapters: Adapters) -> None:
        await adapters.add(*(born_on_pi_day(timezone=name) for name in ZONES))
        assert await adapters.plan() == PlanReport(len(ZONES), 0)

    async def test_planning_twice_adds_nothing(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.plan(BERLIN)
        before = await adapters.messages_of(ada)
        await adapters.set_now(START + timedelta(hours=1))
        adapters.told.forget()
        assert await adapters.plan(BERLIN) == PlanReport(0, 0)
        assert await adapters.messages_of(ada) == before
        assert adapters.told.events == []

    async def test_two_planners_at_once_add_everything_once(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(50)]
        await adapters.add(*people)
        reports = await asyncio.gather(*(adapters.plan(BERLIN) for _ in range(4)))
        assert sum(report.scheduled for report in reports) == 50
        assert len(await adapters.messages_of(*people)) == 50

    async def test_a_plan_that_is_not_committed_is_gone(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        async with adapters.unit_of_work() as uow:
            await uow.messages.prepare(PI_DAY, PI_DAY)
            report = await uow.messages.plan(zone_table(POLICY, PI_DAY, PI_DAY, [BERLIN]), POLICY)
        assert report.scheduled == 1
        assert await adapters.messages_of(ada) == {}

    async def test_what_the_ledger_holds_already_is_left_alone(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(len(Status))]
        held = [
            message(user, status=status, due_at=START, attempt=1, fence=1)
            for user, status in zip(people, Status, strict=True)
        ]
        await adapters.add(*people)
        await adapters.keep(*held)
        assert await adapters.plan(BERLIN) == PlanReport(0, 0)
        assert await adapters.messages_of(*people) == {one.key: one for one in held}

    async def test_a_second_greeting_is_skipped_and_stays_visible(self, adapters: Adapters) -> None:
        ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(
            message(ada, date(2026, 9, 1), status=Status.SENT, sent_at=START),
            message(bob, date(2026, 3, 14), status=Status.SENT, sent_at=START),
            message(bob, date(2026, 9, 1), Kind.ANNIVERSARY, status=Status.SENT, sent_at=START),
        )
        assert await adapters.plan(BERLIN) == PlanReport(scheduled=1, skipped=1)
        skipped = await adapters.message(MessageKey(PI_DAY, Kind.BIRTHDAY, ada.id))
        assert (skipped.status, skipped.reason) == (Status.SKIPPED, Reason.GREETED_RECENTLY)
        assert (await adapters.message(message(bob).key)).status is Status.SCHEDULED

    async def test_a_greeting_that_may_have_arrived_counts_and_one_on_its_way_is_waited_for(
        self, adapters: Adapters
    ) -> None:
        ada, bob, eve = born_on_pi_day("Ada"), born_on_pi_day("Bob"), born_on_pi_day("Eve")
        before = date(2027, 3, 13)
        await adapters.add(ada, bob, eve)
        await adapters.keep(
            message(ada, before, status=Status.RETRYING, retry_at=START, may_have_arrived=True, due_at=START),
            message(bob, before, status=Status.RETRYING, retry_at=START, due_at=START),
            message(eve, before, status=Status.SENDING, due_at=START),
        )
        assert await adapters.plan(BERLIN) == PlanReport(scheduled=1, skipped=1)
        assert (await adapters.message(message(ada).key)).status is Status.SKIPPED
        assert (await adapters.message(message(bob).key)).status is Status.SCHEDULED
        assert message(eve).key not in await adapters.messages_of(eve)

    @pytest.mark.parametrize(
        "changes",
        (
            {"deleted_at": START},
            {"birthday": None},
            {"birthday": AnnualDate(3, 14, 2027)},
            {"birthday": AnnualDate(3, 14, 2028)},
            {"birthday": AnnualDate(3, 15, 1990), "timezone": "UTC"},
            {"birthday_known_at": NINE_IN_BERLIN + timedelta(microseconds=1)},
        ),
        ids=("deleted", "no-birthday", "newborn", "unborn", "other-zone", "known-too-late"),
    )
    async def test_who_is_owed_nothing_gets_nothing(
        self, adapters: Adapters, changes: dict[str, Any]
    ) -> None:
        await adapters.add(born_on_pi_day(**changes))
        assert await adapters.plan(BERLIN) == PlanReport(0, 0)

    @pytest.mark.parametrize(
        ("now", "report"),
        (
            (NINE_IN_BERLIN + timedelta(hours=24) - timedelta(microseconds=1), PlanReport(1, 0)),
            (NINE_IN_BERLIN + timedelta(hours=24), PlanReport(0, 0, expired=1)),
        ),
    )
    async def test_a_window_that_has_passed_is_shown_and_not_made_up_for(
        self, adapters: Adapters, now: datetime, report: PlanReport
    ) -> None:
        ada = born_on_pi_day(birthday_known_at=NINE_IN_BERLIN)
        await adapters.add(ada)
        await adapters.set_now(now)
        assert await adapters.plan(BERLIN) == report
        held = await adapters.message(message(ada).key)
        expected = (Status.EXPIRED, Reason.WINDOW_PASSED) if report.expired else (Status.SCHEDULED, None)
        assert (held.status, held.reason) == expected
        assert held.expires_at == NINE_IN_BERLIN + timedelta(hours=24)

    @pytest.mark.parametrize(
        ("year", "rule", "policy_rule", "kept_on"),
        (
            (2027, None, LeapDayRule.FEB28, date(2027, 2, 28)),
            (2027, None, LeapDayRule.MAR1, date(2027, 3, 1)),
            (2027, None, LeapDayRule.LEAP_YEARS_ONLY, None),
            (2027, LeapDayRule.MAR1, LeapDayRule.FEB28, date(2027, 3, 1)),
            (2027, LeapDayRule.LEAP_YEARS_ONLY, LeapDayRule.MAR1, None),
            (2028, LeapDayRule.LEAP_YEARS_ONLY, LeapDayRule.MAR1, date(2028, 2, 29)),
            (2028, LeapDayRule.MAR1, LeapDayRule.FEB28, date(2028, 2, 29)),
            (2028, None, LeapDayRule.FEB28, date(2028, 2, 29)),
        ),
    )
    async def test_a_leap_day_is_kept_by_its_rule(
        self,
        adapters: Adapters,
        year: int,
        rule: LeapDayRule | None,
        policy_rule: LeapDayRule,
        kept_on: date | None,
    ) -> None:
        ada = person(birthday=AnnualDate(2, 29, 2000), leap_day_rule=rule)
        await adapters.add(ada)
        await adapters.set_now(datetime(year, 2, 27, tzinfo=UTC))
        await adapters.plan(BERLIN, policy=SendPolicy(leap_day_rule=policy_rule))
        assert [key.occasion_on for key in await adapters.messages_of(ada)] == (
            [] if kept_on is None else [kept_on]
        )

    @pytest.mark.slow
    @_RANDOM
    @given(data=st.data())
    async def test_the_plan_of_all_is_the_plan_of_each(self, adapters: Adapters, data: st.DataObject) -> None:
        """The zone table joined with the users comes to what domain.plan.plan_user says of each of them."""
        now, policy = data.draw(INSTANTS), data.draw(_POLICIES)
        people = data.draw(st.lists(people_around(now), min_size=1, max_size=12))
        past = [one for user in people for one in data.draw(pasts_of(user, now))]
        await adapters.set_now(now)
        await adapters.add(*people)
        if past:
            await adapters.keep(*past)
        report = await adapters.plan(*ZONES, policy=policy)
        expected = {one.key: one for one in past}
        for user in people:
            history = [one for one in past if one.key.user_id == user.id]
            expected.update((one.key, one) for one in plan_user(user, history, policy, now))
        assert await adapters.messages_of(*people) == expected
        assert report.scheduled + report.skipped + report.expired == len(expected) - len(past)
        await _erase(adapters, people)

    @pytest.mark.slow
    @_RANDOM
    @given(data=st.data())
    async def test_any_dates_can_be_planned(self, adapters: Adapters, data: st.DataObject) -> None:
        now, policy = data.draw(INSTANTS), data.draw(_POLICIES)
        people = data.draw(st.lists(people_around(now), min_size=1, max_size=8))
        first = now.date() + timedelta(data.draw(st.integers(-5, 5)))
        last = first + timedelta(data.draw(st.integers(0, 40)))
        await adapters.set_now(now)
        await adapters.add(*people)
        await adapters.plan(*ZONES, first=first, last=last, policy=policy)
        assert await adapters.messages_of(*people) == {
            one.message.key: one.message.moved(Action.SKIP, now, Reason.OPTED_OUT)
            if user.is_opted_out(one.occasion.kind)
            else one.message
            if one.message.expires_at > now
            else one.message.moved(Action.EXPIRE, now, Reason.WINDOW_PASSED)
            for user in people
            for one in owed(user, policy, first, last, now)
            if user.deleted_at is None and one.message.due_at >= user.known_at(one.occasion.kind)
        }
        await _erase(adapters, people)

    async def test_somebody_who_changes_meanwhile_is_planned_as_changed(self, adapters: Adapters) -> None:
        ada, eve = born_on_pi_day("Ada"), born_on_pi_day("Eve")
        moved = attrs.evolve(ada, birthday=AnnualDate(3, 15, 1990), version=2)
        gone = remove(eve, START)
        await adapters.add(ada, eve)
        await _make_room(adapters)
        changing = asyncio.Event()

        async def change() -> None:
            async with adapters.unit_of_work() as uow:
                for user in (ada, eve):
                    await uow.users.get(user.id)
                await uow.users.save([(ada, moved), (eve, gone)])
                await replan(uow, [moved, gone], POLICY, START)
                changing.set()
                await asyncio.sleep(0.2)  # until the plan waits
                await uow.commit()

        async def plan() -> None:
            await changing.wait()
            await adapters.plan(BERLIN)

        await asyncio.gather(change(), plan())
        held = await adapters.messages_of(ada, eve)
        assert [key.occasion_on for key, one in held.items() if one.is_open] == [date(2027, 3, 15)]

    async def test_somebody_who_is_planned_anew_meanwhile_is_planned_once(self, adapters: Adapters) -> None:
        """The plan waits for them, and finds that they have their message, as has one more that nobody held."""
        ada, eve = born_on_pi_day("Ada"), born_on_pi_day("Eve")
        await adapters.add(ada, eve)
        await _make_room(adapters)
        planning = asyncio.Event()

        async def plan_anew() -> None:
            async with adapters.unit_of_work() as uow:
                await uow.users.by_ids([ada.id])
                await replan(uow, [ada], POLICY, START)
                planning.set()
                await asyncio.sleep(0.2)  # until the plan waits
                await uow.commit()

        async def plan() -> PlanReport:
            await planning.wait()
            return await adapters.plan(BERLIN)

        _, report = await asyncio.gather(plan_anew(), plan())
        assert report == PlanReport(scheduled=1, skipped=0)
        assert {key.user_id for key in await adapters.messages_of(ada, eve)} == {ada.id, eve.id}

    async def test_somebody_who_comes_meanwhile_is_planned_once(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(5)]

        await _make_room(adapters)

        async def come(user: User) -> None:
            async with adapters.unit_of_work() as uow:
                await uow.users.add([user])
                await replan(uow, [user], POLICY, START)
                await asyncio.sleep(0.01)
                await uow.commit()

        await asyncio.gather(*(come(user) for user in people), adapters.plan(BERLIN), adapters.plan(BERLIN))
        held: list[Message] = list((await adapters.messages_of(*people)).values())
        assert len(held) == 5
        assert {one.status for one in held} == {Status.SCHEDULED}

    async def test_each_shard_plans_its_own_people(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(20)]
        await adapters.add(*people)
        table = zone_table(POLICY, PI_DAY, PI_DAY, [BERLIN])
        for number in range(3):
            shard = Shard(number, 3)
            async with adapters.unit_of_work() as uow:
                await uow.messages.prepare(PI_DAY, PI_DAY)
                await uow.messages.plan(table, POLICY, shard)
                await uow.commit()
            held = await adapters.messages_of(*people)
            planned = {
                user.id for user in people if any(Shard(n, 3).holds(user.id) for n in range(number + 1))
            }
            assert {key.user_id for key in held} == planned
        assert len(held) == 20

    async def test_room_can_be_made_twice_and_by_two_at_once(self, adapters: Adapters) -> None:
        async def prepare() -> None:
            async with adapters.unit_of_work() as uow:
                await uow.messages.prepare(date(2027, 11, 30), date(2028, 3, 1))
                await uow.messages.prepare(date(2027, 12, 31), date(2028, 1, 1))
                await uow.commit()

        await asyncio.gather(*(prepare() for _ in range(3)))
        await prepare()
        ada = person()
        await adapters.keep(message(ada, date(2028, 2, 29)), message(ada, date(2027, 11, 30)))
        assert len(await adapters.messages_of(ada)) == 2


async def _make_room(adapters: Adapters) -> None:
    """So that nobody waits for another one who makes it."""
    async with adapters.unit_of_work() as uow:
        await uow.messages.prepare(*POLICY.plan_dates(START))
        await uow.commit()


async def _erase(adapters: Adapters, people: list[User]) -> None:
    async with adapters.unit_of_work() as uow:
        for user in people:
            await uow.users.erase(user)
        await uow.commit()
