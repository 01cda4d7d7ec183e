"""What the answers of a webhook mean."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from adapters.delivery.batch import UNREACHABLE_PAUSE
from application.deliveries import FailedForGood, FailedForNow, Outcome, Sent

_BUSY_PAUSE = timedelta(seconds=60)
_PAUSE_MIN, _PAUSE_MAX = timedelta(seconds=1), timedelta(days=1)

_ABOUT_US = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
)
_TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_IN_DOUBT = frozenset({HTTPStatus.CONFLICT, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""An earlier attempt is being worked on, or a gateway does not know what became of this one."""


def meaning(status: int, headers: Mapping[str, str], now: datetime) -> Outcome:
    """Return the outcome. What concerns us or everybody pauses the channel; what concerns the message fails it."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Sent()
    said = f"The webhook answered {status}."
    if status in _BUSY:
        return FailedForNow(said, _pause(headers.get("retry-after", ""), now))
    if status < HTTPStatus.BAD_REQUEST or status in _ABOUT_US:
        return FailedForNow(said, UNREACHABLE_PAUSE)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRY_AGAIN | _IN_DOUBT:
        return FailedForNow(said, may_have_arrived=status in _IN_DOUBT)
    return FailedForGood(said)


def _pause(retry_after: str, now: datetime) -> timedelta:
    """Read Retry-After, seconds or a date; a minute where there is none, and a day at most."""
    if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII):
        asked = timedelta(seconds=int(retry_after))
    else:
        try:
            until = parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):  # a year, or an offset, of twenty digits
            return _BUSY_PAUSE
        asked = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(asked, _PAUSE_MIN), _PAUSE_MAX)
