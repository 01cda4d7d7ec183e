"""How things stand, in one paragraph for whoever glances at it: what is bad comes first."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from application.observing import CacheHealth
from application.operator_ports import COUNTED_MAX, DueGroup, PausedChannel
from application.statistics import SchedulerState
from application.upkeep import CLOCK_OFFSET_MAX
from domain.message import IN_NEED, Status

FAILURES_MAX = 3
"""After how many failures in a row the scheduler is said to be unwell."""
LEAVES_WITHIN = timedelta(minutes=1)
"""What has been due for less than that is leaving; later it is overdue."""


class Tone(StrEnum):
    """How bad it is."""

    GOOD = "good"
    WATCH = "watch"  # it may mend by itself
    BAD = "bad"


@attrs.frozen
class Headline:
    """What there is to say, the worst first, and how bad that is."""

    tone: Tone
    told: Sequence[str]

    @property
    def text(self) -> str:
        """All of it, in one line."""
        return " ".join(self.told)


AWAY = Headline(Tone.BAD, ["The database cannot be reached: nothing is sent until it is back."])

_MINUTE_S = 60

_Told = tuple[Tone, str]


def headline(
    now: datetime,
    due: Sequence[DueGroup],
    in_need: Mapping[Status, int],
    paused: Sequence[PausedChannel],
    *,
    state: SchedulerState,
    cache: CacheHealth,
) -> Headline:
    """Say how things stand at *now*; *due* is what is open and wanted within a day."""
    troubles = [
        *_of_the_scheduler(state),
        *_of_channels(paused),
        *_of_late_messages(now, due, is_paused=bool(paused)),
        *_of_those_in_need(in_need),
        *_of_the_cache(cache),
    ]
    ended = [] if any(group.is_late for group in due) else [_all_sent(in_need)]
    tones = [tone for tone, _ in troubles]
    worst = next((tone for tone in (Tone.BAD, Tone.WATCH) if tone in tones), Tone.GOOD)
    return Headline(worst, [*(text for _, text in troubles), *ended, _next(now, due)])


def counted(number: int, one: str, several: str) -> str:
    """Write *number* with the word that goes with it."""
    return f"{number:,} {one if number == 1 else several}"


def clock_time(instant: datetime, now: datetime) -> str:
    """Write *instant* as a person would who looks at a clock in UTC at *now*."""
    days = (instant.date() - now.date()).days
    named = {0: "", 1: " tomorrow", -1: " yesterday"}.get(days, f" on {instant:%d %b %Y}")
    return f"{instant:%H:%M} UTC{named}"


def _of_the_scheduler(state: SchedulerState) -> Sequence[_Told]:
    if abs(state.clock_offset_s) > CLOCK_OFFSET_MAX.total_seconds():
        told = f"Nothing is planned: this machine's clock is {abs(state.clock_offset_s):.1f} s off the database's."
        return [(Tone.BAD, told)]
    if state.failures_in_a_row >= FAILURES_MAX:
        return [(Tone.BAD, "The scheduler fails again and again; the log tells why.")]
    if state.started_at is not None and state.last_plan_at is None:
        return [(Tone.BAD, "The scheduler has not planned yet.")]
    return []


def _of_channels(paused: Sequence[PausedChannel]) -> Sequence[_Told]:
    told: list[str] = []
    for one in paused:
        if one.braked is None:
            told.append(f"The channel {one.name} takes nothing for another {duration(one.pause)}.")
        else:
            due, usual = f"{one.braked.messages:,}", f"{one.braked.allowed:,}"
            told.append(
                f"The brake has stopped the channel {one.name}: {due} messages are due in one hour, and up to {usual} are usual."
            )
            told.append("Somebody has to confirm that.")
    return [(Tone.BAD, text) for text in told]


def _of_late_messages(now: datetime, due: Sequence[DueGroup], *, is_paused: bool) -> Sequence[_Told]:
    waiting = [group for group in due if group.is_waiting]
    number = sum(group.messages for group in waiting)
    retrying = sum(group.messages for group in due if group.is_late and not group.is_waiting)
    told: list[_Told] = []
    if waiting:
        oldest = min(group.oldest_due_at for group in waiting)
        if now - oldest >= LEAVES_WITHIN:
            are = counted(number, "message is", "messages are")
            told.append((Tone.BAD, f"{are} overdue, the oldest since {clock_time(oldest, now)}."))
        elif is_paused:
            told.append((Tone.BAD, f"{counted(number, 'message waits', 'messages wait')}."))
        else:
            told.append((Tone.GOOD, f"{counted(number, 'message is', 'messages are')} leaving now."))
    if retrying:
        failed = counted(retrying, "message failed for now and is", "messages failed for now and are")
        told.append((Tone.WATCH, f"{failed} tried again."))
    return told


def _of_those_in_need(in_need: Mapping[Status, int]) -> Sequence[_Told]:
    counts = [(status, in_need[status]) for status in IN_NEED if in_need.get(status)]
    if not counts:
        return []
    parts = [
        f"{'more than ' if count > COUNTED_MAX else ''}{min(count, COUNTED_MAX):,} {status.lower()}"
        for status, count in counts
    ]
    listed = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    is_one = sum(count for _, count in counts) == 1
    return [(Tone.BAD, f"{listed} {'message needs' if is_one else 'messages need'} somebody.")]


def _of_the_cache(cache: CacheHealth) -> Sequence[_Told]:
    if not cache.broken:
        return []
    answers = counted(cache.broken, "answer", "answers")
    return [(Tone.BAD, f"The cache has given {answers} that had been wrong for too long.")]


def _all_sent(in_need: Mapping[Status, int]) -> str:
    return f"Everything {'else ' if any(in_need.values()) else ''}due has been sent."


def _next(now: datetime, due: Sequence[DueGroup]) -> str:
    coming = [group for group in due if not group.is_late]
    if not coming:
        return "Nothing is due in the next 24 hours."
    first = [group for group in coming if group.at == coming[0].at]
    people = counted(sum(group.people for group in first), "person", "people")
    zones = counted(len({group.timezone for group in first}), "zone", "zones")
    return f"Next: {clock_time(first[0].at, now)}, {people} in {zones}."


def duration(length: timedelta) -> str:
    """Write *length* in hours and minutes, or in seconds if it is short, rounded up."""
    seconds = max(math.ceil(length.total_seconds()), 1)
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    hours, minutes = divmod(math.ceil(seconds / _MINUTE_S), 60)
    return " ".join([*([f"{hours:,} h"] if hours else []), *([f"{minutes} min"] if minutes else [])])
