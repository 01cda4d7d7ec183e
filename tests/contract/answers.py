"""What any Answers has to do."""

import asyncio
from datetime import timedelta

import attrs

from application.access_ports import (
    Answer,
    Answers,
    Claim,
    Claimed,
    Erased,
    InFlight,
    OtherRequest,
    Repeatable,
)
from application.ports import UnitOfWorkFactory
from domain.user import User
from tests.contract.people import person

LONG = timedelta(hours=1)
NO_TIME = timedelta(0)
REQUEST = Repeatable("caller", "key", bytes(32))
ANSWER = Answer(201, [(b"location", b"/users/1"), (b"etag", b'"1"')], b'{"id": 1}')


@attrs.frozen
class World:
    """The answers, and the units of work of the same store."""

    answers: Answers
    unit_of_work: UnitOfWorkFactory

    async def claim(
        self, request: Repeatable = REQUEST, *, lease: timedelta = LONG, keep: timedelta = LONG
    ) -> Claim:
        return await self.answers.claim(request, lease=lease, keep=keep)

    async def claimed(self, request: Repeatable = REQUEST, *, lease: timedelta = LONG) -> Claimed:
        claim = await self.claim(request, lease=lease)
        assert isinstance(claim, Claimed)
        return claim

    async def add(self) -> User:
        user = person()
        async with self.unit_of_work() as uow:
            await uow.users.add([user])
            await uow.commit()
        return user

    async def erase(self, user: User) -> None:
        async with self.unit_of_work() as uow:
            assert await uow.users.get(user.id) is not None
            await uow.users.erase(user)
            await uow.commit()


class AnswersContract:
    """Binds with a fixture *world* on an empty store."""

    async def test_an_answer_that_is_kept_is_told_again(self, world: World) -> None:
        claimed = await world.claimed()
        assert await world.claim() == InFlight()
        await world.answers.keep(REQUEST, claimed, ANSWER)
        assert await world.claim() == ANSWER
        other = attrs.evolve(REQUEST, fingerprint=b"\1" * 32)
        assert await world.claim(other) == OtherRequest()

    async def test_callers_and_keys_do_not_know_each_other(self, world: World) -> None:
        await world.claimed()
        await world.claimed(attrs.evolve(REQUEST, caller="other"))
        await world.claimed(attrs.evolve(REQUEST, key="other"))

    async def test_of_many_at_once_one_claims(self, world: World) -> None:
        claims = await asyncio.gather(*(world.claim() for _ in range(10)))
        assert sorted(type(claim).__name__ for claim in claims) == ["Claimed", *["InFlight"] * 9]

    async def test_a_claim_that_is_dropped_is_there_for_the_next(self, world: World) -> None:
        await world.answers.drop(REQUEST, await world.claimed())
        await world.claimed(attrs.evolve(REQUEST, fingerprint=b"\1" * 32))

    async def test_a_claim_that_has_lapsed_goes_to_the_same_request_and_its_holder_comes_too_late(
        self, world: World
    ) -> None:
        lapsed = await world.claimed(lease=NO_TIME)
        await asyncio.sleep(0.01)
        assert await world.claim(attrs.evolve(REQUEST, fingerprint=b"\1" * 32)) == OtherRequest()
        claimed = await world.claimed()
        await world.answers.keep(REQUEST, lapsed, ANSWER)
        await world.answers.drop(REQUEST, lapsed)
        assert await world.claim() == InFlight()
        await world.answers.keep(REQUEST, claimed, ANSWER)
        await world.answers.drop(REQUEST, claimed)
        assert await world.claim() == ANSWER

    async def test_what_was_kept_for_long_enough_is_forgotten(self, world: World) -> None:
        old = attrs.evolve(REQUEST, key="old")
        claim = await world.claim(old, keep=NO_TIME)
        assert isinstance(claim, Claimed)
        await world.answers.keep(old, claim, ANSWER)
        await world.claimed()
        await asyncio.sleep(0.01)
        assert isinstance(await world.claim(old, keep=NO_TIME), Claimed), "forgotten before it is tidied away"
        await asyncio.sleep(0.01)
        assert await world.answers.forget_old() == 1
        assert await world.claim() == InFlight()

    async def test_what_is_told_of_a_user_is_erased_with_them_and_not_done_again(self, world: World) -> None:
        user, other = await world.add(), await world.add()
        for about in (user, other):
            request = attrs.evolve(REQUEST, key=about.email)
            answer = attrs.evolve(ANSWER, about=frozenset({about.id}))
            await world.answers.keep(request, await world.claimed(request), answer)
        await world.erase(user)
        assert await world.claim(attrs.evolve(REQUEST, key=user.email)) == Erased()
        assert isinstance(await world.claim(attrs.evolve(REQUEST, key=other.email)), Answer)

    async def test_what_is_told_of_a_user_who_is_erased_by_then_is_not_kept(self, world: World) -> None:
        user = await world.add()
        claimed = await world.claimed()
        await world.erase(user)
        await world.answers.keep(REQUEST, claimed, attrs.evolve(ANSWER, about=frozenset({user.id})))
        assert await world.claim() == Erased()

    async def test_an_erasure_that_is_under_way_is_waited_for(self, world: World) -> None:
        user = await world.add()
        claimed = await world.claimed()
        about = attrs.evolve(ANSWER, about=frozenset({user.id}))
        async with world.unit_of_work() as uow:
            assert await uow.users.get(user.id) is not None
            await uow.users.erase(user)
            keeping = asyncio.create_task(world.answers.keep(REQUEST, claimed, about))
            done, _ = await asyncio.wait([keeping], timeout=0.5)
            assert not done
            await uow.commit()
        await keeping
        assert await world.claim() == Erased()
