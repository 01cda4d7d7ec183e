"""What the plan of everybody comes to, in memory."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from adapters.memory.store import State
from application.ports import Shard
from domain.due import SendPolicy, ZoneRow
from domain.message import (
    Action,
    Message,
    MessageKey,
    Reason,
    Status,
    greeted_recently,
    is_being_greeted,
)
from domain.occasion import AnnualDate, Kind
from domain.plan import why_not_planned
from domain.user import User, UserId


def planned(
    table: Sequence[ZoneRow], state: State, policy: SendPolicy, now: datetime, shard: Shard
) -> Iterator[Message]:
    """Yield what the zone table owes to the live users of *shard* and the ledger does not hold yet."""
    rivals = _rivals(state)
    for message in _owed(table, state, policy, now):
        if message.key in state.messages or not shard.holds(message.key.user_id):
            continue
        history = rivals.get(message.key.user_id, ())
        if is_being_greeted(message.key, history, policy.greeted_guard):
            continue
        why_not = why_not_planned(message, state.users[message.key.user_id])
        if why_not is not None:
            yield message.moved(Action.SKIP, now, why_not)
        elif greeted_recently(message.key, history, policy.greeted_guard):
            yield message.moved(Action.SKIP, now, Reason.GREETED_RECENTLY)
        elif message.expires_at <= now:
            yield message.moved(Action.EXPIRE, now, Reason.WINDOW_PASSED)
        else:
            yield message


def _owed(table: Sequence[ZoneRow], state: State, policy: SendPolicy, now: datetime) -> Iterator[Message]:
    born: defaultdict[tuple[str, int, int], list[tuple[User, Kind, AnnualDate]]] = defaultdict(list)
    for user in state.users.values():
        for kind in Kind:
            annual = user.annual(kind)
            if annual is not None and user.deleted_at is None:
                born[user.timezone, annual.month, annual.day].append((user, kind, annual))
    for row in table:
        for user, kind, annual in born.get((row.timezone, row.month, row.day), ()):
            years = None if annual.year is None else row.on.year - annual.year
            rule = user.leap_day_rule or policy.leap_day_rule
            if (
                (years is None or years >= 0)
                and row.leap_day_rule in {None, rule}
                and row.due_at >= user.known_at(kind)
            ):
                yield Message(
                    key=MessageKey(row.on, kind, user.id),
                    due_at=row.due_at,
                    expires_at=row.expires_at,
                    timezone=row.timezone,
                    wall_time=row.wall_time,
                    years=years,
                    created_at=now,
                    updated_at=now,
                )


def _rivals(state: State) -> Mapping[UserId, Sequence[Message]]:
    rivals: dict[UserId, list[Message]] = {}
    for message in state.messages.values():
        if message.has_greeted or message.status is Status.SENDING:
            rivals.setdefault(message.key.user_id, []).append(message)
    return rivals
