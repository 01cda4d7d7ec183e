"""What the brake knows, in memory."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import attrs

from adapters.memory.store import ChannelState, State
from application.deliveries import Delivery
from domain.brake import Brake, Braked, DueHour
from domain.message import Message, Reason


def look(state: State, brake: Brake, channel: str, waiting: Sequence[Message]) -> Braked | None:
    """Return what stops the channel if anything does, and keep that."""
    fresh = Counter(
        _hour(one.due_at) for one in waiting if not one.attempt and one.reason is not Reason.OPERATOR
    )
    braked = brake.stops(
        DueHour(at, number + state.due_hours.get(at, 0), _busiest(state, at, at - brake.looks_back))
        for at, number in fresh.items()
    )
    known = state.channels.get(channel, ChannelState())
    if known.braked != braked:
        state.channels[channel] = attrs.evolve(known, braked=braked)
    return braked


def count(state: State, claimed: Sequence[Delivery]) -> None:
    """Count what was claimed for the first time."""
    for one in claimed:
        if one.attempt == 1:
            hour = _hour(one.due_at)
            state.due_hours[hour] = state.due_hours.get(hour, 0) + 1


def _busiest(state: State, hour: datetime, since: datetime) -> int:
    before = [number for at, number in state.due_hours.items() if since <= at < hour]
    confirmed = [number for at, number in state.confirmed_hours.items() if at >= since]
    return max([*before, *confirmed], default=0)


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
