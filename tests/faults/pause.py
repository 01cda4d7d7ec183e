"""Measure a Valkey that is paused under load: python -m tests.faults.pause.

Nothing may fail meanwhile. Within a second of the pause reads are to be as fast as the database alone answers
them, and within seconds after it they are to be hits again.
"""

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from random import Random

import attrs
import click
import uvloop

from tests.faults.checker import TIMEOUT_S, Checker
from tests.faults.client import Client, Unanswered
from tests.faults.cluster import Cluster
from tests.faults.crowd import Crowd
from tests.faults.history import History
from tests.faults.proxy import Mode
from tests.faults.services import SERVICES
from tests.faults.weather import Weather

WINDOW_S = 0.25
PEOPLE = 200
READERS = 8
PAUSED_WITHIN_S = 1.0
HITS_AGAIN_WITHIN_S = 5.0
AS_THE_DATABASE = 2.0
"""How many times the database's own p99, of the end of the same run, still counts as the database's."""
WAITED_S = 0.14
"""Who takes so long has waited for the cache until its time was over, which nobody does when it is known away."""
MOST = 0.8


@attrs.frozen
class Sample:
    """A read that was answered, or not: then its source is ``failed``."""

    begun_at: float
    took_s: float
    source: str


def p99(samples: Sequence[Sample]) -> float:
    """Return seconds; where no read even began, because all were waiting, that is for ever."""
    times = sorted(sample.took_s for sample in samples)
    return times[int(len(times) * 0.99)] if times else math.inf


def hits(samples: Sequence[Sample]) -> float:
    return sum(sample.source == "HIT" for sample in samples) / max(len(samples), 1)


@attrs.frozen(kw_only=True)
class Measured:
    """All reads of a run, and when Valkey was paused and went on."""

    samples: Sequence[Sample]
    paused_at: float
    resumed_at: float
    database_p99_s: float

    def between(self, since: float, until: float) -> Sequence[Sample]:
        return [sample for sample in self.samples if since <= sample.begun_at < until]

    def windows(self, since: float, until: float) -> Sequence[tuple[float, Sequence[Sample]]]:
        count = int((until - since) / WINDOW_S)
        starts = [since + number * WINDOW_S for number in range(count)]
        return [(start, self.between(start, start + WINDOW_S)) for start in starts]

    @property
    def failed(self) -> int:
        return sum(sample.source == "failed" for sample in self.samples)

    @property
    def recovered_after_s(self) -> float:
        """How long after the pause began all the rest of it is as fast as the database; for ever if nothing is."""
        limit_s = AS_THE_DATABASE * self.database_p99_s
        for start, _ in self.windows(self.paused_at, self.resumed_at):
            rest = self.between(start, self.resumed_at)
            if p99(rest) <= limit_s and max(sample.took_s for sample in rest) < WAITED_S:
                return start - self.paused_at
        return math.inf

    @property
    def hits_again_after_s(self) -> float | None:
        """How long after the pause ended most reads of a window were hits; None if they never were."""
        last = self.samples[-1].begun_at
        for start, some in self.windows(self.resumed_at, last):
            if some and hits(some) >= MOST:
                return start + WINDOW_S - self.resumed_at
        return None

    @property
    def is_good(self) -> bool:
        again_s = self.hits_again_after_s
        return (
            not self.failed
            and self.recovered_after_s <= PAUSED_WITHIN_S
            and again_s is not None
            and again_s <= HITS_AGAIN_WITHIN_S
        )

    def told(self) -> str:
        before = self.between(self.paused_at - 2, self.paused_at)
        lines = ["    s     reads   p50 ms   p99 ms    hits"]
        for start, some in self.windows(self.paused_at - 1, self.samples[-1].begun_at):
            times = sorted(sample.took_s for sample in some)
            middle_ms = 1000 * times[len(times) // 2] if times else 0.0
            mark = "paused" if self.paused_at <= start < self.resumed_at else ""
            lines.append(
                f"{start - self.paused_at:7.2f} {len(some):7} {middle_ms:8.2f} {1000 * p99(some):8.2f} "
                f"{hits(some):7.0%}  {mark}".rstrip()
            )
        again_s = self.hits_again_after_s
        lines += [
            f"before the pause: p99 {1000 * p99(before):.2f} ms, hits {hits(before):.0%}",
            f"the database alone: p99 {1000 * self.database_p99_s:.2f} ms",
            f"the pause after its first second: p99 {1000 * p99(self.between(self.paused_at + 1, self.resumed_at)):.2f} ms",
            f"slowest read of the pause: {1000 * self.slowest_s:.0f} ms",
            f"as fast as the database {self.recovered_after_s:.2f} s after the pause began",
            "no hits any more" if again_s is None else f"hits again {again_s:.2f} s after the pause ended",
            f"reads {len(self.samples)} failed {self.failed}",
        ]
        return "\n".join(lines)

    @property
    def slowest_s(self) -> float:
        return max(sample.took_s for sample in self.between(self.paused_at, self.resumed_at))


@attrs.define(eq=False)
class Readers:
    """Readers without a pause between their reads, on every process."""

    checker: Checker
    samples: list[Sample] = attrs.field(factory=list, init=False)

    async def read(self, process: int, random: Random) -> None:
        """Read until cancelled."""
        client, crowd = Client(self.checker.urls[process], TIMEOUT_S), self.checker.crowd
        try:
            while True:
                begun_at = time.monotonic()
                try:
                    answer = await client.request("GET", f"/users/{crowd.ids[crowd.person(random)]}")
                    source = answer.cache if answer.status == 200 else "failed"
                except Unanswered:
                    source = "failed"
                self.samples.append(Sample(begun_at, time.monotonic() - begun_at, source))
        finally:
            client.close()


async def measure(
    cluster: Cluster, *, before_s: float = 4, paused_s: float = 6, after_s: float = 8
) -> Measured:
    """Pause the cluster's Valkey under load."""
    weather = Weather()
    crowd = Crowd(0, PEOPLE)
    checker = Checker(cluster.urls, cluster.postgres.url, crowd, weather, History(weather))
    client = Client(cluster.urls[0], TIMEOUT_S)
    await checker.register([client])
    client.close()
    readers = Readers(checker)
    tasks = [
        asyncio.create_task(readers.read(number % len(cluster.urls), Random(number)))
        for number in range(READERS)
    ]
    try:
        await asyncio.sleep(before_s)
        paused_at = time.monotonic()
        cluster.primary.pause()
        try:
            await asyncio.sleep(paused_s)
        finally:
            cluster.primary.go_on()
        resumed_at = time.monotonic()
        await asyncio.sleep(after_s)
        ended_at = time.monotonic()
        # How fast the database alone is here: that of a service that knows that it has no cache.
        for proxy in cluster.proxies:
            await proxy.become(Mode.REFUSE)
        await asyncio.sleep(2)
        alone_at = time.monotonic()
        await asyncio.sleep(3)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    samples = sorted(readers.samples, key=lambda sample: sample.begun_at)
    alone = [sample for sample in samples if sample.begun_at >= alone_at]
    return Measured(
        samples=[sample for sample in samples if sample.begun_at < ended_at],
        paused_at=paused_at,
        resumed_at=resumed_at,
        database_p99_s=p99(alone),
    )


@click.command(help=__doc__)
@click.option("--service", type=click.Choice(sorted(SERVICES)), default="ours", show_default=True)
@click.option("--processes", default=2, show_default=True)
def main(service: str, processes: int) -> None:
    async def run() -> Measured:
        async with Cluster.running(SERVICES[service], processes) as cluster:
            return await measure(cluster)

    measured = uvloop.run(run())
    click.echo(measured.told())
    sys.exit(0 if measured.is_good else 1)


if __name__ == "__main__":
    main()
