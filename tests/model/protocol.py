"""The cache's protocol as a set of steps, each of which any process may be killed before or paused at."""

from itertools import combinations

import attrs

from tests.model.explorer import Label
from tests.model.rules import Acknowledging, Bounds, Filling, Rules
from tests.model.shelves import invalidated, may_be_evicted, stored, swept, version_in
from tests.model.state import (
    ABSENT,
    BEGINNING,
    BEGUN,
    CARRIED_OUT,
    EMPTY,
    GONE,
    ORPHAN,
    PENDING,
    SENDING,
    UNREAD,
    VOID,
    Fill,
    Poll,
    Postgres,
    Reply,
    Script,
    Server,
    Shelf,
    State,
    Sweep,
    forgotten,
    numbers,
    renumbered,
)

Steps = list[tuple[Label, State]]


@attrs.frozen
class Protocol:
    """The protocol under *rules*, within *bounds*."""

    rules: Rules
    bounds: Bounds

    def first(self) -> State:
        """Return the state in which nothing was written, cached or lost."""
        server = (Shelf(EMPTY, 0, 0), *[VOID] * self.bounds.epochs)
        return State(
            postgres=Postgres(0, 0, 0, (), 0, 0, 0),
            sweep=None,
            stragglers=(),
            primary=server,
            copies=(server,) * self.bounds.copies,
            fills=(),
            poll=None,
            reply=None,
            upsets=self.bounds.upsets,
        )

    def steps(self, state: State) -> Steps:
        """Return everything that can happen next."""
        out: Steps = []
        self._writes(state, out)
        self._ageing(state, out)
        self._fills(state, out)
        self._process(state, out)
        self._redis(state, out)
        if state.upsets:
            self._upsets(state, out)
        if state.sweep is None:
            self._claims(state, out)
        else:
            self._sweep(state, state.sweep, out)
        for index, script in enumerate(state.stragglers):
            left = state.stragglers[:index] + state.stragglers[index + 1 :]
            shelf = swept(state.primary[script.epoch], script, self.rules)
            primary = state.primary if shelf is None else _with(state.primary, script.epoch, shelf)
            out.append((("straggler", script.number), state._replace(primary=primary, stragglers=left)))
        return out

    def canonical(self, state: State) -> State:
        """Return the one state that stands for all that differ from *state* in names only."""
        reply, poll = state.reply, state.poll
        if (
            reply is not None
            and poll is not None
            and poll.has_arrived
            and not self.rules.checks_before_reply
            and (
                reply.epoch < poll.epoch or (self.rules.has_watermark and reply.watermark < poll.acknowledged)
            )
        ):
            state = state._replace(reply=None)  # what later polls say is newer still
        state = forgotten(state)
        return state if self.rules.reuses_numbers else renumbered(state)

    def _fresh(self, state: State) -> int:
        if self.rules.reuses_numbers:
            return state.postgres.acknowledged + 1
        return max(numbers(state)) + 1

    # The writers

    def _writes(self, state: State, out: Steps) -> None:
        postgres, bounds = state.postgres, self.bounds
        if postgres.version < bounds.commits:
            out.append((("commits", postgres.version + 1), state._replace(postgres=self._committed(postgres))))
        if postgres.version and bounds.ghosts:
            shelf = state.primary[postgres.epoch]
            deleted = invalidated(shelf, postgres.version, self.rules, keeps=False)
            if deleted != shelf:
                primary = _with(state.primary, postgres.epoch, deleted)
                out.append((("deletes", postgres.version), state._replace(primary=primary)))

    def _committed(self, postgres: Postgres) -> Postgres:
        row = PENDING if self.rules.has_outbox else GONE
        return postgres._replace(version=postgres.version + 1, rows=(*postgres.rows, row))

    def _ageing(self, state: State, out: Steps) -> None:
        postgres, poll = state.postgres, state.poll
        if postgres.overdue < postgres.version:
            overdue = postgres.overdue + 1
            out.append((("overdue", overdue), state._replace(postgres=postgres._replace(overdue=overdue))))
        if postgres.late < postgres.overdue:
            late = postgres.late + 1
            if (
                self.rules.has_reader_lease
                and poll is not None
                and poll.seen < late
                and not (self.rules.counts_lease_from_answer and not poll.has_arrived)
            ):
                poll = None  # it was asked before, so T has passed since
            out.append((("late", late), state._replace(postgres=postgres._replace(late=late), poll=poll)))

    # The readers

    def _fills(self, state: State, out: Steps) -> None:
        fills, rules = state.fills, self.rules
        if len(fills) < self.bounds.fills:
            epochs = {state.postgres.epoch}
            if state.poll is not None:
                epochs.add(state.poll.epoch)
            for epoch in sorted(epochs):
                self._begin_fill(state, epoch, out)
        for index, fill in enumerate(fills):
            left = fills[:index] + fills[index + 1 :]
            if fill.version == UNREAD:
                self._read_primary(state, fill, left, out)
                continue
            epoch = state.postgres.epoch if rules.filling is Filling.TOMBSTONE else fill.epoch
            shelf = stored(state.primary[epoch], fill.token, fill.version, rules)
            primary = _with(state.primary, epoch, shelf)
            after = state._replace(primary=primary, fills=left)
            if rules.filling is Filling.LEASE:
                after = _orphaned(after, -fill.token)
            out.append((("stores", fill.version, fill.token), after))

    def _begin_fill(self, state: State, epoch: int, out: Steps) -> None:
        taken = {fill.token for fill in state.fills}
        token = next(token for token in range(1, 9) if token not in taken)
        shelf = state.primary[epoch]
        if self.rules.filling is not Filling.LEASE:
            self._read_primary(state, Fill(token, epoch, UNREAD), state.fills, out)
        elif shelf.cell == EMPTY:
            primary = _with(state.primary, epoch, shelf._replace(cell=-token))
            fills = tuple(sorted((*state.fills, Fill(token, epoch, UNREAD))))
            out.append((("leases", token), state._replace(primary=primary, fills=fills)))

    def _read_primary(self, state: State, fill: Fill, others: tuple[Fill, ...], out: Steps) -> None:
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

    def _process(self, state: State, out: Steps) -> None:
        """Poll and read, in the one process whose hits are looked at."""
        postgres, rules, poll = state.postgres, self.rules, state.poll
        is_overdue = PENDING in postgres.rows[: postgres.overdue]
        asked = Poll(
            postgres.epoch,
            postgres.acknowledged,
            is_overdue,
            postgres.overdue,
            not rules.counts_lease_from_answer,
        )
        if poll is not None and not poll.has_arrived:
            out.append((("answered",), state._replace(poll=poll._replace(has_arrived=True))))
        elif asked != poll and (rules.has_reader_lease or poll is None):
            out.append((("polls", postgres.acknowledged, int(is_overdue)), state._replace(poll=asked)))
        if poll is None or not poll.has_arrived:
            return
        servers = (state.primary, *state.copies) if self.bounds.reads_copies else (state.primary,)
        for index, server in enumerate(servers):
            shelf = server[poll.epoch]
            version = version_in(shelf)
            if version is None or (shelf.watermark == ABSENT and not rules.takes_absent_watermark_for_good):
                continue
            reply = Reply(version, shelf.watermark, poll.epoch)
            if reply != state.reply and (not rules.checks_before_reply or self._trusts(poll, reply)):
                out.append((("reads", version, shelf.watermark, index), state._replace(reply=reply)))

    def _trusts(self, poll: Poll, reply: Reply) -> bool:
        if not poll.has_arrived or poll.is_overdue or reply.epoch != poll.epoch:
            return False
        if self.rules.takes_absent_watermark_for_good and reply.watermark == ABSENT:
            return True
        return not self.rules.has_watermark or reply.watermark >= poll.acknowledged

    def wrong(self, state: State) -> str | None:
        """Say which guarantee *state* breaks, if any."""
        reply, poll, postgres = state.reply, state.poll, state.postgres
        if reply is not None and reply.version < postgres.late:
            served = self.rules.checks_before_reply or (poll is not None and self._trusts(poll, reply))
            if served:
                return f"G5: version {reply.version} is served, version {reply.version + 1} is older than B + T"
        if self.bounds.ghosts:
            for server in (state.primary, *state.copies):
                for shelf in server:
                    version = version_in(shelf)
                    if version is not None and version < shelf.invalidated:
                        return f"G3: version {version} settled after version {shelf.invalidated}'s invalidation"
                lost = _lost(postgres, server[postgres.epoch])
                if lost:
                    return f"G4: the invalidation of version {lost} is lost"
        return None

    # Redis

    def _redis(self, state: State, out: Steps) -> None:
        primary = state.primary
        for epoch, shelf in enumerate(primary):
            if may_be_evicted(shelf):
                emptied = _with(primary, epoch, shelf._replace(cell=EMPTY))
                out.append((("emptied", epoch), state._replace(primary=emptied)))
        for index, copy in enumerate(state.copies):
            if copy != primary:
                out.append((("copied", index), state._replace(copies=_copies(state, index, primary))))

    def _upsets(self, state: State, out: Steps) -> None:
        bounds, primary, postgres = self.bounds, state.primary, state.postgres
        left = state.upsets - 1
        if bounds.failovers:
            for index, copy in enumerate(state.copies):
                if copy != primary:
                    copies = _copies(state, index, primary)
                    after = state._replace(primary=copy, copies=copies, upsets=left)
                    out.append((("failover", index), after))
        if bounds.flushes:
            flushed = tuple([Shelf(EMPTY, ABSENT, shelf.invalidated) for shelf in primary])
            if flushed != primary:
                out.append((("flush",), state._replace(primary=flushed, upsets=left)))
        shelf = primary[postgres.epoch]
        if bounds.loses_watermark and shelf.watermark != ABSENT:
            bare = _with(primary, postgres.epoch, shelf._replace(watermark=ABSENT))
            out.append((("watermark_lost",), state._replace(primary=bare, upsets=left)))
        if bounds.bulk and postgres.version < bounds.commits and postgres.epoch < bounds.epochs:
            after_bulk = postgres._replace(
                version=postgres.version + 1, rows=(*postgres.rows, GONE), epoch=postgres.epoch + 1
            )
            out.append((("bulk", after_bulk.version), state._replace(postgres=after_bulk, upsets=left)))

    # The sweeper

    def _claims(self, state: State, out: Steps) -> None:
        postgres, rules = state.postgres, self.rules
        if postgres.acknowledged >= self.bounds.acknowledged_max:
            return
        pending = [version for version, row in enumerate(postgres.rows, 1) if row == PENDING]
        shelf = state.primary[postgres.epoch]
        if not pending and (not rules.has_watermark or shelf.watermark >= postgres.acknowledged):
            return  # nothing to do, and it looked
        sizes = range(1, len(pending) + 1) if self.bounds.splits_batches else [len(pending)]
        chosen = [rows for size in sizes for rows in combinations(pending, size)] or [()]
        number = self._fresh(state)
        for rows in chosen:
            script = Script(False, number, postgres.acknowledged, max(rows, default=0), postgres.epoch)
            sweep = Sweep(SENDING, script, rows)
            known = postgres
            if rules.acknowledging is not Acknowledging.AFTER:
                known = _delivered(known, rows, number)
            if rules.acknowledging is Acknowledging.BEFORE:
                known = known._replace(acknowledged=number)
            out.append((("claims", number, *rows), state._replace(postgres=known, sweep=sweep)))
        if self.bounds.purges:
            for version in range(1, postgres.late + 1):
                row = postgres.rows[version - 1]
                if row > 0:
                    rows = _put(postgres.rows, version - 1, GONE)
                    purged = postgres._replace(rows=rows, purged=max(postgres.purged, row))
                    out.append((("purged", version), state._replace(postgres=purged)))

    def _sweep(self, state: State, sweep: Sweep, out: Steps) -> None:
        script, postgres = sweep.script, state.postgres
        match sweep.phase:
            case 0:  # SENDING
                self._send(state, sweep, out)
            case 1:  # CARRIED_OUT
                known = _delivered(postgres, sweep.rows, script.number)._replace(acknowledged=script.number)
                out.append((("acknowledges", script.number), state._replace(postgres=known, sweep=None)))
            case 2:  # BEGINNING
                shelf = swept(state.primary[script.epoch], script, self.rules)
                assert shelf is not None
                after = state._replace(
                    primary=_with(state.primary, script.epoch, shelf), sweep=sweep._replace(phase=BEGUN)
                )
                out.append((("prepares_epoch", script.epoch, script.number), after))
            case _:  # BEGUN
                known = postgres._replace(
                    epoch=max(postgres.epoch, script.epoch), acknowledged=script.number
                )
                out.append((("begins_epoch", script.epoch), state._replace(postgres=known, sweep=None)))
        out.append((("dies",), state._replace(sweep=None)))
        if sweep.phase in {SENDING, BEGINNING} and len(state.stragglers) < self.bounds.stragglers:
            stragglers = tuple(sorted((*state.stragglers, script)))
            out.append((("dies_sending",), state._replace(sweep=None, stragglers=stragglers)))

    def _send(self, state: State, sweep: Sweep, out: Steps) -> None:
        """Run the script; what it reports is looked at in the same step, before the next script is sent."""
        script, postgres, rules = sweep.script, state.postgres, self.rules
        before = state.primary[script.epoch]
        shelf = swept(before, script, rules)
        number = self._fresh(state)
        if shelf is not None:
            primary = _with(state.primary, script.epoch, shelf)
            after = state._replace(primary=primary, sweep=sweep._replace(phase=CARRIED_OUT))
            out.append((("delivers", script.number), after))
        elif before.watermark == ABSENT and rules.rewrites_lost_watermark:
            again = script._replace(base=ABSENT)
            out.append((("rewrites",), state._replace(sweep=sweep._replace(script=again))))
        elif before.watermark < postgres.purged or before.watermark == ABSENT:
            if script.epoch < self.bounds.epochs:
                begin = Script(True, number, 0, 0, script.epoch + 1)
                out.append((("finds_nothing",), state._replace(sweep=Sweep(BEGINNING, begin, ()))))
        elif rules.repairs_gaps_by_writing:
            again = script._replace(base=0)
            out.append((("ignores_gap", before.watermark), state._replace(sweep=sweep._replace(script=again))))
        else:
            missed = {
                version for version, row in enumerate(postgres.rows, 1) if row > before.watermark
            }.union(sweep.rows)
            base = before.watermark if rules.redelivers_on_base else 0
            again = Script(False, number, base, max(missed, default=0), script.epoch)
            found = Sweep(SENDING, again, tuple(sorted(missed)))
            out.append((("finds_gap", before.watermark, number), state._replace(sweep=found)))


def _with(server: Server, epoch: int, shelf: Shelf) -> Server:
    return (*server[:epoch], shelf, *server[epoch + 1 :])


def _copies(state: State, index: int, server: Server) -> tuple[Server, ...]:
    return tuple(sorted((*state.copies[:index], server, *state.copies[index + 1 :])))


def _put(rows: tuple[int, ...], index: int, row: int) -> tuple[int, ...]:
    return (*rows[:index], row, *rows[index + 1 :])


def _delivered(postgres: Postgres, versions: tuple[int, ...], number: int) -> Postgres:
    rows = tuple([number if version in versions else row for version, row in enumerate(postgres.rows, 1)])
    return postgres._replace(rows=rows)


def _orphaned(state: State, lease: int) -> State:
    """Give the lease that nobody can use any more the one name of all such leases."""

    def renamed(server: Server) -> Server:
        return tuple([shelf._replace(cell=ORPHAN) if shelf.cell == lease else shelf for shelf in server])

    servers = [state.primary, *state.copies]
    if all(shelf.cell != lease for server in servers for shelf in server):
        return state
    return state._replace(
        primary=renamed(state.primary), copies=tuple(sorted([renamed(copy) for copy in state.copies]))
    )


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
