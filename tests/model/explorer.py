"""Breadth-first search through every state of a model, so that the first counterexample is a shortest one."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import attrs

S = TypeVar("S", bound=Hashable)
Label = tuple[str | int, ...]


class TooManyStates(Exception):
    """The search was given up: a result for a part of the states would prove nothing."""


@attrs.frozen(kw_only=True)
class Report(Generic[S]):
    """What a search found; *path* leads from the first state to *violation*, both included."""

    states: int
    transitions: int
    depth: int
    violation: str | None = None
    path: Sequence[S] = ()

    @property
    def length(self) -> int:
        """Return how many steps the counterexample has."""
        return len(self.path) - 1


def explore(
    first: S,
    steps: Callable[[S], Sequence[tuple[Label, S]]],
    wrong: Callable[[S], str | None],
    *,
    canonical: Callable[[S], S],
    states_max: int,
) -> Report[S]:
    """Visit every state that *steps* reach from *first*, up to *canonical*, until one of them is *wrong*."""
    start = canonical(first)
    parents: dict[S, S | None] = {start: None}
    frontier, transitions, depth = [start], 0, 0
    found = wrong(start)
    if found is not None:
        return Report(states=1, transitions=0, depth=0, violation=found, path=(start,))
    while frontier:
        reached: list[S] = []
        for state in frontier:
            for _, raw in steps(state):
                transitions += 1
                following = canonical(raw)
                if following in parents:
                    continue
                parents[following] = state
                reached.append(following)
                found = wrong(following)
                if found is not None:
                    path = _path(parents, following)
                    return Report(
                        states=len(parents),
                        transitions=transitions,
                        depth=depth + 1,
                        violation=found,
                        path=path,
                    )
        if len(parents) > states_max:
            raise TooManyStates(f"more than {states_max} states, {depth} steps deep")
        depth += bool(reached)
        frontier = reached
    return Report(states=len(parents), transitions=transitions, depth=depth)


def told(
    first: S,
    path: Sequence[S],
    steps: Callable[[S], Sequence[tuple[Label, S]]],
    *,
    canonical: Callable[[S], S],
) -> list[tuple[Label, S]]:
    """Return the steps of *path* with their labels, as they happen from *first* without renaming anything."""
    state, story = first, []
    for wanted in path[1:]:
        label, state = next(step for step in steps(state) if canonical(step[1]) == wanted)
        story.append((label, state))
    return story


def _path(parents: dict[S, S | None], last: S) -> list[S]:
    path, at = [], parents[last]
    path.append(last)
    while at is not None:
        path.append(at)
        at = parents[at]
    return path[::-1]
