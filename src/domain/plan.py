"""Which messages a person is owed: the same rules for one who changed and for the zone table of all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import attrs

from domain.due import SendPolicy, due, is_zone, zone
from domain.message import Action, Message, MessageKey, Reason, Status, greeted_recently, is_being_greeted
from domain.occasion import Kind, LeapDayRule, Occasion, occasions
from domain.user import User


@attrs.frozen
class Owed:
    """A message that the calendar owes somebody, whatever the ledger says of it."""

    user: User
    occasion: Occasion
    message: Message


def owed(
    user: User, policy: SendPolicy, first: date, last: date, now: datetime, *, years_min: int = 1
) -> Iterator[Owed]:
    """Yield a scheduled message for each occasion of *user* from *first* to *last*, local dates, in order.

    None in a zone that the zone data does not have.
    """
    if not is_zone(user.timezone):
        return
    rule = user.leap_day_rule or policy.leap_day_rule
    where = zone(user.timezone)
    kept = [
        occasion
        for kind in Kind
        if (annual := user.annual(kind)) is not None
        for occasion in occasions(kind, annual, rule, first=first, last=last, years_min=years_min)
    ]
    for occasion in sorted(kept, key=lambda one: (one.on, one.kind)):
        when = due(occasion.on, policy.send_time, where)
        yield Owed(
            user,
            occasion,
            Message(
                key=MessageKey(occasion.on, occasion.kind, user.id),
                due_at=when.at,
                expires_at=when.at + policy.window,
                timezone=user.timezone,
                wall_time=when.wall_time,
                years=occasion.years,
                created_at=now,
                updated_at=now,
            ),
        )


def is_still_owed(message: Message, user: User, leap_day_rule: LeapDayRule) -> bool:
    """Tell whether *message* is for an occasion and a zone that are its user's still, as far as dates tell."""
    annual, on = user.annual(message.key.kind), message.key.occasion_on
    return (
        user.timezone == message.timezone
        and annual is not None
        and annual.kept_in(on.year, user.leap_day_rule or leap_day_rule) == on
        and (annual.year is None or annual.year < on.year)
    )


def why_not_to(user: User, kind: Kind, allowed_domains: frozenset[str] | None = None) -> Reason | None:
    """Return why no message of *kind* may leave for *user*, whoever wants it to; None if one may."""
    if user.is_opted_out(kind):
        return Reason.OPTED_OUT
    if allowed_domains is not None and user.email_key.rpartition("@")[2] not in allowed_domains:
        return Reason.DOMAIN_NOT_ALLOWED
    return None


def why_not_planned(message: Message, user: User) -> Reason | None:
    """Return why *message* is SKIPPED whatever the ledger holds; None if it is not. The day itself has no year yet."""
    if message.years == 0:
        return Reason.ZERO_YEARS
    return Reason.OPTED_OUT if user.is_opted_out(message.key.kind) else None


def plan_user(user: User, history: Sequence[Message], policy: SendPolicy, now: datetime) -> Sequence[Message]:
    """Return the messages to store, new or changed, so that the ledger holds what *user* is owed now.

    *history* is every message of theirs. A message whose occasion is still theirs keeps its key and moves
    to its new instant, even one that has passed: it was owed before they moved; what may have arrived
    moves no more. One whose occasion is not theirs any more is cancelled, and comes back with its occasion.
    What is on its way, or done, stays, and what an operator wants to leave does so unless the user is gone, or
    wants none of its kind. A new message is stored only if its instant comes after the date became known: as
    EXPIRED if its window has passed, as SKIPPED if it is of zero years, the user wants none of its kind or the last
    greeting was not long ago. While such a greeting is on its way nothing is stored: the next plan decides.
    For a user in a zone that the zone data does not have nothing is new, and what is open stays due when it was.
    """
    first, last = policy.plan_dates(now)
    held = {message.key: message for message in history}
    wanted: Mapping[MessageKey, Message] = {}
    if user.deleted_at is None:
        wanted = {message.key: message for message in _wanted(user, history, policy, now)}
    gone = Reason.OCCASION_CHANGED if user.deleted_at is None else Reason.USER_DELETED
    changed = [
        message.given_up(Action.CANCEL, now, gone)
        for message in history
        if message.is_open and message.key not in wanted and not _is_left_alone(message, user)
    ]
    for key, message in wanted.items():
        known, why_not = held.get(key), why_not_planned(message, user)
        if known is not None and known.is_open:
            if _is_left_alone(known, user):
                continue
            if why_not is not None:
                changed.append(known.given_up(Action.SKIP, now, why_not))
            else:
                changed.extend(_kept(known, message, history, policy, now))
        elif message.due_at < user.known_at(key.kind) or is_being_greeted(key, history, policy.greeted_guard):
            continue
        elif known is None:
            if first <= key.occasion_on <= last:
                changed.append(_new(message, why_not, history, policy, now))
        elif known.went_away and message.expires_at > now and why_not is None:
            changed.append(_guarded(_returned(known, message, now), history, policy))
    return changed


def _wanted(user: User, history: Sequence[Message], policy: SendPolicy, now: datetime) -> Iterator[Message]:
    if not is_zone(user.timezone):
        yield from _as_reckoned(user, history, policy)
        return
    days = [
        *policy.plan_dates(now),
        *(one.key.occasion_on for one in history if one.is_open or one.went_away),
    ]
    for one in owed(user, policy, min(days), max(days), now, years_min=0):
        yield one.message


def _as_reckoned(user: User, history: Sequence[Message], policy: SendPolicy) -> Iterator[Message]:
    rule = user.leap_day_rule or policy.leap_day_rule
    for message in history:
        annual, on = user.annual(message.key.kind), message.key.occasion_on
        if message.is_open and annual is not None:
            for occasion in occasions(message.key.kind, annual, rule, first=on, last=on, years_min=0):
                yield attrs.evolve(message, timezone=user.timezone, years=occasion.years)


def _is_left_alone(message: Message, user: User) -> bool:
    return (
        message.is_wanted_by_operator and user.deleted_at is None and not user.is_opted_out(message.key.kind)
    )


def _kept(
    known: Message, wanted: Message, history: Sequence[Message], policy: SendPolicy, now: datetime
) -> Iterable[Message]:
    if greeted_recently(known.key, history, policy.greeted_guard):
        return [known.given_up(Action.SKIP, now, Reason.GREETED_RECENTLY)]
    if known.may_have_arrived:
        # The person may have it, so it waits for no other morning; nor would its key be known for that long.
        wanted = attrs.evolve(
            wanted, due_at=known.due_at, expires_at=known.expires_at, wall_time=known.wall_time
        )
    if (known.due_at, known.timezone, known.years) == (wanted.due_at, wanted.timezone, wanted.years):
        return []
    # Moving east over the send time: the window that was open stays open, or the move would lose it.
    expires_at = max(wanted.expires_at, known.expires_at)
    return [_returned(known, attrs.evolve(wanted, expires_at=expires_at), now)]


def _returned(known: Message, wanted: Message, now: datetime) -> Message:
    return attrs.evolve(
        known,
        status=known.status if known.is_open else Status.SCHEDULED,
        reason=None,
        # Moving west while it is tried again: the next attempt waits for the new morning too.
        retry_at=None if known.retry_at is None else max(known.retry_at, wanted.due_at),
        due_at=wanted.due_at,
        expires_at=wanted.expires_at,
        timezone=wanted.timezone,
        wall_time=wanted.wall_time,
        years=wanted.years,
        updated_at=now,
    )


def _new(
    message: Message, why_not: Reason | None, history: Sequence[Message], policy: SendPolicy, now: datetime
) -> Message:
    if why_not is not None:
        return message.moved(Action.SKIP, now, why_not)
    guarded = _guarded(message, history, policy)
    if guarded.is_open and guarded.expires_at <= now:
        return guarded.moved(Action.EXPIRE, now, Reason.WINDOW_PASSED)
    return guarded


def _guarded(message: Message, history: Sequence[Message], policy: SendPolicy) -> Message:
    if greeted_recently(message.key, history, policy.greeted_guard):
        return attrs.evolve(message, status=Status.SKIPPED, reason=Reason.GREETED_RECENTLY)
    return message
