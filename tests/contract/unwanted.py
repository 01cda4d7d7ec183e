"""What every ledger keeps from leaving, whoever wants it: what a person does not want, and where mail may not go."""

from datetime import date

import attrs
import pytest

from domain.message import Message, Reason, Status
from domain.occasion import Kind
from domain.plan import plan_user
from domain.user import UserId
from tests.contract.adapters import POLICY, START, TERMS, Adapters
from tests.contract.people import NINE_IN_BERLIN, born_on_pi_day, message

BIRTHDAYS = frozenset({Kind.BIRTHDAY})


async def claim(adapters: Adapters, *domains: str) -> list[UserId]:
    terms = attrs.evolve(TERMS, allowed_domains=frozenset(domains) or None)
    async with adapters.unit_of_work() as uow:
        claimed = await uow.messages.claim(100, terms)
        await uow.commit()
    return [one.key.user_id for one in claimed.deliveries]


async def fate(adapters: Adapters, one: Message) -> tuple[Status, Reason | None]:
    held = await adapters.message(one.key)
    return held.status, held.reason


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
