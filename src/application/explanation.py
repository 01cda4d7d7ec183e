"""Why a message leaves when it does, in a few words for a person."""

from datetime import date, time

from domain.due import WallTime
from domain.occasion import LeapDayRule


def why(on: date, wall_time: WallTime, send_time: time, leap_day_rule: LeapDayRule | None) -> str:
    """Say why a message leaves then; *leap_day_rule* is given for somebody's 29 February."""
    at = f"{send_time:%H:%M}"
    match wall_time:
        case WallTime.EXACT:
            found = f"{at} there"
        case WallTime.GAP:
            found = f"clocks went forward over {at}"
        case WallTime.REPEATED:
            found = f"{at} comes twice, this is the first"
        case WallTime.SKIPPED_DAY:
            found = f"{at} of the next day, {on:%d %b} was left out"
    if leap_day_rule is None:
        return found
    if (on.month, on.day) == (2, 29):
        kept = "29 Feb of a leap year"
    else:
        kept = f"29 Feb kept on {on.day} {on:%b} (rule {leap_day_rule})"
    return kept if wall_time is WallTime.EXACT else f"{kept}, {found}"
