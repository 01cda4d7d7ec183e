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
        instant = clock.now() + timedelta(milliseconds=20)
        await clock.sleep_until(instant)
        assert abs(clock.now() - instant) < timedelta(milliseconds=19)

    async def test_it_does_not_sleep_until_what_is_past(self, clock: Clock) -> None:
        began = time.monotonic()
        await clock.sleep_until(clock.now())
        await clock.sleep_until(clock.now() - timedelta(days=1000))
        assert time.monotonic() - began < 0.04

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
