"""One state for all that differ only in names, or in what nobody can ask for any more."""

from bisect import bisect_left

from tests.model.rules import Rules
from tests.model.state import (
    ABSENT,
    GONE,
    NOT_YET,
    ORPHAN,
    VOID,
    Poll,
    Reply,
    Script,
    Server,
    Shelf,
    State,
    Sweep,
)


def settled(state: State, rules: Rules) -> State:
    """Return *state* without what nobody can ask for any more."""
    watcher = state.watcher
    if isinstance(watcher, Reply) and (
        (rules.checks_epoch and watcher.epoch < state.postgres.epoch)
        or (rules.has_watermark and ABSENT < watcher.watermark < state.postgres.acknowledged)
    ):
        state = state._replace(watcher=None)  # no later poll will trust it
    if state.upsets == 0 and state.copies:
        state = state._replace(copies=())
    return _without_dead_epochs(state) if state.postgres.epoch else state


def without_lease(state: State, token: int) -> State:
    """Return *state* with the lease that nobody can use any more under the one name of all such leases."""

    def renamed(server: Server) -> Server:
        return tuple([shelf._replace(cell=ORPHAN) if shelf.cell == -token else shelf for shelf in server])

    if all(shelf.cell != -token for server in (state.primary, *state.copies) for shelf in server):
        return state
    copies = tuple(sorted([renamed(copy) for copy in state.copies]))
    return state._replace(primary=renamed(state.primary), copies=copies)


def newest_number(state: State) -> int:
    """Return the greatest batch number that anybody remembers."""
    return max(_watermarks(state) | {state.postgres.acknowledged, *state.postgres.rows})


def renumbered(state: State) -> State:
    """Name the watermarks 0, 1, 2 ... in their order, and every other number by the next watermark.

    What else is a number (the acknowledged one, a batch's base, a row's batch) is only ever compared with a
    watermark, and asks whether that one is smaller: so the next greater watermark says as much.
    """
    used = sorted(_watermarks(state))
    postgres, sweep, watcher = state.postgres, state.sweep, state.watcher
    newest = max(postgres.acknowledged, *postgres.rows, 0)
    if (not used or used[-1] < len(used)) and newest <= len(used):
        return state
    # What is below 0 is no number and stays: at such an index a list is read from its end.
    last = max(newest, postgres.purged, *used[-1:])
    rank = [*(bisect_left(used, number) for number in range(last + 1)), NOT_YET, GONE, ABSENT]

    def script(one: Script) -> Script:
        return Script(one.begins, rank[one.number], rank[one.base], one.rows, one.epoch)

    def server(one: Server) -> Server:
        return tuple([Shelf(cell, rank[watermark], promised) for cell, watermark, promised in one])

    if isinstance(watcher, Poll):
        watcher = watcher._replace(acknowledged=rank[watcher.acknowledged])
    elif isinstance(watcher, Reply):
        watcher = watcher._replace(watermark=rank[watcher.watermark])
    return State(
        postgres._replace(
            rows=tuple([rank[row] for row in postgres.rows]),
            acknowledged=rank[postgres.acknowledged],
            purged=rank[postgres.purged],
        ),
        None if sweep is None else Sweep(sweep.is_answered, script(sweep.script)),
        tuple([script(one) for one in state.stragglers]),
        server(state.primary),
        tuple([server(copy) for copy in state.copies]),
        state.fills,
        watcher,
        state.upsets,
    )


def _watermarks(state: State) -> set[int]:
    """Return the numbers that are watermarks or may become one."""
    used = {shelf[1] for shelf in state.primary}
    for copy in state.copies:
        used.update([shelf[1] for shelf in copy])
    used.update([script.number for script in state.stragglers])
    if state.sweep is not None:
        used.add(state.sweep.script.number)
    if isinstance(state.watcher, Reply):
        used.add(state.watcher.watermark)
    used -= {ABSENT, NOT_YET}
    return used


def _without_dead_epochs(state: State) -> State:
    """Empty the shelves that no hit can come from, and stop who is busy with them."""
    watcher, sweep, epoch = state.watcher, state.sweep, state.postgres.epoch
    alive = set(range(epoch, len(state.primary)))
    if isinstance(watcher, Poll):
        alive.add(watcher.epoch)
    fills = tuple([fill for fill in state.fills if fill.epoch in alive])
    stragglers = tuple([script for script in state.stragglers if script.epoch in alive])
    if sweep is not None:
        alive.add(sweep.script.epoch)

    def kept(server: Server) -> Server:
        return tuple([shelf if number in alive else VOID for number, shelf in enumerate(server)])

    return state._replace(
        primary=kept(state.primary),
        copies=tuple([kept(copy) for copy in state.copies]),
        fills=fills,
        stragglers=stragglers,
    )
