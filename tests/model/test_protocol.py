"""The protocol holds in every state; with any one of its rules left out or changed, it does not."""

import os
import random

import attrs
import pytest

from tests.architecture.sources import PROJECT
from tests.model.__main__ import counterexample, explored, row
from tests.model.explorer import explore
from tests.model.mutants import FURTHER, LISTED, Mutant
from tests.model.protocol import Protocol
from tests.model.rules import Acknowledging, Bounds, Rules
from tests.model.shelves import version_in
from tests.model.slices import ANYTHING, LARGE_SLICES, SLICES
from tests.model.state import State, pending

pytestmark = pytest.mark.slow

EVERY_SLICE = {**SLICES, **(LARGE_SLICES if os.environ.get("MODEL") == "large" else {})}
TOLD = (PROJECT / "docs" / "cache-protocol.md").read_text(encoding="utf-8")
PROGRESS = {"delivers", "finds_gap", "finds_nothing", "prepares_epoch", "acknowledges", "begins_epoch"}

ALONE = {
    attrs.evolve(mutant.bounds, copies=min(mutant.bounds.copies, 1)): mutant.name
    for mutant in (*LISTED, *FURTHER)
}
"""The bounds of all mutants, of which many have the same, each with the name of one."""

every_mutant = pytest.mark.parametrize("mutant", (*LISTED, *FURTHER), ids=lambda mutant: mutant.name)


@pytest.mark.parametrize("name", EVERY_SLICE)
def test_the_protocol_holds(name: str) -> None:
    report = explored(name, Protocol(Rules(), EVERY_SLICE[name]))
    assert report.violation is None
    assert row(name, report) in TOLD, "docs/cache-protocol.md tells how much was explored"


@every_mutant
def test_a_mutant_fails_as_the_documentation_says(mutant: Mutant) -> None:
    found = counterexample(mutant)
    assert "Nothing was found" not in found
    assert found in TOLD, "docs/cache-protocol.md tells the shortest counterexample"


@pytest.mark.parametrize("bounds", ALONE, ids=lambda bounds: ALONE[bounds])
def test_it_is_the_rule_that_the_mutant_lacks(bounds: Bounds) -> None:
    """Within the same bounds the protocol itself holds; with two copies, see the large slices."""
    protocol = Protocol(Rules(), bounds)
    report = explore(protocol.first(), protocol.steps, protocol.wrong, states_max=200_000)
    assert report.violation is None


def test_the_number_may_be_raised_early() -> None:
    """Only the rows must not be marked before Redis has answered: a number too high is found to be a gap."""
    bounds = Bounds(copies=1, stragglers=1, upsets=1, failovers=True)
    report = explored("number early", Protocol(Rules(acknowledging=Acknowledging.BEFORE), bounds))
    assert report.violation is None


def test_from_every_state_a_sweeper_left_alone_delivers_everything() -> None:
    """G4's other half: what waits does not wait for ever, and the cache can be used again."""
    protocol = Protocol(Rules(), attrs.evolve(ANYTHING, epochs=3, watches=False))

    def stuck(state: State) -> str | None:
        healed = _swept(protocol, state)
        postgres, shelf = healed.postgres, healed.primary[healed.postgres.epoch]
        if pending(postgres) or healed.sweep is not None:
            return f"{pending(postgres)} are never delivered"
        if shelf.watermark < postgres.acknowledged:
            return "the cache is never used again"
        return None if version_in(shelf) in {None, postgres.version} else "an old version stays"

    report = explore(protocol.first(), protocol.steps, stuck, states_max=100_000)
    assert report.violation is None
    assert report.states > 5_000


def test_names_tell_nothing() -> None:
    """A state and the one that stands for it go on alike, so that looking at one of them is enough."""
    protocol = Protocol(Rules(), attrs.evolve(ANYTHING, commits=2, fills=2, copies=2, upsets=3, others=True))
    choice = random.Random(4)
    renamed = 0
    for _ in range(150):
        state = protocol.first()
        for _ in range(60):
            following = protocol.plain_steps(state)
            named = protocol.name(state)
            renamed += named != state
            assert {protocol.name(one) for _, one in following} == {one for _, one in protocol.steps(named)}
            assert protocol.wrong(state) == protocol.wrong(named)
            state = choice.choice(following)[1]
    assert renamed > 1_000


def _swept(protocol: Protocol, state: State) -> State:
    """Let the sweeper go on, undisturbed, until it has nothing to do."""
    for _ in range(12):
        if state.sweep is None:
            claims = [step for step in protocol.plain_steps(state) if step[0][0] == "claims"]
            if not claims:
                return state
            state = max(claims, key=lambda step: len(step[0]))[1]
        else:
            state = next(one for label, one in protocol.plain_steps(state) if label[0] in PROGRESS)
    return state
