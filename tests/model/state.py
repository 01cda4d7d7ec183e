"""What the model remembers: one key, as PostgreSQL, the Redis servers, the sweeper and the readers know it."""

from typing import NamedTuple, TypeAlias

EMPTY = 0
ORPHAN = -9
ABSENT = -1
PENDING = -1
GONE = -2
UNREAD = -1

SENDING, CARRIED_OUT, BEGINNING, BEGUN = range(4)


class Postgres(NamedTuple):
    """The primary: what is committed, and what it knows of the deliveries.

    *rows* has one number for each commit: PENDING, the batch that delivered it, or GONE. Commits age in their
    order, so two counters say how old they are: the first *overdue* ones are older than B, the first *late*
    ones older than B + T.
    """

    version: int
    overdue: int
    late: int
    rows: tuple[int, ...]
    acknowledged: int
    epoch: int
    purged: int


class Shelf(NamedTuple):
    """The key and its watermark in one epoch on one server.

    *cell* is EMPTY, a version plus one, or a lease as a negative token. *invalidated* is no part of Redis: it
    remembers the newest version whose invalidation was carried out here.
    """

    cell: int
    watermark: int
    invalidated: int


Server: TypeAlias = tuple[Shelf, ...]


class Script(NamedTuple):
    """What a sweeper sends: delete what is older than *version*, or begin the epoch."""

    begins: bool
    number: int
    base: int
    version: int
    epoch: int


class Sweep(NamedTuple):
    """A sweeper that holds the shard's lock."""

    phase: int
    script: Script
    rows: tuple[int, ...]


class Fill(NamedTuple):
    """A task between taking the lease and storing what it read."""

    token: int
    epoch: int
    version: int


class Poll(NamedTuple):
    """What a process was told by PostgreSQL, and *seen*, how many commits were older than B at that time."""

    epoch: int
    acknowledged: int
    is_overdue: bool
    seen: int
    has_arrived: bool


class Reply(NamedTuple):
    """Value and watermark, read together, on their way to the process."""

    version: int
    watermark: int
    epoch: int


class State(NamedTuple):
    """Everything. *copies* are replicas, old snapshots and former primaries."""

    postgres: Postgres
    sweep: Sweep | None
    stragglers: tuple[Script, ...]
    primary: Server
    copies: tuple[Server, ...]
    fills: tuple[Fill, ...]
    poll: Poll | None
    reply: Reply | None
    upsets: int


VOID = Shelf(EMPTY, ABSENT, 0)


def numbers(state: State) -> set[int]:
    """Return the batch numbers that something in *state* still remembers."""
    postgres, sweep, poll, reply = state.postgres, state.sweep, state.poll, state.reply
    used = {postgres.acknowledged, postgres.purged, *postgres.rows}
    if sweep is not None:
        used.add(sweep.script.number)
        used.add(sweep.script.base)
    for script in state.stragglers:
        used.add(script.number)
        used.add(script.base)
    for server in (state.primary, *state.copies):
        for shelf in server:
            used.add(shelf.watermark)
    if poll is not None:
        used.add(poll.acknowledged)
    if reply is not None:
        used.add(reply.watermark)
    used.discard(ABSENT)
    used.discard(GONE)
    return used


def renumbered(state: State) -> State:
    """Return *state* with its batch numbers as 0, 1, 2 ... in the same order: only their order is ever used."""
    used = numbers(state)
    if max(used) + 1 == len(used):
        return state
    to = {number: rank for rank, number in enumerate(sorted(used))}
    to[ABSENT], to[GONE] = ABSENT, GONE
    postgres, sweep, poll, reply = state.postgres, state.sweep, state.poll, state.reply
    return State(
        postgres._replace(
            rows=tuple([to[row] for row in postgres.rows]),
            acknowledged=to[postgres.acknowledged],
            purged=to[postgres.purged],
        ),
        None if sweep is None else sweep._replace(script=_script(sweep.script, to)),
        tuple([_script(script, to) for script in state.stragglers]),
        _server(state.primary, to),
        tuple([_server(copy, to) for copy in state.copies]),
        state.fills,
        None if poll is None else poll._replace(acknowledged=to[poll.acknowledged]),
        None if reply is None else reply._replace(watermark=to[reply.watermark]),
        state.upsets,
    )


def _script(script: Script, to: dict[int, int]) -> Script:
    return script._replace(number=to[script.number], base=to[script.base])


def _server(server: Server, to: dict[int, int]) -> Server:
    return tuple([Shelf(cell, to[watermark], kept) for cell, watermark, kept in server])


def forgotten(state: State) -> State:
    """Return *state* without the shelves of epochs that nobody can speak of again."""
    epochs = [state.postgres.epoch]
    epochs.extend([fill.epoch for fill in state.fills])
    epochs.extend([script.epoch for script in state.stragglers])
    if state.sweep is not None:
        epochs.append(state.sweep.script.epoch)
    if state.poll is not None:
        epochs.append(state.poll.epoch)
    oldest = min(epochs)
    if oldest == 0 or all(
        shelf == VOID for server in (state.primary, *state.copies) for shelf in server[:oldest]
    ):
        return state
    void = (VOID,) * oldest
    return state._replace(
        primary=void + state.primary[oldest:],
        copies=tuple([void + copy[oldest:] for copy in state.copies]),
    )
