"""Clocks: the real one, and one that a demonstration or a test may set, hurry and stop."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from application.ports import Clock

_LONGEST_SLEEP_S = 60.0
_GOES_ON: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed_s() -> float:
    """Return seconds that no one sets and that go on while the machine is suspended, as Linux' monotonic do not."""
    return time.clock_gettime(_GOES_ON)


@attrs.frozen
class SystemClock(Clock):
    """The real time."""

    longest_sleep_s: float = _LONGEST_SLEEP_S

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime) -> None:
        remaining_s = (instant - self.now()).total_seconds()
        await asyncio.sleep(min(max(remaining_s, 0.0), self.longest_sleep_s))


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("An instant needs its offset from UTC.")
    return instant.astimezone(UTC)


def _speed(speed: float) -> float:
    if not (math.isfinite(speed) and speed >= 0):
        raise ValueError("A clock's speed is a number from 0; time does not run backwards.")
    return speed


@attrs.frozen
class _Course:
    """How the clock runs since it was last touched: it showed *instant* when *monotonic_s* was read."""

    instant: datetime
    monotonic_s: float
    speed: float
    is_paused: bool


@attrs.define(init=False, eq=False)
class MovableClock(Clock):
    """A clock that starts anywhere, runs at any speed, stands still, and can be moved, also backwards.

    Sleepers wake whenever it is touched. It may be touched from another thread.
    """

    longest_sleep_s: float
    _monotonic: Callable[[], float]
    _course: _Course
    _sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]

    def __init__(
        self,
        starts_at: datetime,
        speed: float = 1.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        longest_sleep_s: float = _LONGEST_SLEEP_S,
    ) -> None:
        self.longest_sleep_s = longest_sleep_s
        self._monotonic = monotonic
        self._course = _Course(_in_utc(starts_at), monotonic(), _speed(speed), is_paused=False)
        self._sleepers = set()

    @property
    def speed(self) -> float:
        """How many of its seconds pass in a real one while it is not paused; 0 stands still."""
        return self._course.speed

    @property
    def is_paused(self) -> bool:
        return self._course.is_paused

    def now(self) -> datetime:
        course = self._course
        if course.is_paused or not course.speed:
            return course.instant
        passed_s = (self._monotonic() - course.monotonic_s) * course.speed
        return course.instant + timedelta(seconds=passed_s)

    def move_to(self, instant: datetime) -> None:
        self._run(instant=_in_utc(instant))

    def run_at(self, speed: float) -> None:
        """Go on from now at another speed."""
        self._run(speed=_speed(speed))

    def pause(self) -> None:
        self._run(is_paused=True)

    def resume(self) -> None:
        self._run(is_paused=False)

    async def sleep_until(self, instant: datetime) -> None:
        loop = asyncio.get_running_loop()
        touched = asyncio.Event()
        sleeper = (loop, touched)
        self._sleepers.add(sleeper)  # before the clock is read, so that no touch is missed
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._real_s_until(instant)):
                    await touched.wait()
        finally:
            self._sleepers.discard(sleeper)

    def _run(
        self, *, instant: datetime | None = None, speed: float | None = None, is_paused: bool | None = None
    ) -> None:
        self._course = _Course(
            instant=self.now() if instant is None else instant,
            monotonic_s=self._monotonic(),
            speed=self._course.speed if speed is None else speed,
            is_paused=self._course.is_paused if is_paused is None else is_paused,
        )
        for loop, touched in tuple(self._sleepers):
            loop.call_soon_threadsafe(touched.set)

    def _real_s_until(self, instant: datetime) -> float:
        remaining_s = (instant - self.now()).total_seconds()
        if remaining_s <= 0:
            return 0.0
        speed = 0.0 if self.is_paused else self.speed
        return self.longest_sleep_s if not speed else min(remaining_s / speed, self.longest_sleep_s)
