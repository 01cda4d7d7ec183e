"""Judge processes that run already: python -m tests.faults.check --url ... --url ... --database ...

The processes share the database. The load registers people of its own and changes only these, over HTTP and by
SQL; the schema ``faults`` and a trigger on ``users`` are left behind in the database, which should be a
throw-away one. Nothing is broken: break things by hand meanwhile, and then give a large --settle, since a fault
that nobody tells of makes G2 be asked of a service that is broken.
"""

import secrets
import sys

import click
import uvloop

from tests.faults.load import Pace
from tests.faults.trial import PEOPLE, Trial, report
from tests.faults.weather import SETTLE_S


@click.command(help=__doc__)
@click.option(
    "--url", "urls", multiple=True, required=True, help="A process of the service; may be repeated."
)
@click.option("--database", required=True, help="Its PostgreSQL.")
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--seed", type=int, help="Any, if it is not given.")
@click.option("--people", default=PEOPLE, show_default=True)
@click.option("--reads", default=480.0, show_default=True, help="Per second.")
@click.option("--writes", default=24.0, show_default=True, help="Per second.")
@click.option("--by-hand", default=3.0, show_default=True, help="SQL statements per second.")
@click.option("--settle", default=SETTLE_S, show_default=True, help="Seconds after a fault.")
def main(
    *,
    urls: tuple[str, ...],
    database: str,
    seconds: float,
    seed: int | None,
    people: int,
    reads: float,
    writes: float,
    by_hand: float,
    settle: float,
) -> None:
    chosen = secrets.randbelow(10**6) if seed is None else seed
    trial = Trial(
        urls=urls,
        database_url=database,
        seconds=seconds,
        seed=chosen,
        people=people,
        pace=Pace(reads=reads, writes=writes, by_hand=by_hand),
        settle_s=settle,
    )
    sys.exit(report(uvloop.run(trial.run()), chosen))


if __name__ == "__main__":
    main()
