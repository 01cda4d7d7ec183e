"""A message owed to a person for one occasion: its key, its states, and who may move it.

SCHEDULED ─claim→ SENDING ─sent→ SENT
    │                ├─ failed for now → RETRYING ─claim→ SENDING
    │                ├─ failed for good, or attempts used up → FAILED
    │                └─ lease ran out → RETRYING where the channel de-duplicates, else UNKNOWN
    ├─ past its window → EXPIRED      (RETRYING too)
    ├─ user gone, occasion changed, operator → CANCELLED   (RETRYING too)
    └─ zero years, not wanted, or greeted less than 300 days ago → SKIPPED   (RETRYING too)
given up by us after an attempt that may have arrived: not EXPIRED, CANCELLED, SKIPPED or FAILED, but UNKNOWN
operator: retry FAILED, EXPIRED, CANCELLED, SKIPPED, UNKNOWN → SCHEDULED; mark-sent UNKNOWN → SENT;
          leave FAILED, EXPIRED, UNKNOWN as they are: nobody needs to look at them again
plan: an occasion that came back, CANCELLED because it had gone or SKIPPED as not wanted or of zero years → SCHEDULED
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

import attrs

from domain.due import WallTime
from domain.errors import IllegalTransition, InvalidField
from domain.occasion import Kind
from domain.user import UserId


class Status(StrEnum):
    """Where a message is on its way."""

    SCHEDULED = "SCHEDULED"
    SENDING = "SENDING"
    RETRYING = "RETRYING"
    SENT = "SENT"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"


class Action(StrEnum):
    """What moves a message from one status to another."""

    CLAIM = "claim"
    SENT = "sent"
    FAILED_FOR_NOW = "failed-for-now"
    FAILED_FOR_GOOD = "failed-for-good"
    LEASE_LOST_RETRY = "lease-lost-retry"
    LEASE_LOST_UNKNOWN = "lease-lost-unknown"
    GIVE_UP = "give-up"
    EXPIRE = "expire"
    CANCEL = "cancel"
    SKIP = "skip"
    REPLAN = "replan"
    RETRY = "retry"
    MARK_SENT = "mark-sent"
    LEAVE = "leave"


TRANSITIONS: Mapping[tuple[Status, Action], Status] = {
    (Status.SCHEDULED, Action.CLAIM): Status.SENDING,
    (Status.RETRYING, Action.CLAIM): Status.SENDING,
    (Status.SENDING, Action.SENT): Status.SENT,
    (Status.SENDING, Action.FAILED_FOR_NOW): Status.RETRYING,
    (Status.SENDING, Action.FAILED_FOR_GOOD): Status.FAILED,
    (Status.SENDING, Action.LEASE_LOST_RETRY): Status.RETRYING,
    (Status.SENDING, Action.LEASE_LOST_UNKNOWN): Status.UNKNOWN,
    (Status.SENDING, Action.GIVE_UP): Status.UNKNOWN,
    (Status.SCHEDULED, Action.GIVE_UP): Status.UNKNOWN,
    (Status.RETRYING, Action.GIVE_UP): Status.UNKNOWN,
    (Status.SCHEDULED, Action.EXPIRE): Status.EXPIRED,
    (Status.RETRYING, Action.EXPIRE): Status.EXPIRED,
    (Status.SCHEDULED, Action.CANCEL): Status.CANCELLED,
    (Status.RETRYING, Action.CANCEL): Status.CANCELLED,
    (Status.SCHEDULED, Action.SKIP): Status.SKIPPED,
    (Status.RETRYING, Action.SKIP): Status.SKIPPED,
    (Status.SCHEDULED, Action.REPLAN): Status.SCHEDULED,
    (Status.RETRYING, Action.REPLAN): Status.RETRYING,
    (Status.CANCELLED, Action.REPLAN): Status.SCHEDULED,
    (Status.SKIPPED, Action.REPLAN): Status.SCHEDULED,
    (Status.FAILED, Action.RETRY): Status.SCHEDULED,
    (Status.EXPIRED, Action.RETRY): Status.SCHEDULED,
    (Status.CANCELLED, Action.RETRY): Status.SCHEDULED,
    (Status.SKIPPED, Action.RETRY): Status.SCHEDULED,
    (Status.UNKNOWN, Action.RETRY): Status.SCHEDULED,
    (Status.UNKNOWN, Action.MARK_SENT): Status.SENT,
    (Status.UNKNOWN, Action.LEAVE): Status.UNKNOWN,
    (Status.FAILED, Action.LEAVE): Status.FAILED,
    (Status.EXPIRED, Action.LEAVE): Status.EXPIRED,
}

OPEN = frozenset({Status.SCHEDULED, Status.RETRYING})
GREETED = frozenset({Status.SENT, Status.UNKNOWN})
"""States in which the person has, or may have, received the message, whatever became of its attempts."""
IN_NEED = (Status.UNKNOWN, Status.FAILED, Status.EXPIRED)
"""States that somebody has to look at, the most doubtful first, until an operator has decided."""


class Reason(StrEnum):
    """Why a message is where it is, where its status alone does not tell."""

    USER_DELETED = "user-deleted"
    OCCASION_CHANGED = "occasion-changed"
    OPERATOR = "operator"
    GREETED_RECENTLY = "greeted-recently"
    WINDOW_PASSED = "window-passed"
    ATTEMPTS_USED_UP = "attempts-used-up"
    REFUSED = "refused"
    LEASE_LOST = "lease-lost"
    OPTED_OUT = "opted-out"
    ZERO_YEARS = "zero-years"
    DOMAIN_NOT_ALLOWED = "domain-not-allowed"
    IN_DOUBT = "in-doubt"


_GONE = frozenset({Reason.USER_DELETED, Reason.OCCASION_CHANGED})
_NOT_OWED = frozenset({Reason.OPTED_OUT, Reason.ZERO_YEARS})
_KEY = re.compile(
    r"(\d{4}-\d{2}-\d{2})\.(birthday|anniversary)\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII
)
_KEY_HELP = "A key looks like 2027-03-14.birthday.<user id>."


class MessageKey(NamedTuple):
    """The identity of a message for ever, and its idempotency key: (user, kind, occasion date)."""

    occasion_on: date
    kind: Kind
    user_id: UserId

    def __str__(self) -> str:
        return f"{self.occasion_on}.{self.kind.lower()}.{self.user_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote: ``2027-03-14.birthday.<user id>``."""
        match = _KEY.fullmatch(text)
        if match is None:
            raise InvalidField("key", _KEY_HELP)
        try:
            return cls(date.fromisoformat(match[1]), Kind(match[2].upper()), UserId(UUID(match[3])))
        except ValueError:
            raise InvalidField("key", _KEY_HELP) from None


@attrs.frozen(kw_only=True)
class Message:
    """One message for one occasion: planned, claimed, sent, or the reason why not.

    *fence* grows with every claim; only who holds the newest may write the outcome. *retry_at* is set
    while RETRYING and not after *expires_at*, *sent_at* once SENT; *timezone* is the zone that *due_at* was
    reckoned for. *may_have_arrived* tells that an attempt ended without an answer: the person may have it.
    """

    key: MessageKey
    status: Status = Status.SCHEDULED
    reason: Reason | None = None
    due_at: datetime
    expires_at: datetime
    timezone: str
    wall_time: WallTime
    years: int | None
    attempt: int = 0
    fence: int = 0
    retry_at: datetime | None = None
    may_have_arrived: bool = False
    sent_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def has_greeted(self) -> bool:
        """Whether the person has it, or may have it; an attempt that is under way has yet to tell."""
        return self.status in GREETED or self.may_have_arrived

    @property
    def is_wanted_by_operator(self) -> bool:
        """Whether it leaves since an operator says so, whatever the calendar says."""
        return self.is_open and self.reason is Reason.OPERATOR

    @property
    def needs_somebody(self) -> bool:
        """Whether it ended badly, and no operator has said that it may stay so."""
        return self.status in IN_NEED and self.reason is not Reason.OPERATOR

    @property
    def wanted_at(self) -> datetime:
        """The instant from which it may be claimed while it is open."""
        return self.due_at if self.retry_at is None else self.retry_at

    @property
    def went_away(self) -> bool:
        """Whether it ended because its occasion was gone, or not wanted, so that the occasion can bring it back."""
        if self.status is Status.SKIPPED:
            return self.reason in _NOT_OWED
        return self.status is Status.CANCELLED and self.reason in _GONE

    def moved(self, action: Action, now: datetime, reason: Reason | None = None) -> Self:
        """Return the message after *action*; raise IllegalTransition where its status forbids that."""
        return attrs.evolve(self, status=next_status(self.status, action), reason=reason, updated_at=now)

    def retried(self, now: datetime, window: timedelta) -> Self:
        """Return the message as an operator sends it after all: due when it was, open for a new window."""
        return attrs.evolve(
            self.moved(Action.RETRY, now, Reason.OPERATOR),
            expires_at=max(self.expires_at, now + window),
            years=self.years or None,  # nobody is congratulated on nought
            attempt=0,
            retry_at=None,
        )

    def cancelled(self, now: datetime, reason: Reason) -> Self:
        return attrs.evolve(self.moved(Action.CANCEL, now, reason), retry_at=None)

    def given_up(self, action: Action, now: datetime, reason: Reason) -> Self:
        """Return the message as it ends by *action*, or as UNKNOWN if an attempt of it may have arrived."""
        ended = self.moved(Action.GIVE_UP if self.may_have_arrived else action, now, reason)
        return attrs.evolve(ended, retry_at=None)

    def marked_sent(self, now: datetime) -> Self:
        return attrs.evolve(self.moved(Action.MARK_SENT, now, Reason.OPERATOR), sent_at=now)

    def left_alone(self, now: datetime) -> Self:
        """Return the message as an operator lets it be, after having looked at it."""
        return self.moved(Action.LEAVE, now, Reason.OPERATOR)


def next_status(status: Status, action: Action) -> Status:
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        raise IllegalTransition(action, status) from None


def sources(action: Action) -> frozenset[Status]:
    """Return the states from which *action* is allowed; the SQL that carries it out names them too."""
    return frozenset(status for status, known in TRANSITIONS if known is action)


def greeted_recently(key: MessageKey, history: Iterable[Message], guard: timedelta) -> bool:
    """Tell whether the person has had a message of this kind for another date less than *guard* away."""
    return any(other.has_greeted for other in _rivals(key, history, guard))


def is_being_greeted(key: MessageKey, history: Iterable[Message], guard: timedelta) -> bool:
    """Tell whether such a message is on its way: only its end shows whether the person is greeted."""
    return any(other.status is Status.SENDING for other in _rivals(key, history, guard))


def _rivals(key: MessageKey, history: Iterable[Message], guard: timedelta) -> Iterable[Message]:
    return (
        other
        for other in history
        if other.key.kind is key.kind
        and other.key != key
        and abs(other.key.occasion_on - key.occasion_on) < guard
    )


_DELAY_MIN = timedelta(seconds=1)


@attrs.frozen
class RetryPolicy:
    """How often and how late a message that failed for now is tried again."""

    attempts_max: int = 12
    first_delay: timedelta = timedelta(seconds=10)
    delay_max: timedelta = timedelta(hours=1)
    pause_max: timedelta = timedelta(hours=1)
    """How long a whole channel is left alone at most before it is tried whether it is well again."""

    def retry_at(
        self,
        attempt: int,
        now: datetime,
        jitter: float,
        *,
        expires_at: datetime,
        asked: timedelta | None = None,
    ) -> datetime | None:
        """Return when to try again after attempt number *attempt* (from 1), or None to give up.

        Exponential with full jitter: *jitter*, from 0 to 1, is the caller's random number. Not after the
        window, where it will expire. A far side that *asked* for a pause is left alone for that long, as the
        whole channel is, and such an attempt does not count.
        """
        if asked is None and attempt >= self.attempts_max:
            return None
        doubled: timedelta = self.first_delay * 2 ** min(max(attempt - 1, 0), 20)
        delay = max(min(doubled, self.delay_max, expires_at - now) * jitter, _DELAY_MIN)
        return min(now + max(delay, min(asked or _DELAY_MIN, self.pause_max)), expires_at)
