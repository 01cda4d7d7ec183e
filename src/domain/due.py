"""When a wall clock somewhere shows the send time: zones, gaps, repeats, skipped days, and the zone table."""

import difflib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import attrs
import tzdata

from domain.errors import InvalidField
from domain.occasion import LeapDayRule, days, is_leap

ZONE_DATA_VERSION: str = tzdata.IANA_VERSION
_ZONE_DATA = resources.files("tzdata").joinpath("zoneinfo")
"""Found once: looking for the package again costs as much as reading a zone does."""

NINE = time(9)
_ZONE_NAME_LENGTH_MAX = 64
"""The longest real name has half as many characters."""


class WallTime(StrEnum):
    """How the send time was found on a day's clock."""

    EXACT = "exact"
    GAP = "gap"  # clocks went forward over it: the first instant after
    REPEATED = "repeated"  # clocks went back over it: the first of the two
    SKIPPED_DAY = "skipped-day"  # the place left the whole day out: the next day that exists


@attrs.frozen
class Due:
    """The instant, in UTC, at which a message is due, and how it was found."""

    at: datetime
    wall_time: WallTime


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every name that a user's time zone may have, spelt exactly so."""
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return frozenset(listed) - {"localtime", "Factory", "posixrules"}


def is_zone(name: str) -> bool:
    """Tell whether there is such a zone in this release of the zone data."""
    return name in zone_names()


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone from the pinned zone data, never from the machine's own."""
    if not is_zone(name):
        raise InvalidField("timezone", _no_such_zone(name))
    with _ZONE_DATA.joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def _no_such_zone(name: str) -> str:
    if not name:
        return "Give an IANA time zone such as Europe/Berlin."
    if name.startswith(("+", "-", "UTC", "GMT")):
        return "An offset is not a time zone, it knows no daylight saving; give a name such as Europe/Berlin."
    close = _zone_spelt_like(name) if len(name) <= _ZONE_NAME_LENGTH_MAX else None
    hint = "Names look like Europe/Berlin." if close is None else f"Did you mean {close}?"
    return f"This is not an IANA time zone, written exactly. {hint}"


# A comparison with every name takes milliseconds, and in a file the same mistake stands in many rows.
@lru_cache(maxsize=1024)
def _zone_spelt_like(name: str) -> str | None:
    by_lower = {known.lower(): known for known in zone_names()}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


@lru_cache(maxsize=16_384)
def due(on: date, send_time: time, where: ZoneInfo) -> Due:
    """Return the instant at which clocks in *where* show *send_time* on the date *on*.

    A wall time that clocks jump over becomes the first instant after the jump; one that they show twice,
    the first (RFC 5545, 3.3.5, has the same). If the place skipped the whole date, the same wall time of
    the next date that exists.
    """
    wall = datetime.combine(on, send_time)
    first = wall.replace(tzinfo=where).astimezone(UTC)
    second = wall.replace(tzinfo=where, fold=1).astimezone(UTC)
    if first == second:
        return Due(first, WallTime.EXACT)
    if first < second:
        return Due(first, WallTime.REPEATED)
    # In a gap fold=0 reckons with the offset before it and so lands after, fold=1 the other way round.
    jump = _first_instant_after_jump(second, first, where)
    landed = jump.astimezone(where)
    left = (jump - timedelta(seconds=1)).astimezone(where)
    if left.date() < on < landed.date():
        return attrs.evolve(due(landed.date(), send_time, where), wall_time=WallTime.SKIPPED_DAY)
    return Due(jump, WallTime.GAP)


def _first_instant_after_jump(before: datetime, after: datetime, where: ZoneInfo) -> datetime:
    """Return the first second in (*before*, *after*] whose offset is that of *after*."""
    offset = after.astimezone(where).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(where).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return before + timedelta(seconds=high)


@attrs.frozen
class ZoneRow:
    """Everybody in *timezone* who was born (or hired) on *month*, *day* has an occasion *on* that date.

    *leap_day_rule* is None for a day that is kept whatever the rule; else the row is for those alone who
    keep that rule.
    """

    timezone: str
    on: date
    month: int
    day: int
    leap_day_rule: LeapDayRule | None
    due_at: datetime
    wall_time: WallTime
    expires_at: datetime


def occasion_dates(first: datetime, last: datetime) -> tuple[date, date]:
    """Return the first and the last local date of occasions that may be due from *first* to *last*, in UTC.

    Local dates are at most 14 hours ahead of UTC and 12 behind; one more day on either side allows for
    gaps and skipped days.
    """
    oldest = (first - timedelta(hours=12)).date() - timedelta(days=1)
    newest = (last + timedelta(hours=14)).date() + timedelta(days=1)
    return oldest, newest


@attrs.frozen
class SendPolicy:
    """The instance's settings that decide when a message is due and for how long it may still leave."""

    send_time: time = NINE
    window: timedelta = timedelta(hours=24)
    leap_day_rule: LeapDayRule = LeapDayRule.FEB28
    planned_ahead: timedelta = timedelta(hours=48)
    greeted_guard: timedelta = timedelta(days=300)

    @property
    def reckoning(self) -> str:
        """What a due instant depends on besides date and zone: who planned by another one plans anew."""
        return f"tzdata {ZONE_DATA_VERSION}, {self.send_time:%H:%M}, {self.leap_day_rule}"

    def plan_dates(self, now: datetime) -> tuple[date, date]:
        """Return the first and the last local date that the plan must hold at *now*.

        From the oldest date of any zone whose messages have not expired, to the newest that may be due
        within the time planned ahead. That is long enough for a UTC day to be planned before it begins.
        """
        return occasion_dates(now - self.window, now + self.planned_ahead)

    def is_belated(self, due_at: datetime, now: datetime) -> bool:
        """Tell whether a message that was due at *due_at* leaves when its local day is over.

        The day has as many hours left as the send time leaves of it; an hour off where clocks change.
        """
        of_the_day = timedelta(hours=self.send_time.hour, minutes=self.send_time.minute)
        return now - due_at >= timedelta(days=1) - of_the_day


def kept_on(on: date) -> list[tuple[int, int, LeapDayRule | None]]:
    """Return the months and days of birth that are kept on this date, with the rule that makes it so."""
    kept: list[tuple[int, int, LeapDayRule | None]] = [(on.month, on.day, None)]
    if not is_leap(on.year):
        if (on.month, on.day) == (2, 28):
            kept.append((2, 29, LeapDayRule.FEB28))
        if (on.month, on.day) == (3, 1):
            kept.append((2, 29, LeapDayRule.MAR1))
    return kept


def zone_table(
    policy: SendPolicy, first: date, last: date, zones: Iterable[str] | None = None
) -> Sequence[ZoneRow]:
    """Return a row for each zone, date from *first* to *last* and day of birth kept then.

    About 600 zones times a few dates: joined with the users by (zone, month, day) it plans everybody
    without reckoning a date for each.
    """
    rows: list[ZoneRow] = []
    for name in sorted(zone_names() if zones is None else zones):
        where = zone(name)
        for on in days(first, last):
            when = due(on, policy.send_time, where)
            rows.extend(
                ZoneRow(name, on, month, day, rule, when.at, when.wall_time, when.at + policy.window)
                for month, day, rule in kept_on(on)
            )
    return rows
