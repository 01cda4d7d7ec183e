"""What every claim compares with the person as they are now, and in which order it takes what is due."""

from datetime import date, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.ledger import Claim
from domain.due import SendPolicy
from domain.message import Message, Reason, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.plan import is_still_owed
from domain.user import User, remove
from tests.contract.adapters import START, TERMS, Adapters
from tests.contract.people import (
    NINE_IN_BERLIN,
    PI_DAY,
    born_on_pi_day,
    message,
    overdue,
    people_around,
    person,
)

_TRIED: dict[str, Any] = {
    "status": Status.RETRYING,
    "reason": Reason.LEASE_LOST,
    "retry_at": NINE_IN_BERLIN,
    "attempt": 1,
    "fence": 1,
}


async def _in_doubt(adapters: Adapters, reason: Reason | None) -> Message:
    """Keep a message that may have arrived by an attempt of before, and is wanted again."""
    ada = born_on_pi_day()
    held = message(ada, **{**_TRIED, "reason": reason}, may_have_arrived=True)
    await adapters.add(ada)
    await adapters.keep(held)
    await adapters.set_now(NINE_IN_BERLIN)
    return held


class ClaimTruthContract:
    """Messages.claim: S4, the truth at the last moment."""

    @pytest.mark.parametrize(
        "changes",
        (
            {"timezone": "Europe/Paris"},
            {"birthday": AnnualDate(3, 15, 1990)},
            {"birthday": None},
            {"birthday": AnnualDate(3, 14, 2027)},
            {"birthday": AnnualDate(2, 29, 1992)},
        ),
        ids=("zone", "day", "no-day", "unborn", "leap-day"),
    )
    @pytest.mark.parametrize("tried", ({}, _TRIED), ids=("new", "tried"))
    async def test_what_is_not_owed_any_more_is_left_and_its_user_returned(
        self, adapters: Adapters, changes: dict[str, Any], tried: dict[str, Any]
    ) -> None:
        ada, bob = born_on_pi_day("Ada", **changes), born_on_pi_day("Bob")
        held = message(ada, timezone="Europe/Berlin", due_at=NINE_IN_BERLIN, **tried)
        await adapters.add(ada, bob)
        await adapters.keep(held, message(bob))
        await adapters.set_now(NINE_IN_BERLIN)
        claim = await adapters.whole_claim(10)
        assert [one.key.user_id for one in claim.deliveries] == [bob.id]
        assert claim.stale == [ada.id]
        adapters.told.forget()
        assert await adapters.whole_claim(10) == Claim([], [ada.id])
        assert adapters.told.events == []
        assert await adapters.message(held.key) == held

    async def test_who_is_not_owed_theirs_any_more_holds_up_nobody_of_another_date(
        self, adapters: Adapters
    ) -> None:
        ada, bob = born_on_pi_day("Ada", timezone="Europe/Paris"), born_on_pi_day("Bob")
        due_at, expires_at = NINE_IN_BERLIN - timedelta(hours=1), NINE_IN_BERLIN + timedelta(hours=1)
        moved = message(
            ada,
            PI_DAY - timedelta(days=1),
            timezone="Europe/Berlin",
            due_at=due_at,
            expires_at=expires_at,
        )
        await adapters.add(ada, bob)
        await adapters.keep(moved, message(bob))
        await adapters.set_now(NINE_IN_BERLIN)
        claim = await adapters.whole_claim(10)
        assert [one.key.user_id for one in claim.deliveries] == [bob.id]
        assert claim.stale == [ada.id]

    async def test_an_operators_word_stands_above_the_calendar(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", birthday=AnnualDate(9, 1, 1990))
        held = message(ada, reason=Reason.OPERATOR)
        await adapters.add(ada)
        await adapters.keep(held)
        await adapters.set_now(NINE_IN_BERLIN)
        [delivery] = await adapters.claim()
        assert (await adapters.message(held.key)).reason is Reason.OPERATOR
        await adapters.reap(retries=True)
        assert (await adapters.message(held.key)).reason is Reason.OPERATOR
        [again] = await adapters.claim()
        assert (again.key, again.fence) == (delivery.key, 2)

    async def test_what_may_have_arrived_is_unknown_when_its_person_is_gone(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.keep(message(ada, **_TRIED, may_have_arrived=True))
        await adapters.save(ada, remove(ada, START))
        await adapters.set_now(NINE_IN_BERLIN)
        assert await adapters.claim() == []
        held = await adapters.message(message(ada).key)
        assert (held.status, held.reason) == (Status.UNKNOWN, Reason.USER_DELETED)

    @pytest.mark.parametrize(
        ("repeats", "reason"), ((True, None), (False, Reason.OPERATOR)), ids=("repeats", "operator")
    )
    async def test_what_may_have_arrived_leaves_again_where_that_is_wanted(
        self, adapters: Adapters, *, repeats: bool, reason: Reason | None
    ) -> None:
        held = await _in_doubt(adapters, reason)
        async with adapters.unit_of_work() as uow:
            claim = await uow.messages.claim(10, attrs.evolve(TERMS, repeats=repeats))
            await uow.commit()
        assert [delivery.key for delivery in claim.deliveries] == [held.key]

    async def test_what_may_have_arrived_is_unknown_where_it_might_be_there_twice(
        self, adapters: Adapters
    ) -> None:
        """The attempt was made by another channel, which knows a second one for the same."""
        held = await _in_doubt(adapters, None)
        async with adapters.unit_of_work() as uow:
            claim = await uow.messages.claim(10, attrs.evolve(TERMS, repeats=False))
            await uow.commit()
        assert (claim.deliveries, claim.stale) == ([], [])
        unknown = await adapters.message(held.key)
        assert unknown == attrs.evolve(
            held, status=Status.UNKNOWN, reason=Reason.IN_DOUBT, retry_at=None, updated_at=NINE_IN_BERLIN
        )

    async def test_who_has_waited_longest_comes_first_whether_new_or_tried_before(
        self, adapters: Adapters
    ) -> None:
        """Or what is to be tried again would wait for the end of a long backlog of new ones."""
        people = [born_on_pi_day(f"P{number}") for number in range(6)]
        held = [
            overdue(
                user,
                20 if number % 2 else number,
                status=Status.RETRYING if number % 2 else Status.SCHEDULED,
                retry_at=START - timedelta(hours=number) if number % 2 else None,
            )
            for number, user in enumerate(people)
        ]
        await adapters.add(*people)
        await adapters.keep(*held)
        order = [{one.key for one in await adapters.claim(2)} for _ in range(3)]
        assert order == [{held[number].key for number in pair} for pair in ((5, 4), (3, 2), (1, 0))]

    @pytest.mark.slow
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(data=st.data())
    async def test_what_is_owed_is_the_domains_word(self, adapters: Adapters, data: st.DataObject) -> None:
        on = data.draw(st.sampled_from((date(2027, 2, 28), date(2027, 3, 1), date(2028, 2, 29), PI_DAY)))
        now = message(person(), on).due_at
        rule = data.draw(st.sampled_from(LeapDayRule))
        people: list[User] = data.draw(st.lists(people_around(now), min_size=1, max_size=8))
        alive = [user for user in people if user.deleted_at is None]
        held: list[Message] = [
            message(
                user,
                on,
                kind,
                due_at=now,
                timezone=data.draw(st.sampled_from((user.timezone, user.timezone, "UTC"))),
            )
            for user in alive
            for kind in Kind
        ]
        await adapters.set_now(now)
        await adapters.add(*people)
        if held:
            await adapters.keep(*held)
        async with adapters.unit_of_work() as uow:
            claim = await uow.messages.claim(1000, attrs.evolve(TERMS, policy=SendPolicy(leap_day_rule=rule)))
        by_id = {user.id: user for user in alive}
        owed = {one.key for one in held if is_still_owed(one, by_id[one.key.user_id], rule)}
        wanted = {one.key for one in held if not by_id[one.key.user_id].is_opted_out(one.key.kind)}
        assert {one.key for one in claim.deliveries} == owed & wanted
        assert set(claim.stale) == {key.user_id for key in wanted - owed}
        async with adapters.unit_of_work() as uow:
            for user in people:
                await uow.users.erase(user)
            await uow.commit()
