"""What every ledger keeps from leaving: what a person does not want, the day itself, and where mail may not go."""

from datetime import date, timedelta

import attrs
import pytest

from application.ledger import PlanReport
from application.users import replan
from domain.message import Message, Reason, Status
from domain.occasion import AnnualDate, Kind
from domain.plan import plan_user
from domain.user import User, UserId
from tests.contract.adapters import POLICY, START, TERMS, Adapters
from tests.contract.people import NINE_IN_BERLIN, PI_DAY, born_on_pi_day, message, person

BIRTHDAYS = frozenset({Kind.BIRTHDAY})
NOT_A_YEAR = (Status.SKIPPED, Reason.ZERO_YEARS)


async def claim(adapters: Adapters, *domains: str) -> list[UserId]:
    terms = attrs.evolve(TERMS, allowed_domains=frozenset(domains) or None)
    async with adapters.unit_of_work() as uow:
        claimed = await uow.messages.claim(100, terms)
        await uow.commit()
    return [one.key.user_id for one in claimed.deliveries]


async def fate(adapters: Adapters, one: Message) -> tuple[Status, Reason | None]:
    held = await adapters.message(one.key)
    return held.status, held.reason


async def save(adapters: Adapters, before: User, after: User) -> None:
    async with adapters.unit_of_work() as uow:
        assert await uow.users.get(before.id) == before
        await uow.users.save([(before, after)])
        await replan(uow, [after], POLICY, await uow.now())
        await uow.commit()


class UnwantedContract:
    """Messages.claim and Messages.plan, for who does not want them."""

    async def test_a_message_that_is_not_wanted_any_more_is_skipped_at_the_claim(
        self, adapters: Adapters
    ) -> None:
        ada = born_on_pi_day("Ada", anniversary=date(2020, 3, 14), opted_out=BIRTHDAYS)
        birthday, anniversary = message(ada), message(ada, kind=Kind.ANNIVERSARY)
        await adapters.add(ada)
        await adapters.keep(birthday, anniversary)
        await adapters.set_now(NINE_IN_BERLIN)
        assert [one.key for one in await adapters.claim()] == [anniversary.key]
        assert await fate(adapters, birthday) == (Status.SKIPPED, Reason.OPTED_OUT)

    @pytest.mark.parametrize("may_have_arrived", (False, True))
    async def test_not_even_an_operator_sends_it(self, adapters: Adapters, *, may_have_arrived: bool) -> None:
        ada = born_on_pi_day("Ada", opted_out=BIRTHDAYS)
        held = message(ada, reason=Reason.OPERATOR, may_have_arrived=may_have_arrived)
        await adapters.add(ada)
        await adapters.keep(held)
        await adapters.set_now(NINE_IN_BERLIN)
        assert await adapters.claim() == []
        ended = Status.UNKNOWN if may_have_arrived else Status.SKIPPED
        assert await fate(adapters, held) == (ended, Reason.OPTED_OUT)

    async def test_the_plan_says_why_nothing_comes(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", opted_out=BIRTHDAYS)
        await adapters.add(ada)
        report = await adapters.plan("Europe/Berlin")
        assert (report.scheduled, report.skipped) == (0, 1)
        held = await adapters.messages_of(ada)
        assert [(one.status, one.reason) for one in held.values()] == [(Status.SKIPPED, Reason.OPTED_OUT)]
        assert list(held.values()) == list(plan_user(ada, (), POLICY, START))

    @pytest.mark.parametrize("opted_out", (frozenset(), frozenset(Kind)), ids=("wanted", "opted-out"))
    async def test_the_day_itself_is_of_zero_years_and_says_so(
        self, adapters: Adapters, opted_out: frozenset[Kind]
    ) -> None:
        eve = born_on_pi_day("Eve", birthday=AnnualDate(3, 14, 2027), anniversary=PI_DAY, opted_out=opted_out)
        bob = person("Bob", birthday=AnnualDate(3, 14, 2026), anniversary=date(2026, 3, 14))
        ada = person("Ada", birthday=AnnualDate(3, 14))
        await adapters.add(eve, bob, ada)
        assert await adapters.plan("Europe/Berlin") == PlanReport(scheduled=3, skipped=2)
        held = await adapters.messages_of(eve)
        assert {(one.key.kind, one.years, one.status, one.reason) for one in held.values()} == {
            (kind, 0, *NOT_A_YEAR) for kind in Kind
        }
        assert list(held.values()) == list(plan_user(eve, (), POLICY, START))
        await adapters.set_now(NINE_IN_BERLIN)
        assert {one.key.user_id for one in await adapters.claim()} == {ada.id, bob.id}

    async def test_the_day_itself_is_not_expired_and_greets_nobody(self, adapters: Adapters) -> None:
        """It says why even if nobody planned in time, and no other date is held back for its sake."""
        eve = person("Eve", birthday=AnnualDate(3, 14, 2027))
        await adapters.add(eve)
        await adapters.set_now(NINE_IN_BERLIN + timedelta(days=2))
        assert await adapters.plan("Europe/Berlin") == PlanReport(scheduled=0, skipped=1)
        assert await fate(adapters, message(eve)) == NOT_A_YEAR
        moved = attrs.evolve(eve, birthday=AnnualDate(3, 17, 1990), version=2)
        await save(adapters, eve, moved)
        assert (await adapters.message(message(moved, date(2027, 3, 17)).key)).status is Status.SCHEDULED

    async def test_a_year_that_is_corrected_is_planned_as_it_is(self, adapters: Adapters) -> None:
        """To the year of the occasion, and from it to another."""
        eve = born_on_pi_day("Eve", birthday=AnnualDate(3, 14, 2027))
        ada = born_on_pi_day("Ada")
        await adapters.add(eve, ada)
        await adapters.plan("Europe/Berlin")
        await save(adapters, ada, attrs.evolve(ada, birthday=AnnualDate(3, 14, 2027), version=2))
        assert await fate(adapters, message(ada)) == NOT_A_YEAR
        await save(adapters, eve, attrs.evolve(eve, birthday=AnnualDate(3, 14, 1990), version=2))
        assert await fate(adapters, message(eve)) == (Status.SCHEDULED, None)
        await adapters.set_now(NINE_IN_BERLIN)
        assert [(one.key.user_id, one.years) for one in await adapters.claim()] == [(eve.id, 37)]

    async def test_a_year_that_changed_behind_the_plan_is_found_at_the_claim(
        self, adapters: Adapters
    ) -> None:
        eve = born_on_pi_day("Eve", birthday=AnnualDate(3, 14, 2027))
        await adapters.add(eve)
        await adapters.keep(message(eve))
        await adapters.set_now(NINE_IN_BERLIN)
        async with adapters.unit_of_work() as uow:
            claimed = await uow.messages.claim(100, TERMS)
            assert (claimed.deliveries, claimed.stale) == ([], [eve.id])
            await replan(uow, [eve], POLICY, await uow.now())
            await uow.commit()
        assert await fate(adapters, message(eve)) == NOT_A_YEAR

    async def test_an_operator_sends_it_anyway_without_a_number(self, adapters: Adapters) -> None:
        eve = born_on_pi_day("Eve", birthday=AnnualDate(3, 14, 2027))
        await adapters.add(eve)
        await adapters.plan("Europe/Berlin")
        held = await adapters.message(message(eve).key)
        async with adapters.unit_of_work() as uow:
            await uow.messages.of_users([eve.id])
            await uow.messages.save([held.retried(START, POLICY.window)])
            await replan(uow, [eve], POLICY, START)
            await uow.commit()
        await adapters.set_now(NINE_IN_BERLIN)
        assert [(one.key, one.years) for one in await adapters.claim()] == [(held.key, None)]

    async def test_mail_goes_to_the_allowed_domains_only(self, adapters: Adapters) -> None:
        inside = born_on_pi_day("Ada", email="ada@Staging.Example.com")
        outside = born_on_pi_day("Bob", email="bob@example.com")
        held = message(outside, reason=Reason.OPERATOR)
        await adapters.add(inside, outside)
        await adapters.keep(message(inside), held)
        await adapters.set_now(NINE_IN_BERLIN)
        assert await claim(adapters, "staging.example.com") == [inside.id]
        assert await fate(adapters, held) == (Status.SKIPPED, Reason.DOMAIN_NOT_ALLOWED)

    async def test_with_no_domains_named_it_goes_anywhere(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada")
        await adapters.add(ada)
        await adapters.keep(message(ada))
        await adapters.set_now(NINE_IN_BERLIN)
        assert await claim(adapters) == [ada.id]
