"""The cache's protocol as a set of steps, each of which any process may be killed before or paused at."""

import attrs

from tests.model.canonical import canonical
from tests.model.rules import Bounds, Filling, Rules
from tests.model.shelves import invalidated, may_be_evicted, stored, version_in
from tests.model.state import (
    ABSENT,
    EMPTY,
    GONE,
    ORPHAN,
    PENDING,
    UNREAD,
    VOID,
    Accepted,
    Fill,
    Poll,
    Postgres,
    Reply,
    Server,
    Shelf,
    State,
)
from tests.model.steps import Steps, with_copy, with_shelf
from tests.model.sweeper import sweeper_steps


@attrs.frozen
class Protocol:
    """The protocol under *rules*, within *bounds*."""

    rules: Rules
    bounds: Bounds

    def first(self) -> State:
        """Return the state in which nothing was written, cached or lost."""
        server = (Shelf(EMPTY, 0, 0), *[VOID] * self.bounds.epochs)
        return State(
            postgres=Postgres(0, 0, (), 0, 0, 0),
            sweep=None,
            stragglers=(),
            primary=server,
            copies=(server,) * self.bounds.copies,
            fills=(),
            watcher=None,
            upsets=self.bounds.upsets,
        )

    def canonical(self, state: State) -> State:
        """Return the state that stands for *state*."""
        watcher = state.watcher
        if isinstance(watcher, Reply) and self.rules.checks_epoch and watcher.epoch < state.postgres.epoch:
            state = state._replace(watcher=None)  # every later poll names another epoch
        return state if self.rules.reuses_numbers else canonical(state)

    def steps(self, state: State) -> Steps:
        """Return everything that can happen next."""
        out: Steps = []
        self._writes(state, out)
        self._fills(state, out)
        self._watcher(state, out)
        self._redis(state, out)
        if state.upsets:
            self._upsets(state, out)
        sweeper_steps(state, self.rules, self.bounds, out)
        return out

    # The writers, and time

    def _writes(self, state: State, out: Steps) -> None:
        postgres = state.postgres
        if postgres.version < self.bounds.commits:
            out.append(
                (("commits", postgres.version + 1), state._replace(postgres=self._committed(postgres)))
            )
        if postgres.overdue < postgres.version:
            aged = postgres._replace(overdue=postgres.overdue + 1)
            out.append((("ages", aged.overdue), state._replace(postgres=aged)))
        if postgres.version and (self.rules.marks_invalidations or self.rules.filling is Filling.TOMBSTONE):
            shelf = state.primary[postgres.epoch]
            deleted = invalidated(shelf, postgres.version, self.rules, keeps=False)
            if deleted != shelf:
                primary = with_shelf(state.primary, postgres.epoch, deleted)
                out.append((("deletes", postgres.version), state._replace(primary=primary)))

    def _committed(self, postgres: Postgres) -> Postgres:
        row = PENDING if self.rules.has_outbox else GONE
        return postgres._replace(version=postgres.version + 1, rows=(*postgres.rows, row))

    # The readers that fill

    def _fills(self, state: State, out: Steps) -> None:
        fills, rules = state.fills, self.rules
        if len(fills) < self.bounds.fills:
            epochs = {state.postgres.epoch}
            if isinstance(state.watcher, Poll):
                epochs.add(state.watcher.epoch)
            for epoch in sorted(epochs):
                self._begin_fill(state, epoch, out)
        for index, fill in enumerate(fills):
            left = fills[:index] + fills[index + 1 :]
            if fill.version == UNREAD:
                self._read_row(state, fill, left, out)
                continue
            epoch = state.postgres.epoch if rules.filling is Filling.TOMBSTONE else fill.epoch
            shelf = stored(state.primary[epoch], fill.token, fill.version, rules)
            after = state._replace(primary=with_shelf(state.primary, epoch, shelf), fills=left)
            out.append((("stores", fill.version, fill.token), _without_lease(after, -fill.token)))

    def _begin_fill(self, state: State, epoch: int, out: Steps) -> None:
        taken = {fill.token for fill in state.fills}
        token = next(token for token in range(1, 9) if token not in taken)
        shelf = state.primary[epoch]
        if self.rules.filling is not Filling.LEASE:
            self._read_row(state, Fill(token, epoch, UNREAD), state.fills, out)
        elif shelf.cell == EMPTY:
            primary = with_shelf(state.primary, epoch, shelf._replace(cell=-token))
            fills = tuple(sorted((*state.fills, Fill(token, epoch, UNREAD))))
            out.append((("leases", token), state._replace(primary=primary, fills=fills)))

    def _read_row(self, state: State, fill: Fill, others: tuple[Fill, ...], out: Steps) -> None:
        postgres = state.postgres
        oldest = 0 if self.rules.fills_from_replica else postgres.version
        for version in range(oldest, postgres.version + 1):
            fills = tuple(sorted((*others, fill._replace(version=version))))
            out.append((("reads_row", version, fill.token), state._replace(fills=fills)))
        if self.bounds.warms and postgres.version < self.bounds.commits:
            postgres = self._committed(postgres)
            fills = tuple(sorted((*others, fill._replace(version=postgres.version))))
            label = ("commits_to_warm", postgres.version, fill.token)
            out.append((label, state._replace(postgres=postgres, fills=fills)))

    # The process whose hits are looked at

    def _watcher(self, state: State, out: Steps) -> None:
        if state.watcher is not None:
            return
        postgres = state.postgres
        poll = Poll(postgres.epoch, postgres.acknowledged, postgres.overdue)
        if PENDING not in postgres.rows[: postgres.overdue] and self._horizon(state, poll):
            out.append((("polls", poll.acknowledged), state._replace(watcher=poll)))
        reply = self._read(state.primary, postgres.epoch)
        if reply is None:
            return
        if self.rules.checks_after_reply:
            out.append((("reads", *reply), state._replace(watcher=reply)))
        elif PENDING not in postgres.rows[: postgres.overdue] and self._trusts(reply, postgres.acknowledged):
            out.append((("accepts", *reply), state._replace(watcher=Accepted(reply.version))))

    def _read(self, server: Server, epoch: int) -> Reply | None:
        shelf = server[epoch]
        version = version_in(shelf)
        if version is None or (shelf.watermark == ABSENT and self.rules.needs_watermark):
            return None
        return Reply(version, shelf.watermark, epoch)

    def _trusts(self, reply: Reply, acknowledged: int) -> bool:
        if reply.watermark == ABSENT:
            return not self.rules.needs_watermark
        return not self.rules.has_watermark or reply.watermark >= acknowledged

    def _horizon(self, state: State, poll: Poll) -> int:
        """Return how many commits may be older than B + T when the last hit of *poll* is served."""
        return poll.seen if self.rules.has_reader_lease else state.postgres.version

    def wrong(self, state: State) -> str | None:
        """Say which guarantee *state* breaks, if any."""
        postgres, watcher = state.postgres, state.watcher
        horizon, served = 0, None
        if isinstance(watcher, Accepted):
            horizon, served = postgres.version, Reply(watcher.version, 0, 0)
        elif isinstance(watcher, Poll):
            reply = self._read(state.primary, watcher.epoch)
            if reply is not None and self._trusts(reply, watcher.acknowledged):
                horizon, served = self._horizon(state, watcher), reply
        elif PENDING not in postgres.rows[: postgres.overdue]:
            poll = Poll(postgres.epoch, postgres.acknowledged, postgres.overdue)
            reply = self._read(state.primary, postgres.epoch) if watcher is None else watcher
            if reply is not None and self._trusts(reply, poll.acknowledged):
                horizon, served = self._horizon(state, poll), reply
        if served is not None and served.version < horizon:
            return f"G5: a hit shows version {served.version}, but version {served.version + 1} is older than the bound"
        return self._settled(state)

    def _settled(self, state: State) -> str | None:
        if not self.rules.marks_invalidations:
            return None
        for server in (state.primary, *state.copies):
            for shelf in server:
                version = version_in(shelf)
                if version is not None and version < shelf.invalidated:
                    return (
                        f"G3: version {version} settled after the invalidation of version {shelf.invalidated}"
                    )
            lost = _lost(state.postgres, server[state.postgres.epoch])
            if lost:
                return f"G4: the invalidation of version {lost} is lost"
        return None

    # Redis

    def _redis(self, state: State, out: Steps) -> None:
        primary = state.primary
        for epoch, shelf in enumerate(primary):
            if may_be_evicted(shelf):
                emptied = with_shelf(primary, epoch, shelf._replace(cell=EMPTY))
                out.append((("emptied", epoch), state._replace(primary=emptied)))
        for index, copy in enumerate(state.copies):
            if copy != primary:
                out.append((("copied", index), state._replace(copies=with_copy(state, index, primary))))

    def _upsets(self, state: State, out: Steps) -> None:
        bounds, primary, postgres = self.bounds, state.primary, state.postgres
        left = state.upsets - 1
        if bounds.failovers:
            for index, copy in enumerate(state.copies):
                if copy != primary:
                    copies = with_copy(state, index, primary)
                    out.append(
                        (("fails_over", index), state._replace(primary=copy, copies=copies, upsets=left))
                    )
        if bounds.flushes:
            flushed = tuple([Shelf(EMPTY, ABSENT, shelf.invalidated) for shelf in primary])
            if flushed != primary:
                out.append((("flushes",), state._replace(primary=flushed, upsets=left)))
        shelf = primary[postgres.epoch]
        if bounds.loses_watermark and shelf.watermark != ABSENT:
            bare = with_shelf(primary, postgres.epoch, shelf._replace(watermark=ABSENT))
            out.append((("watermark_lost",), state._replace(primary=bare, upsets=left)))
        if bounds.bulk and postgres.version < bounds.commits and postgres.epoch < bounds.epochs:
            rows = (*postgres.rows, GONE)
            bulk = postgres._replace(version=postgres.version + 1, rows=rows, epoch=postgres.epoch + 1)
            out.append((("bulk", bulk.version), state._replace(postgres=bulk, upsets=left)))


def _without_lease(state: State, lease: int) -> State:
    """Give the lease that nobody can use any more the one name of all such leases."""

    def renamed(server: Server) -> Server:
        return tuple([shelf._replace(cell=ORPHAN) if shelf.cell == lease else shelf for shelf in server])

    servers = (state.primary, *state.copies)
    if all(shelf.cell != lease for server in servers for shelf in server):
        return state
    copies = tuple(sorted([renamed(copy) for copy in state.copies]))
    return state._replace(primary=renamed(state.primary), copies=copies)


def _lost(postgres: Postgres, shelf: Shelf) -> int:
    """Return a version whose invalidation neither waits nor can be found to be missing, or 0."""
    held = version_in(shelf)
    if held is None or shelf.watermark == ABSENT:
        return 0
    for version in range(held + 1, postgres.version + 1):
        row = postgres.rows[version - 1]
        if row != PENDING and row <= shelf.watermark and (row != GONE or postgres.purged <= shelf.watermark):
            return version
    return 0
