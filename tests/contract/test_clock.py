"""The clocks keep the contract, and one of them can be set."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import attrs
import pytest

from adapters.clock import MovableClock, SystemClock, elapsed_s
from entrypoints.container.families import MemoryAdapters
from entrypoints.container.wiring import Service
from entrypoints.settings import Settings
from tests.contract.adapters import START
from tests.contract.clock import ClockContract


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock(longest_sleep_s=0.05)

    def test_it_shows_the_real_time(self) -> None:
        assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=1)

    def test_it_sleeps_a_minute_at_most(self) -> None:
        assert SystemClock().longest_sleep_s == 60


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="other systems' monotonic clocks go on")
def test_what_a_process_relies_on_goes_on_while_the_machine_is_suspended(tmp_path: Path) -> None:
    assert abs(elapsed_s() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1
    settings = Settings.from_environment({"BIRTHDAYS_DATA_DIR": str(tmp_path)})
    adapters = MemoryAdapters(settings=settings, clock_start=START)
    assert Service(settings=settings, adapters=adapters).cached.trust()._monotonic is elapsed_s


class TestMovableClock(ClockContract):
    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock(START, longest_sleep_s=0.05)

    def test_it_sleeps_a_minute_at_most(self) -> None:
        assert MovableClock(START).longest_sleep_s == 60


@attrs.define
class _Stopwatch:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


class TestSettingAClock:
    @pytest.fixture
    def stopwatch(self) -> _Stopwatch:
        return _Stopwatch()

    @pytest.fixture
    def clock(self, stopwatch: _Stopwatch) -> MovableClock:
        return MovableClock(START, speed=60, monotonic=stopwatch)

    def test_it_runs_at_its_speed(self, clock: MovableClock, stopwatch: _Stopwatch) -> None:
        assert clock.now() == START
        stopwatch.seconds += 2
        assert clock.now() == START + timedelta(minutes=2)

    def test_a_new_speed_holds_from_now_on(self, clock: MovableClock, stopwatch: _Stopwatch) -> None:
        stopwatch.seconds += 2
        clock.run_at(1)
        stopwatch.seconds += 2
        assert clock.now() == START + timedelta(minutes=2, seconds=2)
        assert clock.speed == 1

    def test_at_speed_0_it_stands_still(self, clock: MovableClock, stopwatch: _Stopwatch) -> None:
        clock.run_at(0)
        stopwatch.seconds += 2
        assert clock.now() == START

    def test_it_can_be_paused(self, clock: MovableClock, stopwatch: _Stopwatch) -> None:
        stopwatch.seconds += 1
        clock.pause()
        clock.pause()
        stopwatch.seconds += 100
        assert clock.is_paused
        assert clock.now() == START + timedelta(minutes=1)
        clock.resume()
        stopwatch.seconds += 1
        assert clock.now() == START + timedelta(minutes=2)

    def test_it_can_be_set_ahead_and_back(self, clock: MovableClock, stopwatch: _Stopwatch) -> None:
        for instant in (START + timedelta(days=400), START - timedelta(days=400)):
            clock.move_to(instant)
            assert clock.now() == instant
            stopwatch.seconds += 1
            assert clock.now() == instant + timedelta(minutes=1)

    def test_a_paused_clock_stays_paused_when_it_is_set(
        self, clock: MovableClock, stopwatch: _Stopwatch
    ) -> None:
        clock.pause()
        clock.move_to(START + timedelta(days=1))
        stopwatch.seconds += 1
        assert clock.now() == START + timedelta(days=1)

    def test_any_offset_is_understood_and_none_is_refused(self, clock: MovableClock) -> None:
        clock.move_to(START.astimezone(timezone(timedelta(hours=14))))
        assert clock.now() == START
        assert clock.now().utcoffset() == timedelta(0)
        with pytest.raises(ValueError, match="offset"):
            clock.move_to(START.replace(tzinfo=None))
        with pytest.raises(ValueError, match="offset"):
            MovableClock(START.replace(tzinfo=None))

    @pytest.mark.parametrize("speed", (-1, math.inf, math.nan))
    def test_time_does_not_run_backwards(self, clock: MovableClock, speed: float) -> None:
        with pytest.raises(ValueError, match="speed"):
            clock.run_at(speed)
        assert clock.speed == 60


_TOUCHES: dict[str, Callable[[MovableClock], None]] = {
    "moved": lambda clock: clock.move_to(START + timedelta(days=2)),
    "hurried": lambda clock: clock.run_at(10_000_000),
    "paused": MovableClock.pause,
    "resumed": MovableClock.resume,
}


class TestSleepersOfAClockThatIsSet:
    async def test_they_wake_at_the_instant_by_that_clock(self) -> None:
        clock = MovableClock(START, speed=86_400)
        began = time.monotonic()
        await clock.sleep_until(START + timedelta(hours=1))
        assert 0.03 < time.monotonic() - began < 2

    async def test_they_wake_in_time_while_it_stands_still(self) -> None:
        clock = MovableClock(START, speed=0, longest_sleep_s=0.02)
        began = time.monotonic()
        await clock.sleep_until(START + timedelta(microseconds=1))
        assert 0.01 < time.monotonic() - began < 2

    @pytest.mark.parametrize("touch", _TOUCHES.values(), ids=_TOUCHES.keys())
    async def test_they_wake_when_it_is_touched(self, touch: Callable[[MovableClock], None]) -> None:
        clock = MovableClock(START, speed=1)
        sleepers = [asyncio.create_task(clock.sleep_until(START + timedelta(days=1))) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not any(sleeper.done() for sleeper in sleepers)
        touch(clock)
        async with asyncio.timeout(2):
            await asyncio.gather(*sleepers)

    async def test_they_wake_when_another_thread_touches_it(self) -> None:
        clock = MovableClock(START, speed=0)
        sleeper = asyncio.create_task(clock.sleep_until(START + timedelta(days=1)))
        await asyncio.sleep(0.01)
        thread = threading.Thread(target=clock.move_to, args=(START + timedelta(days=2),))
        thread.start()
        async with asyncio.timeout(2):
            await sleeper
        thread.join()

    async def test_who_is_cancelled_is_forgotten(self) -> None:
        clock = MovableClock(START, speed=0)
        sleeper = asyncio.create_task(clock.sleep_until(START + timedelta(days=1)))
        await asyncio.sleep(0)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        assert clock._sleepers == set()
