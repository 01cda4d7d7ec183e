"""Why a message leaves when it does, and what became of it, in a few words for a person."""

from collections.abc import Mapping
from datetime import date, time

from application.views import MessageView
from domain.due import WallTime
from domain.message import Reason, Status
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


_BECAME: Mapping[tuple[Status, Reason | None], str] = {
    (Status.SCHEDULED, Reason.OPERATOR): "It is sent after all: an operator wants it.",
    (Status.SENT, Reason.OPERATOR): "An operator says that it arrived.",
    (Status.FAILED, Reason.REFUSED): "The far side refused it for good.",
    (Status.FAILED, Reason.ATTEMPTS_USED_UP): "Every attempt failed, and no more are made.",
    (Status.FAILED, Reason.OPERATOR): "It failed, and an operator let it be.",
    (Status.UNKNOWN, Reason.ATTEMPTS_USED_UP): "It may have arrived, and no more attempts are made.",
    (
        Status.UNKNOWN,
        Reason.IN_DOUBT,
    ): "It may have arrived, and the channel would not know a second one for the same.",
    (Status.UNKNOWN, Reason.WINDOW_PASSED): "It may have arrived, and its window has passed.",
    (Status.UNKNOWN, Reason.OPERATOR): "It may have arrived, and an operator let it be.",
    (Status.EXPIRED, Reason.OPERATOR): "It missed its window, and an operator let it be.",
    (Status.CANCELLED, Reason.USER_DELETED): "The person had left.",
    (
        Status.CANCELLED,
        Reason.OCCASION_CHANGED,
    ): "The date or the zone was changed, so it was not owed any more.",
    (Status.CANCELLED, Reason.OPERATOR): "An operator cancelled it.",
    (Status.SKIPPED, Reason.GREETED_RECENTLY): "The person had had such a greeting not long before.",
    (Status.SKIPPED, Reason.OPTED_OUT): "The person wants no messages of this kind.",
    (Status.UNKNOWN, Reason.OPTED_OUT): "It may have arrived, and the person wants no messages of this kind.",
    (Status.SKIPPED, Reason.ZERO_YEARS): "It is the day itself: the first year is full a year later.",
    (
        Status.UNKNOWN,
        Reason.ZERO_YEARS,
    ): "It may have arrived, but it is the day itself: the first year is full a year later.",
    (Status.SKIPPED, Reason.DOMAIN_NOT_ALLOWED): "Mail may not go to this domain (MAIL_ALLOW_DOMAINS).",
}
_BECAME_ANYWAY: Mapping[Status, str] = {
    Status.SCHEDULED: "It waits for its instant.",
    Status.SENDING: "It is on its way.",
    Status.RETRYING: "It failed for now and is tried again.",
    Status.SENT: "It was sent.",
    Status.FAILED: "It failed for good.",
    Status.UNKNOWN: "It may or may not have arrived: an attempt ended without an answer.",
    Status.EXPIRED: "It missed its window.",
    Status.CANCELLED: "It was cancelled.",
    Status.SKIPPED: "It was skipped.",
}


def what_became(message: MessageView) -> str:
    """Say what became of a message so far."""
    status = Status(message.status)
    reason = None if message.reason is None else Reason(message.reason)
    return _BECAME.get((status, reason), _BECAME_ANYWAY[status])
