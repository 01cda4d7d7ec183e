"""What every upkeep of the ledger keeps to."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from structlog.testing import capture_logs

from application.deliveries import Delivery, Sent
from application.planning import PlanAnew, PlanMessages, PlanOpenAnew
from application.ports import ALL_SHARDS, Shard
from application.upkeep import DropOldMonths
from application.upkeep_ports import Bookmark
from application.users import ChangeUser, RemoveUser
from domain import due
from domain.due import SendPolicy, zone_table
from domain.events import MessagesChanged
from domain.message import Reason, Status
from domain.occasion import AnnualDate
from domain.user import UserId
from tests.contract.adapters import POLICY, RETRIES, START, TERMS, Adapters
from tests.contract.people import BERLIN, NINE_IN_BERLIN, PI_DAY, born_on_pi_day, message, person


class UpkeepContract:
    """Upkeep, and the use cases that are made of it."""

    async def test_a_bookmark_goes_forward_only(self, adapters: Adapters) -> None:
        await _note(adapters, Bookmark())
        assert await _bookmark(adapters) == Bookmark(None, None)
        await _note(adapters, Bookmark(planned_until=PI_DAY))
        await _note(adapters, Bookmark(planned_until=PI_DAY - timedelta(days=1), reckoned_with="rules"))
        assert await _bookmark(adapters) == Bookmark(PI_DAY, "rules")
        await _note(adapters, Bookmark(reckoned_with="other rules"))
        assert await _bookmark(adapters) == Bookmark(PI_DAY, "other rules")

    async def test_who_has_open_messages_is_found_page_by_page(self, adapters: Adapters) -> None:
        people = sorted((person(f"P{number}") for number in range(9)), key=lambda user: user.id)
        await adapters.add(*people)
        await adapters.keep(
            *(message(user, status=Status.SENT) for user in people[:2]),
            *(message(user, status=Status.RETRYING, retry_at=START) for user in people[2:5]),
            *(message(user) for user in people[5:]),
            *(message(user, date(2027, 3, 15)) for user in people[5:]),
        )
        found: list[UserId] = []
        after: UserId | None = None
        async with adapters.unit_of_work() as uow:
            while page := await uow.upkeep.users_with_open_messages(after, 3):
                assert len(page) <= 3
                found += page
                after = page[-1]
        assert found == [user.id for user in people[2:]]

    async def test_old_months_are_dropped_whole(self, adapters: Adapters) -> None:
        ada = person()
        kept = [date(2027, 2, 1), PI_DAY]
        await adapters.add(ada)
        await adapters.keep(*(message(ada, on) for on in (date(2026, 12, 31), date(2027, 1, 31), *kept)))
        adapters.told.forget()
        assert await _drop_before(adapters, date(2027, 2, 28)) == 2
        assert sorted(key.occasion_on for key in await adapters.messages_of(ada)) == kept
        assert adapters.told.events == [MessagesChanged()]
        assert await _drop_before(adapters, date(2027, 2, 28)) == 0
        assert adapters.told.events == [MessagesChanged()]
        await adapters.keep(message(ada, date(2026, 12, 31)))
        assert len(await adapters.messages_of(ada)) == 3

    async def test_the_ledger_is_kept_for_as_long_as_the_settings_say(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)
        await adapters.keep(message(ada, date(2024, 2, 1)), message(ada, date(2024, 3, 1)))
        assert await DropOldMonths(adapters.unit_of_work, timedelta(days=3 * 366))() == 1
        assert [key.occasion_on for key in await adapters.messages_of(ada)] == [date(2024, 3, 1)]

    async def test_the_clock_of_the_store_is_real(self, adapters: Adapters) -> None:
        async with adapters.unit_of_work() as uow:
            assert abs(await uow.upkeep.real_now() - datetime.now(UTC)) < timedelta(seconds=2)

    async def test_after_a_long_night_what_was_missed_is_shown(self, adapters: Adapters) -> None:
        """Nobody planned for ten days: what is open still goes out, what is past its window is EXPIRED."""
        early = person("Early", birthday=AnnualDate(3, 14, 1990))
        missed = person("Missed", birthday=AnnualDate(3, 18, 1990))
        today = person("Today", birthday=AnnualDate(3, 24, 1990))
        await adapters.add(early, missed, today)
        plan = PlanMessages(adapters.unit_of_work, POLICY)
        await plan()
        [delivery] = await _claimed_at(adapters, NINE_IN_BERLIN)
        await adapters.settle((delivery, Sent()))
        now = datetime(2027, 3, 24, 12, tzinfo=UTC)
        await adapters.set_now(now)
        report = await plan()
        assert (report.scheduled, report.skipped, report.expired) == (1, 0, 1)
        held = {key.user_id: one for key, one in (await adapters.messages_of(early, missed, today)).items()}
        assert held[early.id].status is Status.SENT
        assert (held[missed.id].status, held[missed.id].reason) == (Status.EXPIRED, Reason.WINDOW_PASSED)
        assert [one.key.user_id for one in await adapters.claim()] == [today.id]
        assert await plan() == type(report)(0, 0, 0)

    async def test_two_who_catch_up_at_once_do_it_once(self, adapters: Adapters) -> None:
        people = [person(f"P{n}", birthday=AnnualDate(3, 14 + n, 1990)) for n in range(10)]
        await adapters.add(*people)
        plan = PlanMessages(adapters.unit_of_work, POLICY)
        await plan()
        await adapters.set_now(datetime(2027, 3, 23, 12, tzinfo=UTC))
        reports = await asyncio.gather(plan(), plan())
        assert len(await adapters.messages_of(*people)) == 10
        assert sum(one.expired for one in reports) + sum(one.scheduled for one in reports) <= 10

    async def test_newer_zone_data_moves_what_is_open(self, adapters: Adapters) -> None:
        ada, eve, una = born_on_pi_day("Ada"), born_on_pi_day("Eve"), born_on_pi_day("Una")
        reckoned_otherwise = NINE_IN_BERLIN + timedelta(hours=1)
        await adapters.add(ada, eve, una)
        await adapters.keep(
            message(ada, due_at=reckoned_otherwise),
            message(una, due_at=reckoned_otherwise),
            message(eve, due_at=reckoned_otherwise, status=Status.SENT, sent_at=START),
        )
        plan_open_anew = PlanOpenAnew(adapters.unit_of_work, PlanAnew(adapters.unit_of_work, POLICY), 1)
        assert await plan_open_anew() == 2, "page by page"
        assert (await adapters.message(message(ada).key)).due_at == NINE_IN_BERLIN
        assert (await adapters.message(message(una).key)).due_at == NINE_IN_BERLIN
        assert (await adapters.message(message(eve).key)).due_at == reckoned_otherwise
        assert (await _bookmark(adapters)).reckoned_with == POLICY.reckoning
        assert await plan_open_anew() == 0

    async def test_a_zone_that_newer_zone_data_has_no_more_keeps_nobody_else_from_being_planned_anew(
        self, adapters: Adapters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or that an older release, which was put back, does not have yet: theirs stay as they were reckoned."""
        people = [
            born_on_pi_day("Ada"),
            born_on_pi_day("Eve", timezone="Pacific/Apia"),
            born_on_pi_day("Una"),
        ]
        await adapters.add(*people)
        otherwise = [message(user, due_at=NINE_IN_BERLIN + timedelta(hours=1)) for user in people]
        await adapters.keep(*otherwise)
        known = due.zone_names() - {"Pacific/Apia"}
        with monkeypatch.context() as patch:
            patch.setattr(due, "zone_names", lambda: known)
            due.zone.cache_clear()
            plan_open_anew = PlanOpenAnew(adapters.unit_of_work, PlanAnew(adapters.unit_of_work, POLICY))
            with capture_logs() as lines:
                assert await plan_open_anew() == 2
            assert await plan_open_anew() == 0
        due.zone.cache_clear()
        held = {key.user_id: one for key, one in (await adapters.messages_of(*people)).items()}
        moved = [held[user.id].due_at == NINE_IN_BERLIN for user in people]
        assert moved == [True, False, True]
        assert held[people[1].id] == otherwise[1]
        assert [(line["event"], line["people"]) for line in lines] == [("people_not_planned", 1)]

    async def test_who_lives_in_a_zone_that_the_zone_data_does_not_have_is_greeted_and_can_be_moved_and_leave(
        self, adapters: Adapters
    ) -> None:
        """The message was reckoned for another zone: they were moved by hand."""
        moved, stays, leaves = people = [born_on_pi_day(name) for name in ("Moved", "Stays", "Leaves")]
        await adapters.add(*(attrs.evolve(user, timezone="Mars/Olympus_Mons") for user in people))
        await adapters.keep(*(message(user) for user in people))
        assert await PlanAnew(adapters.unit_of_work, POLICY)([stays.id]) == 1
        await ChangeUser(adapters.unit_of_work, POLICY)(moved.id, {"timezone": "Asia/Tokyo"})
        await RemoveUser(adapters.unit_of_work, POLICY)(leaves.id)
        held = {key.user_id: one for key, one in (await adapters.messages_of(*people)).items()}
        assert (held[moved.id].timezone, held[leaves.id].status) == ("Asia/Tokyo", Status.CANCELLED)
        await adapters.set_now(NINE_IN_BERLIN)
        assert stays.id in {one.key.user_id for one in await adapters.claim()}

    async def test_another_send_time_moves_what_is_open(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.plan(BERLIN)
        later = SendPolicy(send_time=POLICY.send_time.replace(hour=10))
        plan_open_anew = PlanOpenAnew(adapters.unit_of_work, PlanAnew(adapters.unit_of_work, later))
        assert await plan_open_anew() == 1
        assert (await adapters.message(message(ada).key)).due_at == NINE_IN_BERLIN + timedelta(hours=1)

    @pytest.mark.parametrize("of", (1, 4))
    async def test_the_ledger_lives_the_same_life_in_any_number_of_shards(
        self, adapters: Adapters, of: int
    ) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(24)]
        await adapters.add(*people)
        shards = [ALL_SHARDS] if of == 1 else [Shard(number, of) for number in range(of)]
        table = zone_table(POLICY, PI_DAY, PI_DAY, [BERLIN])
        for shard in shards:
            theirs = {user.id for user in people if shard.holds(user.id)}
            async with adapters.unit_of_work() as uow:
                await uow.messages.prepare(PI_DAY, PI_DAY)
                assert (await uow.messages.plan(table, POLICY, shard)).scheduled == len(theirs)
                await uow.commit()
        for shard in shards:
            theirs = {user.id for user in people if shard.holds(user.id)}
            await adapters.set_now(START)
            async with adapters.unit_of_work() as uow:
                assert await uow.messages.next_due_at(shard) == (NINE_IN_BERLIN if theirs else None)
            await adapters.set_now(NINE_IN_BERLIN)
            async with adapters.unit_of_work() as uow:
                claim = await uow.messages.claim(1000, TERMS, shard)
                await uow.commit()
            assert {one.key.user_id for one in claim.deliveries} == theirs
            half = len(theirs) // 2
            outcomes = [(one, Sent()) for one in claim.deliveries[:half]]
            async with adapters.unit_of_work() as uow:
                report = await uow.messages.settle(outcomes, RETRIES, TERMS.channel, shard)
                await uow.commit()
            assert report.lost == 0
            await adapters.expire_leases()
            async with adapters.unit_of_work() as uow:
                reaped = await uow.messages.reap(RETRIES, retries=True, limit=1000, shard=shard)
                await uow.commit()
            assert reaped.retrying == len(theirs) - half
        await adapters.set_now(NINE_IN_BERLIN + POLICY.window)
        for shard in shards:
            async with adapters.unit_of_work() as uow:
                await uow.messages.expire(1000, shard)
                await uow.commit()
        statuses = [one.status for one in (await adapters.messages_of(*people)).values()]
        assert len(statuses) == 24
        assert set(statuses) == {Status.SENT, Status.UNKNOWN}


async def _bookmark(adapters: Adapters) -> Bookmark:
    async with adapters.unit_of_work() as uow:
        return await uow.upkeep.bookmark()


async def _note(adapters: Adapters, bookmark: Bookmark) -> None:
    async with adapters.unit_of_work() as uow:
        await uow.upkeep.note(bookmark)
        await uow.commit()


async def _drop_before(adapters: Adapters, day: date) -> int:
    async with adapters.unit_of_work() as uow:
        dropped = await uow.upkeep.drop_months_before(day)
        await uow.commit()
    return dropped


async def _claimed_at(adapters: Adapters, now: datetime) -> list[Delivery]:
    await adapters.set_now(now)
    return list(await adapters.claim())
