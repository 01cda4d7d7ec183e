"""The readers: tasks that fill, and the one process whose hits are looked at."""

from tests.model.canonical import without_lease
from tests.model.rules import Bounds, Filling, Rules, Steps
from tests.model.shelves import stored, version_in
from tests.model.state import (
    ABSENT,
    EMPTY,
    NOT_YET,
    PENDING,
    UNREAD,
    Accepted,
    Fill,
    Poll,
    Postgres,
    Reply,
    Server,
    State,
    is_overdue,
    with_shelf,
)


def committed(postgres: Postgres, row: int = PENDING) -> Postgres:
    """Return *postgres* with one more version, and its row in the outbox."""
    return postgres._replace(version=postgres.version + 1, rows=(*postgres.rows, row))


def fill_steps(state: State, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Add what tasks do that found nothing, or that warm the cache with what they write."""
    fills = state.fills
    if len(fills) < bounds.fills:
        epochs = {state.postgres.epoch}
        if isinstance(state.watcher, Poll):
            epochs.add(state.watcher.epoch)
        for epoch in sorted(epochs):
            _begin(state, epoch, rules, bounds, out)
    for index, fill in enumerate(fills):
        others = fills[:index] + fills[index + 1 :]
        if fill.version == UNREAD:
            _read_row(state._replace(fills=others), fill, rules, bounds, out)
            continue
        epoch = state.postgres.epoch if rules.filling is Filling.TOMBSTONE else fill.epoch
        shelf = stored(state.primary[epoch], fill.token, fill.version, rules)
        label = ("stores" if shelf != state.primary[epoch] else "gives_up", fill.version, fill.token)
        after = state._replace(primary=with_shelf(state.primary, epoch, shelf), fills=others)
        is_held = fill.token in {other.token for other in others}
        out.append((label, after if is_held else without_lease(after, fill.token)))


def _begin(state: State, epoch: int, rules: Rules, bounds: Bounds, out: Steps) -> None:
    taken = {fill.token for fill in state.fills if rules.has_unique_tokens}
    token = next(token for token in range(1, 9) if token not in taken)
    shelf = state.primary[epoch]
    if rules.filling is not Filling.LEASE:
        # Without a token nothing ties a fill to an epoch: a tombstone's reader names the key when it stores.
        named = bounds.epochs if rules.filling is Filling.TOMBSTONE else epoch
        _read_row(state, Fill(token, named, UNREAD), rules, bounds, out)
    elif shelf.cell == EMPTY:
        primary = with_shelf(state.primary, epoch, shelf._replace(cell=-token))
        fills = tuple(sorted((*state.fills, Fill(token, epoch, UNREAD))))
        out.append((("leases", token), state._replace(primary=primary, fills=fills)))


def _read_row(state: State, fill: Fill, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Let *fill*, which is none of those in *state*, read or write the row."""
    postgres = state.postgres
    oldest = postgres.version if rules.fills_from_primary else 0
    for version in range(oldest, postgres.version + 1):
        fills = tuple(sorted((*state.fills, fill._replace(version=version))))
        out.append((("reads_row", version, fill.token), state._replace(fills=fills)))
    if bounds.warms and postgres.version < bounds.commits:
        postgres = committed(postgres)
        fills = tuple(sorted((*state.fills, fill._replace(version=postgres.version))))
        label = ("commits_to_warm", postgres.version, fill.token)
        out.append((label, state._replace(postgres=postgres, fills=fills)))


def watcher_steps(state: State, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Add a poll of which a later read will make use, and a read that waits for a later poll.

    Neither changes anything for anybody else, so one of each is enough: what both allow is `served`.
    """
    postgres, watcher = state.postgres, state.watcher
    if isinstance(watcher, Poll) and not watcher.is_listed and not is_overdue(postgres):
        out.append((("lists",), state._replace(watcher=watcher._replace(is_listed=True))))
    if isinstance(watcher, Reply) and watcher.watermark == NOT_YET:
        watermark = state.primary[watcher.epoch].watermark
        if watermark != ABSENT:
            whole = watcher._replace(watermark=watermark)
            out.append((("reads_watermark", watermark), state._replace(watcher=whole)))
    if watcher is not None:
        return
    may_miss = postgres.aged or bounds.promises or not rules.has_reader_lease
    if may_miss and not (rules.polls_at_once and is_overdue(postgres)):
        poll = _asked(postgres, is_listed=rules.polls_at_once)
        out.append((("polls", poll.acknowledged), state._replace(watcher=poll)))
    reply = _read(state.primary, postgres.epoch, rules)
    if reply is None or not _may_be_trusted(reply, postgres.acknowledged, rules):
        return
    if not rules.reads_at_once:
        out.append(
            (("reads_value", reply.version), state._replace(watcher=reply._replace(watermark=NOT_YET)))
        )
    elif rules.checks_after_reply:
        out.append((("reads", reply.version, reply.watermark), state._replace(watcher=reply)))
    elif not is_overdue(postgres):
        out.append((("accepts", reply.version), state._replace(watcher=Accepted(reply.version))))


def served(state: State, rules: Rules) -> tuple[int, int] | None:
    """Return which version a hit may show now, and how many commits may be older than the bound by then.

    A hit is served no later than T after its poll was asked for. A commit that was not yet older than B at that
    time is not older than B + T then; one that was may be. A process that knows no T can be any time late.
    """
    postgres, watcher = state.postgres, state.watcher
    if isinstance(watcher, Accepted):
        return watcher.version, postgres.version
    poll = watcher if isinstance(watcher, Poll) else _asked(postgres, is_listed=not is_overdue(postgres))
    reply = watcher if isinstance(watcher, Reply) else _read(state.primary, poll.epoch, rules)
    if reply is None or not poll.is_listed:
        return None
    if rules.checks_epoch and reply.epoch != poll.epoch:
        return None
    if not _may_be_trusted(reply, poll.acknowledged, rules):
        return None
    return reply.version, poll.seen if rules.has_reader_lease else postgres.version


def _asked(postgres: Postgres, *, is_listed: bool) -> Poll:
    return Poll(postgres.epoch, postgres.acknowledged, postgres.aged, is_listed)


def _read(server: Server, epoch: int, rules: Rules) -> Reply | None:
    shelf = server[epoch]
    version = version_in(shelf)
    if version is None or (shelf.watermark == ABSENT and rules.needs_watermark):
        return None
    return Reply(version, shelf.watermark, epoch)


def _may_be_trusted(reply: Reply, acknowledged: int, rules: Rules) -> bool:
    if reply.watermark == ABSENT:
        return not rules.needs_watermark
    return not rules.has_watermark or reply.watermark >= acknowledged
