"""What the model remembers: one key, as PostgreSQL, the Redis servers, the sweeper and the readers know it."""

from typing import NamedTuple, TypeAlias

EMPTY = 0
ORPHAN = -9
ABSENT = -1
PENDING = -1
GONE = -2
UNREAD = -1


class Postgres(NamedTuple):
    """The primary: what is committed, and what it knows of the deliveries.

    *rows* has one number for each commit: PENDING, the batch that delivered it, or GONE. Commits age in their
    order: the first *overdue* ones are older than B.
    """

    version: int
    overdue: int
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
    """A sweeper that holds the shard's lock; whether Redis has answered; the versions it delivers."""

    is_answered: bool
    script: Script
    rows: tuple[int, ...]


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
