"""Keys and answers in memory keep the contracts."""

import pytest

from adapters.clock import MovableClock
from adapters.memory.answers import MemoryAnswers
from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.audit import MemoryAuditReader
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.errors import StoreUnavailable
from tests.contract.adapters import START
from tests.contract.answers import ANSWER, LONG, REQUEST, AnswersContract, World
from tests.contract.api_keys import ApiKeysContract, new_key


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(MovableClock(START, speed=0))


class TestApiKeys(ApiKeysContract):
    @pytest.fixture
    def keys(self, store: MemoryStore) -> MemoryApiKeys:
        return MemoryApiKeys(store)

    @pytest.fixture
    def trail(self, store: MemoryStore) -> MemoryAuditReader:
        return MemoryAuditReader(store)


class TestAnswers(AnswersContract):
    @pytest.fixture
    def world(self, store: MemoryStore) -> World:
        return World(MemoryAnswers(store), lambda: MemoryUnitOfWork(store))

    async def test_an_erasure_that_is_under_way_is_waited_for(self, world: World) -> None:
        """Nobody waits here: what is kept before the commit goes with it."""
        user, claimed = await world.add(), await world.claimed()
        async with world.unit_of_work() as uow:
            await uow.users.erase(user)
            about = type(ANSWER)(ANSWER.status, ANSWER.headers, ANSWER.body, frozenset({user.id}))
            await world.answers.keep(REQUEST, claimed, about)
            await uow.commit()
        assert type(await world.claim()).__name__ == "Erased"


async def test_a_store_that_cannot_be_reached_says_so(store: MemoryStore) -> None:
    store.is_reachable = False
    with pytest.raises(StoreUnavailable):
        await MemoryApiKeys(store).add(new_key())
    with pytest.raises(StoreUnavailable):
        await MemoryAnswers(store).claim(REQUEST, lease=LONG, keep=LONG)
