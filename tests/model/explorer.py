"""Breadth-first search through every state of a model, so that the first counterexample is a shortest one."""

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import attrs

S = TypeVar("S", bound=Hashable)
L = TypeVar("L")


class TooManyStates(Exception):
    """The search was given up: a result for a part of the states would prove nothing."""


@attrs.frozen(kw_only=True)
class Report(Generic[S]):
    """What a search found; *path* leads from the first state to the wrong one, both included."""

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
    steps: Callable[[S], Sequence[tuple[L, S]]],
    wrong: Callable[[S], str | None],
    *,
    states_max: int,
) -> Report[S]:
    """Visit every state that *steps* reach from *first*, until one of them is *wrong*."""
    parents: dict[S, S | None] = {first: None}
    reached, transitions, depth = [first], 0, 0
    violation = wrong(first)
    with _no_garbage_collection():
        while reached and violation is None:
            if len(parents) > states_max:
                raise TooManyStates(f"more than {states_max} states, {depth} steps deep")
            frontier, reached = reached, []
            for state in frontier:
                following = steps(state)
                transitions += len(following)
                for _, one in following:
                    if one not in parents:
                        parents[one] = state
                        reached.append(one)
                        violation = wrong(one)
                        if violation is not None:
                            break
                else:
                    continue
                break
            depth += bool(reached)
    path = _path(parents, reached[-1]) if violation is not None else ()
    return Report(states=len(parents), transitions=transitions, depth=depth, violation=violation, path=path)


def labels(
    first: S, path: Sequence[S], steps: Callable[[S], Sequence[tuple[L, S]]], name: Callable[[S], S]
) -> list[L]:
    """Return the labels of the steps along *path*, taken from *first* on without renaming anything.

    *name* gives the name under which a state stands in *path*.
    """
    state, found = first, []
    for wanted in path[1:]:
        label, state = next(step for step in steps(state) if name(step[1]) == wanted)
        found.append(label)
    return found


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Look for no cycles in millions of tuples that have none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _path(parents: dict[S, S | None], last: S) -> list[S]:
    path: list[S] = []
    at: S | None = last
    while at is not None:
        path.append(at)
        at = parents[at]
    return path[::-1]
