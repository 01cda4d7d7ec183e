"""Run a service on several processes, break things, and judge it: python -m tests.faults --service ours."""

import secrets
import sys
from random import Random

import attrs
import click
import uvloop

from tests.faults.checker import Checker
from tests.faults.cluster import PROCESSES, Cluster
from tests.faults.load import Pace
from tests.faults.schedule import FAULTS, Fault, Schedule
from tests.faults.services import PEERS, SERVICES
from tests.faults.trial import PEOPLE, Trial, report
from tests.faults.weather import SETTLE_S


@click.command(help=__doc__)
@click.option("--service", type=click.Choice(sorted(SERVICES)), default="ours", show_default=True)
@click.option("--seconds", default=600.0, show_default=True)
@click.option("--seed", type=int, help="Any, if it is not given.")
@click.option("--processes", type=click.IntRange(min=2), default=PROCESSES, show_default=True)
@click.option("--people", default=PEOPLE, show_default=True)
@click.option("--reads", default=480.0, show_default=True, help="Per second.")
@click.option("--writes", default=24.0, show_default=True, help="Per second.")
@click.option("--by-hand", default=3.0, show_default=True, help="SQL statements per second.")
@click.option("--settle", default=SETTLE_S, show_default=True, help="Seconds after a fault.")
@click.option("--only", multiple=True, help="Only these kinds of faults; 'none' for none.")
def main(
    *,
    service: str,
    seconds: float,
    seed: int | None,
    processes: int,
    people: int,
    reads: float,
    writes: float,
    by_hand: float,
    settle: float,
    only: tuple[str, ...],
) -> None:
    if service in PEERS and PEERS[service].missing:
        raise click.ClickException(f"Not installed: {', '.join(PEERS[service].missing)} (the extra 'peers').")
    known = {fault.kind: fault for fault in FAULTS}
    unknown = set(only) - known.keys() - {"none"}
    if unknown:
        raise click.UsageError(f"These are the kinds of faults: {', '.join(known)}.")
    kinds = [known[kind] for kind in only or known if kind != "none"]
    chosen = secrets.randbelow(10**6) if seed is None else seed
    pace = Pace(reads=reads, writes=writes, by_hand=by_hand)
    checker = uvloop.run(
        _run(
            service, processes, kinds, seconds=seconds, seed=chosen, people=people, pace=pace, settle_s=settle
        )
    )
    sys.exit(report(checker, chosen))


async def _run(
    service: str,
    processes: int,
    kinds: list[Fault],
    *,
    seconds: float,
    seed: int,
    people: int,
    pace: Pace,
    settle_s: float,
) -> Checker:
    async with Cluster.running(SERVICES[service], processes) as cluster:
        trial = Trial(
            urls=cluster.urls,
            database_url=cluster.postgres.url,
            seconds=seconds,
            seed=seed,
            people=people,
            pace=pace,
            settle_s=settle_s,
        )
        if kinds:
            trial = attrs.evolve(trial, faults=Schedule(cluster, Random(seed), kinds))
        return await trial.run()


if __name__ == "__main__":
    main()
