"""What every clock keeps to."""

import asyncio
import time
from datetime import timedelta

from application.ports import Clock


class ClockContract:
    """A clock that runs at the speed of real time and wakes its sleepers after 50 ms at the latest."""

    async def test_it_shows_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta(0)

    async def test_it_goes_on(self, clock: Clock) -> None:
        before = clock.now()
        await asyncio.sleep(0.02)
        assert timedelta(milliseconds=19) <= clock.now() - before < timedelta(seconds=2)

    async def test_it_wakes_at_the_instant(self, clock: Clock) -> None:
        late = []
        for _ in range(5):
            instant = clock.now() + timedelta(milliseconds=20)
            await clock.sleep_until(instant)
            late.append(clock.now() - instant)
        assert min(late) > -timedelta(milliseconds=2)
        assert min(late) < timedelta(milliseconds=19), "the least of them: a noisy machine adds to one"

    async def test_it_does_not_sleep_until_what_is_past(self, clock: Clock) -> None:
        took_s = []
        for _ in range(5):
            began = time.monotonic()
            await clock.sleep_until(clock.now())
            await clock.sleep_until(clock.now() - timedelta(days=1000))
            took_s.append(time.monotonic() - began)
        assert min(took_s) < 0.04, "the least of them: a noisy machine adds to one"

    async def test_it_wakes_early_rather_than_sleep_for_long(self, clock: Clock) -> None:
        began = time.monotonic()
        await clock.sleep_until(clock.now() + timedelta(days=1))
        assert 0.04 < time.monotonic() - began < 2

    async def test_others_run_while_it_sleeps(self, clock: Clock) -> None:
        """Even a caller who never waits for anything else lets them."""
        others: list[int] = []
        asyncio.get_running_loop().call_soon(others.append, 1)
        await clock.sleep_until(clock.now() - timedelta(seconds=1))
        assert others == [1]
