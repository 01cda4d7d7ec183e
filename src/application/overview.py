"""What an operator sees first: how things stand, what needs somebody, what comes, and how late it was."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

import attrs

from application.audit_ports import AuditReader
from application.headline import Headline, headline
from application.observing import CacheHealth, Metrics
from application.operator_ports import (
    Attention,
    DueGroup,
    Lateness,
    NamedMessage,
    OperatorReader,
    PausedChannel,
)
from application.ports import Clock
from application.statistics import SchedulerState
from domain.audit import Entry
from domain.due import SendPolicy
from domain.mornings import Morning, next_mornings

AHEAD = timedelta(hours=24)
DAYS_BACK = 7
_IN_NEED_SHOWN = 20
_NEXT_SHOWN = 20
_DECISIONS_SHOWN = 10
_TODAY_KEPT = timedelta(seconds=60)
_PAST_KEPT = timedelta(minutes=30)


@attrs.frozen
class Hour:
    """How many messages are wanted within an hour, which begins *at*."""

    at: datetime
    messages: int


@attrs.frozen
class Place:
    """Where the send time comes next, and how many people are greeted then, by zone."""

    morning: Morning
    people: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Overview:
    """Everything on the first page."""

    now: datetime
    send_time: time
    headline: Headline
    attention: Attention
    paused: Sequence[PausedChannel]
    has_people: bool
    due: Sequence[DueGroup]
    hours: Sequence[Hour]
    next_messages: Sequence[NamedMessage]
    places: Sequence[Place]
    lateness: Sequence[tuple[date, Lateness | None]]
    decisions: Sequence[Entry]
    state: SchedulerState
    cache: CacheHealth


@attrs.define(eq=False)
class LatenessOfDays:
    """How late the last days were; reckoned now and then, since a day's messages are many."""

    _reader: OperatorReader
    _known: dict[date, tuple[datetime, Lateness | None]] = attrs.field(factory=dict, init=False)

    async def __call__(self, now: datetime) -> Sequence[tuple[date, Lateness | None]]:
        """Return the last days, the latest first: it is up to a minute old today, half an hour before that."""
        today = now.date()
        days = [today - timedelta(days=back) for back in range(DAYS_BACK)]
        stale = [
            day
            for day in days
            if day not in self._known
            or not timedelta(0) <= now - self._known[day][0] < (_TODAY_KEPT if day == today else _PAST_KEPT)
        ]
        found = await self._reader.lateness(stale) if stale else {}
        known = {**self._known, **{day: (now, found.get(day)) for day in stale}}
        self._known = {day: known[day] for day in days}
        return [(day, self._known[day][1]) for day in days]


@attrs.frozen
class ShowOverview:
    """How things stand now. Raises StoreUnavailable."""

    reader: OperatorReader
    audit: AuditReader
    lateness: LatenessOfDays
    policy: SendPolicy
    clock: Clock
    state: SchedulerState
    metrics: Metrics

    async def __call__(self) -> Overview:
        now = self.clock.now()
        until = now + AHEAD
        # One after the other: whoever looks takes one connection of the pool, and not half of it.
        attention = await self.reader.attention(_IN_NEED_SHOWN)
        due = await self.reader.due(now, until)
        paused = await self.reader.paused_channels()
        state, cache = attrs.evolve(self.state), self.metrics.cache_health()
        return Overview(
            now=now,
            send_time=self.policy.send_time,
            headline=headline(now, due, attention.counts, paused, state=state, cache=cache),
            attention=attention,
            paused=paused,
            has_people=await self.reader.has_people(),
            due=due,
            hours=by_hour(now, due),
            next_messages=await self.reader.next_messages(now, until, _NEXT_SHOWN),
            places=places(next_mornings(now, self.policy.send_time), due),
            lateness=await self.lateness(now),
            decisions=await self.audit.decided(_DECISIONS_SHOWN),
            state=state,
            cache=cache,
        )


def by_hour(now: datetime, due: Sequence[DueGroup]) -> Sequence[Hour]:
    """Count what is wanted in each hour of the next 24, beginning with this one; what is late is wanted now."""
    first = now.replace(minute=0, second=0, microsecond=0)
    counts: Counter[datetime] = Counter()
    for group in due:
        counts[max(group.at.replace(minute=0), first)] += group.messages
    return [Hour(at, counts[at]) for at in (first + timedelta(hours=number) for number in range(25))]


def places(mornings: Sequence[Morning], due: Sequence[DueGroup]) -> Sequence[Place]:
    """Return where the send time comes next, with the people who are greeted there then."""
    people = {(group.timezone, group.at): group.people for group in due if not group.is_late}
    return [
        Place(
            morning,
            {name: people[name, morning.at] for name in morning.zones if (name, morning.at) in people},
        )
        for morning in mornings
    ]
