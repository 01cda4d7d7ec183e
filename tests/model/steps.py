"""Parts that all steps are made of."""

from typing import TypeAlias

from tests.model.explorer import Label
from tests.model.state import Server, Shelf, State

Steps: TypeAlias = list[tuple[Label, State]]


def with_shelf(server: Server, epoch: int, shelf: Shelf) -> Server:
    """Return *server* with *shelf* in its place."""
    return (*server[:epoch], shelf, *server[epoch + 1 :])


def with_copy(state: State, index: int, server: Server) -> tuple[Server, ...]:
    """Return the copies with *server* in the place of one; their order means nothing."""
    return tuple(sorted((*state.copies[:index], server, *state.copies[index + 1 :])))
