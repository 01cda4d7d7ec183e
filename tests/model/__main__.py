"""Explore the protocol and each of its mutants and print what was found: python -m tests.model [large|mutants]."""

import sys
import time

from tests.model.explorer import Report, explore
from tests.model.mutants import FURTHER, LISTED, Mutant
from tests.model.protocol import Protocol
from tests.model.rules import Bounds, Rules
from tests.model.slices import LARGE_SLICES, SLICES
from tests.model.state import State
from tests.model.story import story

STATES_MAX = 5_000_000


def explored(name: str, protocol: Protocol, states_max: int = STATES_MAX) -> Report[State]:
    """Explore *protocol* and write how much there was of it."""
    started_at = time.monotonic()
    report = explore(protocol.first(), protocol.steps, protocol.wrong, states_max=states_max)
    sys.stdout.write(
        f"{name}: {report.states:,} states, {report.transitions:,} transitions, {report.depth} steps deep, "
        f"{time.monotonic() - started_at:.1f} s\n"
    )
    sys.stdout.flush()
    return report


def row(name: str, report: Report[State]) -> str:
    """Return what *report* says as a line of the documentation's table."""
    return f"| {name} | {report.states:,} | {report.transitions:,} | {report.depth} |"


def counterexample(mutant: Mutant) -> str:
    """Return the shortest counterexample of *mutant* as it stands in the documentation."""
    protocol = Protocol(mutant.rules, mutant.bounds)
    report = explored(mutant.name, protocol)
    if report.violation is None:
        return f"### {mutant.name}\n\nNothing was found.\n"
    *steps, last = story(protocol, report)
    lines = [f"### {mutant.name[0].upper()}{mutant.name[1:]}: {report.length} steps", ""]
    lines += [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    lines += ["", last]
    if mutant.remark:
        lines += ["", mutant.remark]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Return 0 if the protocol holds and every mutant fails."""
    slices: dict[str, Bounds] = {} if "mutants" in arguments else dict(SLICES)
    if "large" in arguments:
        slices.update(LARGE_SLICES)
    right = True
    for name, bounds in slices.items():
        protocol = Protocol(Rules(), bounds)
        report = explored(name, protocol)
        if report.violation is not None:
            right = False
            sys.stdout.write("\n".join(story(protocol, report)) + "\n")
    for mutant in () if "large" in arguments else (*LISTED, *FURTHER):
        found = counterexample(mutant)
        right = right and "Nothing was found" not in found
        sys.stdout.write(found + "\n")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
