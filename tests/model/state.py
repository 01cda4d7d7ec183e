"""What the model remembers: one key, as PostgreSQL, the Redis servers, the sweeper and the readers know it."""

from typing import NamedTuple, TypeAlias

EMPTY = 0
ORPHAN = -9
ABSENT = -1
PENDING = -1
GONE = -2
UNREAD = -1
NOT_YET = -3


class Postgres(NamedTuple):
    """The primary: what is committed, and what it knows of the deliveries.

    *rows* has one number for each commit: PENDING, the batch that delivered it, or GONE. Commits age in their
    order: the first *aged* ones are older than B. Batches up to *purged* may have lost rows.
    """

    version: int
    aged: int
    rows: tuple[int, ...]
    acknowledged: int
    epoch: int
    purged: int


class Shelf(NamedTuple):
    """The key and its watermark in one epoch on one server.

    *cell* is EMPTY, a version plus one, or a lease as a negative token. *promised* is no part of Redis: no
    version below it may be seen here again.
    """

    cell: int
    watermark: int
    promised: int


Server: TypeAlias = tuple[Shelf, ...]


class Script(NamedTuple):
    """What a sweeper sends: delete what is older than the newest of *rows*, or begin the epoch."""

    begins: bool
    number: int
    base: int
    rows: tuple[int, ...]
    epoch: int


class Sweep(NamedTuple):
    """A sweeper that holds the shard's lock, and whether Redis has answered it."""

    is_answered: bool
    script: Script


class Fill(NamedTuple):
    """A task between taking the lease and storing what it read."""

    token: int
    epoch: int
    version: int


class Poll(NamedTuple):
    """A process's permission to serve hits; *seen* commits were older than B when it asked."""

    epoch: int
    acknowledged: int
    seen: int
    is_listed: bool


class Reply(NamedTuple):
    """A value and the watermark beside it, on their way to a process that has yet to poll."""

    version: int
    watermark: int
    epoch: int


class Accepted(NamedTuple):
    """A value that nobody will check again before it is served."""

    version: int


class State(NamedTuple):
    """Everything. *copies* are replicas, old snapshots and former primaries; *upsets* are still to come."""

    postgres: Postgres
    sweep: Sweep | None
    stragglers: tuple[Script, ...]
    primary: Server
    copies: tuple[Server, ...]
    fills: tuple[Fill, ...]
    watcher: Poll | Reply | Accepted | None
    upsets: int


VOID = Shelf(EMPTY, ABSENT, 0)


def with_shelf(server: Server, epoch: int, shelf: Shelf) -> Server:
    """Return *server* with *shelf* in its place."""
    return (*server[:epoch], shelf, *server[epoch + 1 :])


def with_copy(state: State, index: int, server: Server) -> tuple[Server, ...]:
    """Return the copies with *server* in the place of one; their order means nothing."""
    return tuple(sorted((*state.copies[:index], server, *state.copies[index + 1 :])))


def pending(postgres: Postgres) -> list[int]:
    """Return the versions whose invalidation waits."""
    return [version for version, row in enumerate(postgres.rows, 1) if row == PENDING]


def is_overdue(postgres: Postgres) -> bool:
    """Return whether an invalidation has waited for longer than B."""
    return PENDING in postgres.rows[: postgres.aged]
