"""When so many messages are due that somebody should look at it before they leave."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

LOOKS_BACK = timedelta(days=30)
"""How old an hour may be that is still looked at: what was usual before that is not usual any more."""


@attrs.frozen
class DueHour:
    """How many messages are due within an hour, which begins *at*: those that left, and those that wait.

    *busiest* is how many were due in any hour before it, or were confirmed for any.
    """

    at: datetime
    messages: int
    busiest: int


@attrs.frozen
class Braked:
    """Why a channel is stopped: the hour, how many messages are due in it, and how many might have been."""

    hour: datetime
    messages: int
    allowed: int


@attrs.frozen
class Brake:
    """How many messages may be due within an hour: *factor* times the busiest hour of late, and *least* always."""

    factor: int = 5
    least: int = 200
    looks_back: timedelta = LOOKS_BACK

    def allowed(self, busiest: int) -> int:
        return max(self.least, self.factor * busiest)

    def stops(self, hours: Iterable[DueHour]) -> Braked | None:
        """Return the worst of the hours in which more is due than may be, None if there is none."""
        surges = [
            Braked(one.at, one.messages, self.allowed(one.busiest))
            for one in hours
            if one.messages > self.allowed(one.busiest)
        ]
        return max(surges, key=lambda one: (one.messages, one.hour), default=None)
