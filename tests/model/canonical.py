"""One state for all that differ only in names, or in what nobody can ask for any more."""

from bisect import bisect_left

from tests.model.state import ABSENT, VOID, Poll, Reply, Script, Server, Shelf, State


def canonical(state: State) -> State:
    """Return the state that stands for *state* and all that cannot be told from it by what follows."""
    watcher = state.watcher
    if isinstance(watcher, Reply) and watcher.watermark < state.postgres.acknowledged:
        state = state._replace(watcher=None)  # no later poll will trust it
    if state.upsets == 0 and state.copies:
        state = state._replace(copies=())
    if state.postgres.epoch:
        state = _without_dead_epochs(state)
    return _renumbered(state)


def newest_number(state: State) -> int:
    """Return the greatest batch number that anybody remembers."""
    greatest = max(_numbers(state), default=0)
    return max(greatest, state.postgres.acknowledged, state.postgres.purged, *state.postgres.rows, 0)


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
        return tuple([shelf if epoch in alive else VOID for epoch, shelf in enumerate(server)])

    return state._replace(
        primary=kept(state.primary),
        copies=tuple([kept(copy) for copy in state.copies]),
        fills=fills,
        stragglers=stragglers,
    )


def _numbers(state: State) -> set[int]:
    """Return the numbers that are watermarks or may become one."""
    used = {shelf[1] for shelf in state.primary}
    for copy in state.copies:
        used.update([shelf[1] for shelf in copy])
    used.update([script.number for script in state.stragglers])
    if state.sweep is not None:
        used.add(state.sweep.script.number)
    if isinstance(state.watcher, Reply):
        used.add(state.watcher.watermark)
    used.discard(ABSENT)
    return used


def _renumbered(state: State) -> State:
    """Name the watermarks 0, 1, 2 ... in their order, and every other number by the next watermark.

    What else is a number (the acknowledged one, a batch's base, a row's batch) is only ever compared with a
    watermark, and asks whether that one is smaller: so the next greater watermark says as much.
    """
    used = sorted(_numbers(state))
    postgres, sweep, watcher = state.postgres, state.sweep, state.watcher

    def rank(number: int) -> int:
        return number if number < 0 else bisect_left(used, number)

    if isinstance(watcher, Poll):
        watcher = Poll(watcher.epoch, rank(watcher.acknowledged), watcher.seen)
    elif isinstance(watcher, Reply):
        watcher = Reply(watcher.version, rank(watcher.watermark), watcher.epoch)

    def script(one: Script) -> Script:
        return Script(one.begins, rank(one.number), rank(one.base), one.version, one.epoch)

    def server(one: Server) -> Server:
        return tuple([Shelf(cell, rank(watermark), done) for cell, watermark, done in one])

    return State(
        postgres._replace(
            rows=tuple([rank(row) for row in postgres.rows]),
            acknowledged=rank(postgres.acknowledged),
            purged=rank(postgres.purged),
        ),
        None if sweep is None else sweep._replace(script=script(sweep.script)),
        tuple([script(one) for one in state.stragglers]),
        server(state.primary),
        tuple([server(copy) for copy in state.copies]),
        state.fills,
        watcher,
        state.upsets,
    )
