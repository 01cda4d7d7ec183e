"""One run against one provider: messages fall due while things break, then all is compared with the book."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import attrs
import msgspec

from tests.chaos import ledger
from tests.chaos.book import read_book
from tests.chaos.faults import Pace, break_things, kill_at_last
from tests.chaos.oracle import Verdict, judge
from tests.chaos.people import WAVES, Crowd
from tests.chaos.site import LEASE_S, Ground, Site
from tests.faults.cluster import OURS, Service
from tests.faults.truth import LOST, connected

PROGRESS_EVERY_S = 5.0
DRAIN_S = 300.0
_WAVES_UNTIL = 0.6
_LOOK_EVERY_S = 0.5
_OPEN = ("SCHEDULED", "RETRYING", "SENDING")
_LOGGED: Mapping[str, Mapping[str, str]] = {
    "batch_settled": {"lost": "outcomes that came too late to be written"},
    "ledger_kept": {
        "retrying": "leases that ran out, tried again",
        "unknown": "leases that ran out, unknown",
    },
    "tick_failed": {"": "ticks that failed, and were done again"},
}


@attrs.frozen(kw_only=True)
class Report:
    """What came of a run."""

    name: str
    verdict: Verdict
    faults: Mapping[str, int]
    logged: Mapping[str, int]
    failed_starts: int
    drained_in_s: float


@attrs.frozen(kw_only=True)
class Trial:
    """What to run."""

    deduplicates: bool
    messages: int
    seconds: float
    seed: int
    processes: int = 4
    service: Service = OURS
    pace: Pace = attrs.field(factory=Pace)
    harshness: float = 1.0
    lease_s: int = LEASE_S
    drain_s: float = DRAIN_S
    """How long at most it may take until nothing is open any more, once nothing breaks."""

    @property
    def name(self) -> str:
        return "de-duplicating" if self.deduplicates else "not de-duplicating"

    async def run(self, ground: Ground) -> Report:
        """Run, and return what was found; prints its progress."""
        crowd = Crowd.of(self.seed, self.messages, datetime.now(UTC))
        async with AsyncExitStack() as stack:
            async with ground.breaking:
                site = await stack.enter_async_context(
                    Site.opened(
                        ground,
                        self.service,
                        processes=self.processes,
                        seed=self.seed,
                        deduplicates=self.deduplicates,
                        harshness=self.harshness,
                        lease_s=self.lease_s,
                    )
                )
                await self._prepare(site, crowd)
            drained_in_s = await self._break(site, crowd)
            verdict = judge(
                crowd.occasions(),
                await site.ask(ledger.read),
                read_book(site.book),
                deduplicates=self.deduplicates,
                forbidden=await site.ask(ledger.forbidden_steps),
            )
            site.look_for_deaths(site.processes)
            died = [f"a process died by itself: {last}" for last in site.deaths]
            return Report(
                name=self.name,
                verdict=attrs.evolve(verdict, violations=[*verdict.violations, *died]),
                faults=site.faults,
                logged=told_in_logs([process.log for process in site.processes]),
                failed_starts=site.failed_starts,
                drained_in_s=drained_in_s,
            )

    async def _prepare(self, site: Site, crowd: Crowd) -> None:
        """Start everything, and plan what is to fall due; nothing leaves before it is where it is to be."""
        say(f"seed {self.seed}, the provider is {self.name}: planning {crowd.planned} messages")
        async with connected(site.database_url) as connection:
            await ledger.audit(connection)
            await ledger.pause(connection)
        await site.start(*site.processes)
        async with connected(site.database_url) as connection:
            await crowd.add(connection, 0, crowd.planned)
        await site.plan(str(crowd.on), str(crowd.on))
        async with connected(site.database_url) as connection:
            await crowd.spread(connection, self.seed, datetime.now(UTC), self.seconds)
            await ledger.resume(connection)

    async def _break(self, site: Site, crowd: Crowd) -> float:
        """Break what runs; return how long it took afterwards until nothing was open."""
        began_at, ending = time.monotonic(), asyncio.Event()
        telling = asyncio.create_task(self._tell(site, began_at))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(break_things(site, Random(self.seed), self.pace, ending))
                group.create_task(self._add_late(site, crowd))
                await asyncio.sleep(self.seconds)
                ending.set()
            site.provider.send_signal(signal.SIGUSR1)
            await kill_at_last(site, self.pace)
            say(f"{time.monotonic() - began_at:4.0f} s  everything runs; waiting until nothing is open")
            return await self._drain(site)
        finally:
            telling.cancel()

    async def _add_late(self, site: Site, crowd: Crowd) -> None:
        """Put people into the database of whom nobody is told: the next process that starts plans them."""
        for number in range(WAVES):
            await asyncio.sleep(self.seconds * _WAVES_UNTIL / WAVES)
            first, end = crowd.wave(number)
            while True:
                async with site.ground.breaking:
                    with suppress(*LOST):
                        async with connected(site.database_url) as connection:
                            await crowd.add(connection, first, end)
                        break
                await asyncio.sleep(0.2)

    async def _drain(self, site: Site) -> float:
        began_at = time.monotonic()
        while (passed_s := time.monotonic() - began_at) < self.drain_s:
            counted = await site.ask(ledger.counts)
            if sum(counted.values()) >= self.messages and not any(counted.get(status) for status in _OPEN):
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        return passed_s

    async def _tell(self, site: Site, began_at: float) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            try:
                async with connected(site.database_url) as connection:
                    counted = await ledger.counts(connection)
                known = "  ".join(f"{status} {counted[status]}" for status in sorted(counted))
            except LOST:
                known = "PostgreSQL does not answer"
            say(
                f"{time.monotonic() - began_at:4.0f} s  {self.name}: {known}  faults {site.faults.total()}  "
                f"broken now {len(site.busy)}"
            )


def told_in_logs(logs: Sequence[Path]) -> Mapping[str, int]:
    """Add up what the processes have logged; lines that a kill has cut are left out."""
    found: Counter[str] = Counter()
    for log in logs:
        for line in log.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):
                told = msgspec.json.decode(line, type=dict[str, Any])
                if told.get("event") == "channel_paused":
                    found[f"pauses: {told['reason']}"] += 1
                for field, what in _LOGGED.get(told.get("event", ""), {}).items():
                    found[what] += told[field] if field else 1
    return found


def report(reports: Sequence[Report], seed: int) -> int:
    """Print what was found, the summary as the last line; return the exit status."""
    for one in reports:
        found = one.verdict
        lines = ["", f"The provider is {one.name}", "  faults"]
        lines += [f"    {kind:56} {times:8}" for kind, times in sorted(one.faults.items())]
        lines += [f"    {'starts that failed meanwhile, and were repeated':56} {one.failed_starts:8}"]
        lines += ["  requests by what the provider did"]
        lines += [f"    {whim:56} {times:8}" for whim, times in sorted(found.whims.items())]
        lines += ["  what the processes have logged"]
        lines += [f"    {what:56} {times:8}" for what, times in sorted(one.logged.items())]
        lines += ["  messages"]
        lines += [
            f"    {what:56} {times:8}"
            for what, times in (
                ("due", found.messages),
                ("accepted", found.accepted),
                ("received twice", found.received_twice),
                ("accepted twice", found.twice),
                ("lost", found.lost),
                ("unknown", found.unknown),
                ("unknown, and in the book", found.unknown_and_accepted),
            )
        ]
        lines += [f"  nothing was open {one.drained_in_s:.0f} s after the last fault"]
        lines += [f"  VIOLATION {text}" for text in found.violations] or ["  no violations"]
        say("\n".join(lines))
    verdicts = [one.verdict for one in reports]
    say(
        f"\nseed {seed}\n"
        f"messages {sum(one.messages for one in verdicts)} accepted {sum(one.accepted for one in verdicts)} "
        f"lost {sum(one.lost for one in verdicts)} twice {sum(one.twice for one in verdicts)} "
        f"unknown {sum(one.unknown for one in verdicts)}"
    )
    return 1 if any(one.violations for one in verdicts) else 0


def say(text: str) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
