"""When a wall clock shows a time, found the slow way: by looking at the instants one after the other.

The judge of ``domain.due``, so it shares nothing with it: it reads the zone data itself, asks only which
offset an *instant* has, and turns local into UTC by trying every offset that was in force around then.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import attrs

_HALF_DAY_S = 12 * 3600
_AROUND_S = 50 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class Stretch:
    """A time in UTC seconds, without its end, through which a place kept one offset."""

    starts: int
    ends: int
    offset: int

    def shows(self, wall: int) -> bool:
        return self.starts + self.offset <= wall < self.ends + self.offset


@attrs.frozen
class Showing:
    """The instant to expect, and how it comes about, in the words of ``domain.due.WallTime``."""

    at: datetime
    how: str


@cache
def raw_zone(name: str) -> ZoneInfo:
    """Return the zone straight from the files of the package tzdata."""
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def distinct_zones() -> tuple[str, ...]:
    """Return one name for each different set of rules: links repeat those of another name."""
    directory = resources.files("tzdata.zoneinfo")
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    by_rules = {directory.joinpath(*name.split("/")).read_bytes(): name for name in sorted(names)}
    return tuple(sorted(set(by_rules.values()) - {"Factory"}))


def stretches(zone: ZoneInfo, first: int, last: int, step_s: int = _HALF_DAY_S) -> list[Stretch]:
    """Walk from *first* to *last* and return what offset the place kept when."""
    found: list[Stretch] = []
    starts, offset = first, _offset(zone, first)
    here = first
    while here < last:
        ahead = min(here + step_s, last)
        if _offset(zone, ahead) != offset:
            ahead = _change(zone, here, ahead)
            found.append(Stretch(starts, ahead, offset))
            starts, offset = ahead, _offset(zone, ahead)
        here = ahead
    found.append(Stretch(starts, last, offset))
    return found


def showing(zone: ZoneInfo, on: date, at: time) -> Showing:
    """Return when clocks show *at* on the date *on*, after a walk through the days around it."""
    wall = wall_seconds(on, at)
    return showing_among(stretches(zone, wall - _AROUND_S, wall + _AROUND_S, step_s=3600), on, at)


def showing_among(around: Sequence[Stretch], on: date, at: time) -> Showing:
    """Return when clocks show *at* on the date *on*, given what offsets were kept around then."""
    wall = wall_seconds(on, at)
    instants = sorted(one.starts for one in _moments(around, wall))
    if instants:
        return Showing(_instant(instants[0]), "exact" if len(instants) == 1 else "repeated")
    if not _is_shown(around, on):
        following = on + timedelta(days=1)
        while not _is_shown(around, following):
            following += timedelta(days=1)
        return Showing(showing_among(around, following, at).at, "skipped-day")
    after = min(one.starts for one in around if one.starts + one.offset > wall)
    return Showing(_instant(after), "gap")


def wall_seconds(on: date, at: time) -> int:
    """Return the reading of a wall clock as a number of seconds."""
    return int((datetime.combine(on, at, UTC) - _EPOCH).total_seconds())


def _moments(around: Sequence[Stretch], wall: int) -> list[Stretch]:
    return [
        Stretch(wall - one.offset, wall - one.offset + 1, one.offset) for one in around if one.shows(wall)
    ]


def _is_shown(around: Sequence[Stretch], on: date) -> bool:
    midnight = wall_seconds(on, time(0))
    return any(
        one.starts + one.offset < midnight + 86_400 and midnight < one.ends + one.offset for one in around
    )


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """Return the first second from *before* to *after* that has not the offset of *before*."""
    offset = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _instant(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
