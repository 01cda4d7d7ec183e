"""The scheduler: what its own measurements print, and messages end to end."""

import asyncio
import os
import sys
from importlib.util import find_spec

import attrs

from benchmarks import channels
from benchmarks.report import Report, Spread, Table
from benchmarks.running import PROJECT, running_servers


@attrs.frozen(kw_only=True)
class Plan:
    """How much, and how often."""

    rounds: int = 3
    messages: int = 20_000
    jobs: int = 3_000
    programs: tuple[str, ...] = (
        "engine --messages 60000 --rounds 5",
        "engine --messages 2600000 --rounds 1 --only engine",
        "planning --people 1000000 --at-once 100000",
        "lateness --at-once 10000 100000",
    )


QUICK = Plan(
    rounds=1,
    messages=4_000,
    jobs=1_000,
    programs=("engine --messages 20000 --rounds 1", "planning --people 100000 --at-once 10000"),
)


async def measure(plan: Plan) -> Report:
    printed = {program: await _printed(program) for program in plan.programs}
    ends, figures = await channels.measure(plan.messages, plan.rounds)
    tables = [("End to end", ends)]
    if find_spec("procrastinate"):
        tables.append(("Beside it: procrastinate", await _procrastinate(plan)))
    return Report(
        name="scheduler",
        title="The scheduler",
        about=(
            "What `benchmarks/engine.py` (claim, a channel that costs nothing, completion; beside raw statements and "
            "PgQueuer), `planning.py` and `lateness.py` print; and messages end to end, from the start of a service "
            f"at which {plan.messages:,} people have a birthday, through templates, to a mail server or receiver that "
            "says yes at once. Processor time of the service includes its start and the plan. PostgreSQL is durable."
        ),
        tables=tables,
        figures=figures,
        texts=[(f"`python -m benchmarks.{program}`", text) for program, text in printed.items()],
    )


async def _printed(program: str) -> str:
    name, *arguments = program.split()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{name}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        cwd=PROJECT,
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{program} has failed: {told.decode()}")
    return told.decode().rstrip()


async def _procrastinate(plan: Plan) -> Table:
    from benchmarks import procrastinate_peer  # noqa: PLC0415  # it is installed only where it is judged

    found: dict[int, list[float]] = {}
    async with running_servers() as servers:
        for _ in range(plan.rounds):
            for at_once, per_s in (await procrastinate_peer.measure(servers.database_url, plan.jobs)).items():
                found.setdefault(at_once, []).append(per_s)
    rows = [[f"{at_once} at once", Spread.of(rates).shown()] for at_once, rates in found.items()]
    return Table(["", "jobs/s"], rows)
