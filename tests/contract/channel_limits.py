"""What every ledger keeps to of what a channel takes: for all processes together, and in real time."""

import asyncio
from datetime import timedelta

import attrs
import pytest

from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Sent
from application.ledger import Claim, ClaimTerms
from domain.message import RetryPolicy
from tests.contract.adapters import RETRIES, TERMS, Adapters
from tests.contract.people import born_on_pi_day, on_their_way, overdue

_BUSY = FailedForNow("busy", timedelta(minutes=10))
_SLOWLY = attrs.evolve(TERMS, rate_per_s=0.1, burst=5)


class ChannelLimitsContract:
    """Messages.claim and settle: pauses and tokens."""

    async def test_a_pause_that_the_far_side_asks_for_is_one_for_all(self, adapters: Adapters) -> None:
        deliveries = await on_their_way(adapters, 3)
        await _due(adapters, 2)
        outcomes: list[Outcome] = [Sent(), _BUSY, FailedForNow("busy", timedelta(minutes=2))]
        await adapters.settle(*zip(deliveries, outcomes, strict=True))
        claim = await _claim(adapters)
        assert claim.deliveries == []
        assert claim.pause is not None
        assert timedelta(minutes=9, seconds=50) < claim.pause <= timedelta(minutes=10)
        await adapters.let_pass(9 * 60)
        assert (await _claim(adapters)).deliveries == []
        await adapters.let_pass(61)
        found = await _claim(adapters)
        assert (len(found.deliveries), found.pause) == (2, None)

    async def test_a_shorter_pause_does_not_end_a_longer_one(self, adapters: Adapters) -> None:
        first, second = await on_their_way(adapters, 2)
        await _due(adapters, 1)
        await adapters.settle((first, _BUSY))
        await adapters.settle((second, FailedForNow("busy", timedelta(seconds=1))))
        await adapters.let_pass(60)
        assert (await _claim(adapters)).deliveries == []

    async def test_no_pause_is_longer_than_the_policy_lets_it(self, adapters: Adapters) -> None:
        """A far side that asks for a year may have meant something else."""
        [delivery] = await on_their_way(adapters)
        await _due(adapters, 1)
        policy = RetryPolicy(pause_max=timedelta(minutes=30))
        await adapters.settle((delivery, FailedForNow("busy", timedelta(days=365))), policy=policy)
        await adapters.let_pass(30 * 60 + 1)
        assert len((await _claim(adapters)).deliveries) == 1

    async def test_who_comes_too_late_with_an_outcome_is_believed_about_the_channel(
        self, adapters: Adapters
    ) -> None:
        [late] = await on_their_way(adapters)
        await adapters.reap(retries=True)
        report = await adapters.settle((late, _BUSY))
        assert report.lost == 1
        assert (await _claim(adapters)).pause is not None

    @pytest.mark.parametrize("outcome", (Sent(), FailedForNow("no"), FailedForGood("no")))
    async def test_without_being_asked_nobody_pauses(self, adapters: Adapters, outcome: Outcome) -> None:
        [delivery] = await on_their_way(adapters)
        await _due(adapters, 1)
        await adapters.settle((delivery, outcome))
        assert len((await _claim(adapters)).deliveries) == 1

    async def test_other_channels_go_on(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        await _due(adapters, 1)
        await adapters.settle((delivery, _BUSY))
        assert len((await _claim(adapters, attrs.evolve(TERMS, channel="other"))).deliveries) == 1

    async def test_a_pause_that_is_not_committed_is_none(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        await _due(adapters, 1)
        async with adapters.unit_of_work() as uow:
            await uow.messages.settle([(delivery, _BUSY)], RETRIES, TERMS.channel)
        assert len((await _claim(adapters)).deliveries) == 1

    async def test_no_more_are_claimed_than_there_are_tokens(self, adapters: Adapters) -> None:
        await _due(adapters, 9)
        assert len((await _claim(adapters, _SLOWLY)).deliveries) == 5
        empty = await _claim(adapters, _SLOWLY)
        assert empty.deliveries == []
        assert empty.pause is not None
        assert timedelta(seconds=5) < empty.pause <= timedelta(seconds=10)
        await adapters.let_pass(20)
        assert len((await _claim(adapters, _SLOWLY)).deliveries) == 2

    async def test_tokens_gather_up_to_the_burst(self, adapters: Adapters) -> None:
        await _due(adapters, 20)
        await _claim(adapters, _SLOWLY)
        await adapters.let_pass(100_000)
        assert len((await _claim(adapters, _SLOWLY)).deliveries) == 5

    async def test_only_what_is_claimed_takes_a_token(self, adapters: Adapters) -> None:
        await _due(adapters, 2)
        assert len((await _claim(adapters, _SLOWLY)).deliveries) == 2
        assert (await _claim(adapters, _SLOWLY)).pause is None
        await _due(adapters, 5)
        assert len((await _claim(adapters, _SLOWLY)).deliveries) == 3

    async def test_a_claim_that_is_not_committed_takes_none(self, adapters: Adapters) -> None:
        await _due(adapters, 5)
        async with adapters.unit_of_work() as uow:
            assert len((await uow.messages.claim(10, _SLOWLY)).deliveries) == 5
        assert len((await _claim(adapters, _SLOWLY)).deliveries) == 5

    async def test_a_limit_that_is_lowered_or_lifted_holds_at_once(self, adapters: Adapters) -> None:
        await _due(adapters, 9)
        assert len((await _claim(adapters, attrs.evolve(_SLOWLY, burst=6), limit=1)).deliveries) == 1
        assert len((await _claim(adapters, attrs.evolve(_SLOWLY, burst=2))).deliveries) == 2
        assert len((await _claim(adapters)).deliveries) == 6

    async def test_all_who_claim_at_once_take_from_one_bucket(self, adapters: Adapters) -> None:
        await _due(adapters, 40)

        async def claim() -> list[Delivery]:
            async with adapters.unit_of_work() as uow:
                found = await uow.messages.claim(3, attrs.evolve(_SLOWLY, burst=10))
                await asyncio.sleep(0.01)
                await uow.commit()
            return list(found.deliveries)

        claimed = [one for batch in await asyncio.gather(*(claim() for _ in range(6))) for one in batch]
        assert len({one.key for one in claimed}) == len(claimed) == 10

    async def test_who_waits_for_tokens_that_come_fast_waits_for_a_few(self, adapters: Adapters) -> None:
        quickly = attrs.evolve(TERMS, rate_per_s=5000.0, burst=1)
        assert quickly.pause_until_token(0.5) == timedelta(seconds=0.1)
        assert _SLOWLY.pause_until_token(0.5) == timedelta(seconds=5)


async def _due(adapters: Adapters, number: int) -> None:
    people = [born_on_pi_day(f"P{count}") for count in range(number)]
    await adapters.add(*people)
    await adapters.keep(*(overdue(user, 1) for user in people))


async def _claim(adapters: Adapters, terms: ClaimTerms = TERMS, *, limit: int = 1000) -> Claim:
    async with adapters.unit_of_work() as uow:
        claim = await uow.messages.claim(limit, terms)
        await uow.commit()
    return claim
