"""The cache's protocol as a set of steps, before each of which any process may be paused or killed."""

import attrs

from tests.model.canonical import renumbered, settled
from tests.model.readers import committed, fill_steps, served, watcher_steps
from tests.model.rules import Bounds, Filling, Rules, Steps
from tests.model.shelves import invalidated, may_be_evicted, promising, version_in
from tests.model.state import (
    ABSENT,
    EMPTY,
    GONE,
    PENDING,
    VOID,
    Poll,
    Postgres,
    Shelf,
    State,
    with_copy,
    with_shelf,
)
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

    def name(self, state: State) -> State:
        """Return the state that stands for all that differ from *state* in their batch numbers only."""
        return renumbered(state) if self.rules.never_reuses_numbers else state

    def steps(self, state: State) -> Steps:
        """Return everything that can happen next, with batch numbers named anew."""
        out, moves = self._sorted_out(state)
        out.extend([(label, self.name(following)) for label, following in moves])
        return out

    def plain_steps(self, state: State) -> Steps:
        """Return everything that can happen next, with batch numbers as they were drawn."""
        out, moves = self._sorted_out(state)
        return out + moves

    def _sorted_out(self, state: State) -> tuple[Steps, Steps]:
        """Return the steps that leave all batch numbers in use as they are, and the others."""
        out: Steps = []
        self._writes(state, out)
        fill_steps(state, self.rules, self.bounds, out)
        if self.bounds.watches:
            watcher_steps(state, self.rules, self.bounds, out)
        self._evictions(state, out)
        moves: Steps = []
        self._copying(state, moves)
        if state.upsets:
            self._upsets(state, moves)
        sweeper_steps(state, self.rules, self.bounds, moves)
        return out, [(label, settled(following, self.rules)) for label, following in moves]

    def wrong(self, state: State) -> str | None:
        """Say which guarantee *state* breaks, if any."""
        hit = served(state, self.rules)
        if hit is not None and hit[0] < hit[1]:
            return f"G5: a hit shows version {hit[0]}, and version {hit[0] + 1} is older than the bound"
        for server in (state.primary, *state.copies):
            for shelf in server if self.bounds.promises else ():
                version = version_in(shelf)
                if version is not None and version < shelf.promised:
                    return (
                        f"G2, G3: version {version} can be seen after version {shelf.promised} was promised"
                    )
            lost = _lost(state.postgres, server[state.postgres.epoch]) if self.bounds.inside else 0
            if lost:
                return f"G4: the invalidation of version {lost} is lost"
        return None

    def _writes(self, state: State, out: Steps) -> None:
        """Commit; let time pass; and let the writer's own delete arrive, after which the response leaves.

        Where nothing is promised, that delete is one of the `_evictions`.
        """
        postgres, rules = state.postgres, self.rules
        if postgres.version < self.bounds.commits:
            known = committed(postgres, PENDING if rules.has_outbox else GONE)
            out.append((("commits", known.version), state._replace(postgres=known)))
        if postgres.aged < postgres.version:
            known = postgres._replace(aged=postgres.aged + 1)
            out.append((("ages", known.aged), state._replace(postgres=known)))
        if postgres.version and (self.bounds.promises or rules.filling is Filling.TOMBSTONE):
            alive = {postgres.epoch}
            if isinstance(state.watcher, Poll):
                alive.add(state.watcher.epoch)
            for epochs in [alive] if rules.deletes_in_old_epochs else [{epoch} for epoch in sorted(alive)]:
                primary = state.primary
                for epoch in alive:
                    shelf = promising(primary[epoch], postgres.version)
                    if epoch in epochs:
                        shelf = invalidated(shelf, postgres.version, rules, keeps=False)
                    primary = with_shelf(primary, epoch, shelf)
                if primary != state.primary:
                    out.append((("deletes", postgres.version), state._replace(primary=primary)))

    def _evictions(self, state: State, out: Steps) -> None:
        for epoch, shelf in enumerate(state.primary):
            if may_be_evicted(shelf):
                primary = with_shelf(state.primary, epoch, shelf._replace(cell=EMPTY))
                out.append((("emptied",), state._replace(primary=primary)))

    def _copying(self, state: State, out: Steps) -> None:
        for index, copy in enumerate(state.copies):
            if copy != state.primary:
                out.append((("copied",), state._replace(copies=with_copy(state, index, state.primary))))

    def _upsets(self, state: State, out: Steps) -> None:
        bounds, primary, postgres = self.bounds, state.primary, state.postgres
        left = state._replace(upsets=state.upsets - 1)
        for index, copy in enumerate(state.copies):
            if bounds.failovers and copy != primary:
                after = left._replace(primary=copy, copies=with_copy(state, index, primary))
                out.append((("fails_over",), after))
        if bounds.flushes:
            flushed = tuple([Shelf(EMPTY, ABSENT, shelf.promised) for shelf in primary])
            if flushed != primary:
                out.append((("flushes",), left._replace(primary=flushed)))
        shelf = primary[postgres.epoch]
        if bounds.loses_watermark and shelf.watermark != ABSENT:
            bare = with_shelf(primary, postgres.epoch, shelf._replace(watermark=ABSENT))
            out.append((("watermark_lost",), left._replace(primary=bare)))
        if bounds.bulk and postgres.version < bounds.commits and postgres.epoch < bounds.epochs:
            known = committed(postgres, GONE)._replace(epoch=postgres.epoch + 1)
            out.append((("bulk", known.version), left._replace(postgres=known)))


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
