"""One run: people are registered, load goes on and things break, then all is compared; and what is printed."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random

import attrs

from tests.faults.checker import TIMEOUT_S, Checker
from tests.faults.client import Client
from tests.faults.crowd import Crowd
from tests.faults.history import BOUND_S, Guarantee, History
from tests.faults.load import Load, Pace
from tests.faults.truth import Truth
from tests.faults.weather import Weather

PROGRESS_EVERY_S = 5.0
PEOPLE = 1200
"""More than a thousand, so that a statement can change more rows than are invalidated one by one."""

Breaker = Callable[[Checker, asyncio.Event], Awaitable[None]]
"""Breaks things until the event is set, and has mended them when it returns."""


async def no_faults(_checker: Checker, ending: asyncio.Event) -> None:
    await ending.wait()


@attrs.frozen(kw_only=True)
class Trial:
    """What to run."""

    urls: Sequence[str]
    database_url: str
    seconds: float
    seed: int
    people: int = PEOPLE
    pace: Pace = attrs.field(factory=Pace)
    settle_s: float
    bound_s: float = BOUND_S
    faults: Breaker = no_faults

    async def run(self) -> Checker:
        """Run, and return what was found; prints its progress."""
        weather = Weather(settle_s=self.settle_s)
        crowd = Crowd(self.seed, self.people)
        checker = Checker(self.urls, self.database_url, crowd, weather, History(weather, self.bound_s))
        truth = Truth(self.database_url)
        await truth.install()
        _say(f"seed {self.seed}: registering {self.people} people")
        clients = [Client(url, TIMEOUT_S) for url in self.urls for _ in range(2)]
        await checker.register(clients)
        for client in clients:
            client.close()
        load = Load(checker, self.pace, Random(self.seed))
        is_over, is_told = asyncio.Event(), asyncio.Event()
        started_at = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(checker.follow(truth, is_told))
                watching = [
                    group.create_task(checker.watch_itself(is_told)),
                    group.create_task(_tell(checker, started_at)),
                ]
                loading = group.create_task(load.run())
                breaking = group.create_task(self._break(checker, is_over))
                await asyncio.sleep(self.seconds)
                is_over.set()
                await breaking
                load.stopped.set()
                await loading
                _say(f"everything runs; waiting {self.bound_s + self.settle_s:.0f} s before the comparison")
                await asyncio.sleep(self.bound_s + self.settle_s)
                is_told.set()
                for task in watching:
                    task.cancel()
        finally:
            await truth.close()
        for violation in checker.history.unlearned():
            checker.report(violation)
        await checker.sweep(truth)
        return checker

    async def _break(self, checker: Checker, is_over: asyncio.Event) -> None:
        await self.faults(checker, is_over)


async def _tell(checker: Checker, started_at: float) -> None:
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        now = time.monotonic()
        broken = ", ".join(sorted(spell.kind for spell in checker.weather.spells if spell.ended_at > now))
        _say(
            f"{now - started_at:4.0f} s  reads {checker.reads}  writes {checker.writes}  "
            f"faults {len(checker.weather.spells)}  violations {checker.found.total()}  "
            f"worst staleness {checker.history.worst_s:.2f} s  {broken and 'broken: ' + broken}".rstrip()
        )


def report(checker: Checker, seed: int) -> int:
    """Print what was found, the summary as the last line; return the exit status."""
    ambiguous, killed = checker.history.resolved()
    lines = [""]
    lines += [f"  {violation.guarantee.value}: {violation.text}" for violation in checker.violations]
    lines += ["", "violations"]
    lines += [f"  {guarantee.value:28} {checker.found[guarantee]:8}" for guarantee in Guarantee]
    lines += ["reads by X-Cache, and the largest staleness"]
    lines += [
        f"  {source:28} {count:8} {checker.history.worst_by_source.get(source, 0.0):8.3f} s"
        for source, count in sorted(checker.sources.items())
    ]
    lines += ["writes by what is known of them"]
    lines += [f"  {fate:28} {count:8}" for fate, count in sorted(checker.fates.items())]
    lines += [
        f"  ambiguous and committed      {ambiguous:8}",
        f"  ... with its process killed  {killed:8}",
        "requests without a good answer",
    ]
    lines += [f"  {what:44} {count:8}" for what, count in sorted(checker.failures.items())]
    lines += ["faults"]
    lines += [f"  {kind:44} {count:8}" for kind, count in sorted(checker.weather.counts().items())]
    lines += [f"the checker itself was busy for at most {checker.lag_s:.3f} s", f"seed {seed}"]
    summary = (
        f"reads {checker.reads} writes {checker.writes} faults {len(checker.weather.spells)} "
        f"violations {checker.found.total()} worst staleness {checker.history.worst_s:.3f} s"
    )
    _say("\n".join([*lines, summary]))
    return 1 if checker.found.total() else 0


def _say(text: str) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
