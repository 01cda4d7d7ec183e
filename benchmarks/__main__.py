"""All measurements, or a part of them: python -m benchmarks [--part hit] [--quick]; or make bench PART=hit QUICK=1."""

from collections.abc import Awaitable, Callable, Mapping

import click
import uvloop

from benchmarks import (
    costs,
    database_load,
    growth,
    hit,
    importing,
    memory,
    processes,
    scaling,
    scheduler,
    shards,
    wrk,
)
from benchmarks.report import Report

Part = Callable[[bool], Awaitable[Report]]
"""Is told whether a quick look is enough."""

PARTS: Mapping[str, Part] = {
    "hit": lambda quick: hit.measure(hit.QUICK if quick else hit.Plan()),
    "database": lambda quick: database_load.measure(10 if quick else 60),
    "costs": lambda quick: costs.measure(costs.QUICK if quick else costs.Plan()),
    "scheduler": lambda quick: scheduler.measure(scheduler.QUICK if quick else scheduler.Plan()),
    "processes": lambda quick: processes.measure(processes.QUICK if quick else processes.Plan()),
    "memory": lambda quick: memory.measure(30.0 if quick else memory.SECONDS),
    "importing": lambda quick: importing.measure(importing.ROWS // 10 if quick else importing.ROWS),
    "growth": lambda quick: growth.measure(growth.SIZES[:2] if quick else growth.SIZES),
    "shards": lambda quick: shards.measure(shards.QUICK if quick else shards.Plan()),
    "scaling": lambda _quick: scaling.measure(scaling.Assumptions()),
}


@click.command(help=__doc__)
@click.option("--part", "parts", type=click.Choice(list(PARTS)), multiple=True, help="All, if none is named.")
@click.option(
    "--quick", is_flag=True, help="A short look, which does not replace the pages of the documentation."
)
@click.option("--seconds", type=float, help="For how long 'memory' is watched.")
def main(*, parts: tuple[str, ...], quick: bool, seconds: float | None) -> None:
    if not wrk.is_there():
        raise click.ClickException("wrk puts the load on: apt-get install wrk, or brew install wrk.")
    for part in parts or PARTS:
        click.echo(f"{part} ...", err=True)
        measuring = PARTS[part](quick) if part != "memory" or not seconds else memory.measure(seconds)
        page = uvloop.run(_awaited(measuring)).write(quick=quick)
        click.echo(page.read_text(encoding="utf-8"))


async def _awaited(measuring: Awaitable[Report]) -> Report:
    return await measuring


if __name__ == "__main__":
    main()
