"""Permits: never more than the limit over all processes, and seldom a question to the store."""

import asyncio

import attrs
import pytest

from adapters.memory.permits import MemoryPermits
from application.access_ports import PermitStore
from application.cache_ports import CacheUnavailable
from application.limiting import WINDOW_S, Limiter, RequestClass


@attrs.define
class Shared(PermitStore):
    """A store that is asked over the network, and may be away."""

    permits: MemoryPermits = attrs.field(factory=MemoryPermits)
    asked: int = 0
    is_away: bool = False

    async def take(self, name: str, window: int, number: int) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise CacheUnavailable("away")
        return await self.permits.take(name, window, number)


@attrs.define
class Time:
    seconds: float = 6000.0

    def __call__(self) -> float:
        return self.seconds


async def granted(limiter: Limiter, number: int, caller: str = "one") -> int:
    permits = await asyncio.gather(*(limiter.ask(caller, RequestClass.READ) for _ in range(number)))
    return sum(permit.is_granted for permit in permits)


def processes(shared: Shared, limit: int, time: Time, number: int = 3) -> list[Limiter]:
    limits = dict.fromkeys(RequestClass, limit)
    return [Limiter(shared, limits, time) for _ in range(number)]


@pytest.mark.parametrize("limit", (1, 7, 99, 100, 1000))
async def test_all_together_never_let_more_pass_than_the_limit(limit: int) -> None:
    limiters = processes(Shared(), limit, Time())
    counts = await asyncio.gather(*(granted(one, limit) for one in limiters))
    assert sum(counts) == limit, "asked for more than there is, none of it is lost"


async def test_one_of_several_gets_all_but_a_few_hundredths() -> None:
    first, *others = processes(Shared(), 1000, Time())
    for other in others:
        await granted(other, 1)
    assert 980 <= await granted(first, 2000) <= 1000


async def test_a_busy_process_asks_the_store_for_a_hundredth_at_a_time_and_not_when_all_is_gone() -> None:
    shared = Shared()
    [limiter] = processes(shared, 1000, Time(), 1)
    await granted(limiter, 1000)
    assert shared.asked == 100
    assert await granted(limiter, 1000) == 0
    assert shared.asked == 100


async def test_the_next_minute_begins_anew_and_the_wait_for_it_is_told() -> None:
    time = Time(6000.0 + 12.5)
    [limiter] = processes(Shared(), 2, time, 1)
    permits = [await limiter.ask("one", RequestClass.READ) for _ in range(3)]
    assert [(one.is_granted, one.remaining, one.reset_s) for one in permits] == [
        (True, 1, 48),
        (True, 0, 48),
        (False, 0, 48),
    ]
    time.seconds = 6060.0
    assert (await limiter.ask("one", RequestClass.READ)).is_granted


async def test_callers_and_kinds_are_counted_apart() -> None:
    [limiter] = processes(Shared(), 1, Time(), 1)
    for caller in ("one", "two"):
        for kind in RequestClass:
            assert (await limiter.ask(caller, kind)).is_granted
            assert not (await limiter.ask(caller, kind)).is_granted


async def test_while_the_store_is_away_each_process_counts_for_itself() -> None:
    shared = Shared(is_away=True)
    one, other = processes(shared, 100, Time(), 2)
    assert await granted(one, 150) == 100
    assert await granted(other, 150) == 100


async def test_a_store_that_goes_away_in_the_middle_of_a_minute_takes_nothing_from_anybody() -> None:
    shared = Shared()
    [limiter] = processes(shared, 100, Time(), 1)
    assert await granted(limiter, 40) == 40
    shared.is_away = True
    assert await granted(limiter, 100) == 60


async def test_what_is_in_stock_is_granted_without_waiting_and_nothing_else() -> None:
    shared, time = Shared(), Time()
    (limiter,) = processes(shared, 200, time, 1)
    assert limiter.from_stock("one", RequestClass.READ) is None
    first = await limiter.ask("one", RequestClass.READ)
    second = limiter.from_stock("one", RequestClass.READ)
    assert second == attrs.evolve(first, remaining=198)  # two hundredths are two, and that was the second
    assert limiter.from_stock("one", RequestClass.READ) is None
    assert limiter.from_stock("other", RequestClass.READ) is None
    assert limiter.from_stock("one", RequestClass.WRITE) is None
    await limiter.ask("one", RequestClass.READ)
    time.seconds += WINDOW_S
    assert limiter.from_stock("one", RequestClass.READ) is None, "the stock is that of a minute"
    assert shared.asked == 2


@pytest.mark.parametrize("limit", (1, 7, 250))
async def test_both_ways_together_never_let_more_pass_than_the_limit(limit: int) -> None:
    limiters = processes(Shared(), limit, Time())
    passed = 0
    for turn in range(3 * limit):
        limiter = limiters[turn % 3]
        permit = limiter.from_stock("one", RequestClass.READ) or await limiter.ask("one", RequestClass.READ)
        passed += permit.is_granted
    assert passed == limit
