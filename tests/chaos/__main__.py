"""Let messages fall due on several processes, break everything meanwhile, and judge: python -m tests.chaos.

Half of the time and of the messages against a provider that knows an idempotency key again, the other half against
one that does not.
"""

import secrets
import sys
from collections.abc import Sequence

import click
import structlog
import uvloop

from tests.chaos.site import Ground
from tests.chaos.trial import DRAIN_S, Report, Trial, report
from tests.chaos.without import PARTS, without
from tests.faults.cluster import OURS

_KINDS = {"both": (True, False), "deduplicating": (True,), "forgetful": (False,)}


@click.command(help=__doc__)
@click.option("--seconds", type=click.FloatRange(min=10), default=600.0, show_default=True)
@click.option("--messages", type=click.IntRange(min=100), default=100_000, show_default=True)
@click.option("--seed", type=int, help="Any, if it is not given.")
@click.option("--processes", type=click.IntRange(min=2), default=4, show_default=True)
@click.option("--provider", type=click.Choice(sorted(_KINDS)), default="both", show_default=True)
@click.option("--drain", default=DRAIN_S, show_default=True, help="Seconds until nothing may be open.")
@click.option("--without", "part", type=click.Choice(sorted(PARTS)), help="Take a part out of the service.")
def main(
    *,
    seconds: float,
    messages: int,
    seed: int | None,
    processes: int,
    provider: str,
    drain: float,
    part: str | None,
) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    chosen = secrets.randbelow(10**6) if seed is None else seed
    kinds = _KINDS[provider]
    trials = [
        Trial(
            deduplicates=deduplicates,
            messages=messages // len(kinds),
            seconds=seconds / len(kinds),
            seed=chosen,
            processes=processes,
            drain_s=drain,
            service=OURS if part is None else without(part),
        )
        for deduplicates in kinds
    ]
    sys.exit(report(uvloop.run(_run(trials)), chosen))


async def _run(trials: Sequence[Trial]) -> Sequence[Report]:
    async with Ground.running() as ground:
        return [await trial.run(ground) for trial in trials]


if __name__ == "__main__":
    main()
