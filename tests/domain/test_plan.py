"""What a change in somebody's life does to their messages."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.due import SendPolicy, WallTime
from domain.message import GREETED, Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.plan import is_still_owed, owed, plan_user
from domain.user import User, change, particulars_of, remove, restore
from tests.domain.people import (
    LEAP_DAY,
    PI_DAY,
    PLACES,
    POLICY,
    RULES,
    ada,
    anybody,
    dates_near_leap_day,
    utc,
)
from tests.domain.people import message as stored_message

# Her birthday, 14 March 2027, is a Sunday; nine in Jakarta is 02:00 UTC, in New York (summer time since
# that very night) 13:00 UTC, in Kiritimati 19:00 UTC of the day before.
BEFORE = utc("2027-03-13T20:00")
ON = date(2027, 3, 14)


def told(user: User, now: datetime, **values: Any) -> User:
    """Return the user as changed by *values*."""
    return change(user, attrs.evolve(particulars_of(user), **values), now)


def stored(history: Sequence[Message], changed: Sequence[Message]) -> list[Message]:
    """Return the history with what changed in it."""
    return list(({one.key: one for one in history} | {one.key: one for one in changed}).values())


def planned(user: User, now: datetime, history: Sequence[Message] = ()) -> list[Message]:
    return stored(history, plan_user(user, history, POLICY, now))


def in_status(history: Sequence[Message], status: Status, **values: Any) -> list[Message]:
    return [attrs.evolve(one, status=status, **values) for one in history]


def test_her_message_is_planned() -> None:
    (message,) = planned(ada(), BEFORE)
    assert (message.key.occasion_on, message.key.kind, message.years) == (ON, Kind.BIRTHDAY, 37)
    assert (message.due_at, message.expires_at) == (utc("2027-03-14T02:00"), utc("2027-03-15T02:00"))
    assert (message.status, message.wall_time) == (Status.SCHEDULED, WallTime.EXACT)
    assert (message.attempt, message.fence, message.created_at) == (0, 0, BEFORE)


def test_nothing_is_planned_far_ahead() -> None:
    assert planned(ada(), utc("2027-03-01T00:00")) == []


def test_moving_west_before_it_left_she_gets_it_on_the_new_morning() -> None:
    history = planned(ada(), BEFORE)
    moved = told(ada(), BEFORE, timezone="America/New_York")
    (message,) = plan_user(moved, history, POLICY, BEFORE + timedelta(hours=1))
    assert message.key == history[0].key
    assert (message.due_at, message.expires_at) == (utc("2027-03-14T13:00"), utc("2027-03-15T13:00"))
    assert (message.timezone, message.status) == ("America/New_York", Status.SCHEDULED)


def test_moving_east_over_the_send_time_she_gets_it_at_once() -> None:
    history = planned(ada(), BEFORE)
    moved = told(ada(), BEFORE, timezone="Pacific/Kiritimati")
    (message,) = plan_user(moved, history, POLICY, BEFORE)
    assert message.due_at == utc("2027-03-13T19:00") < BEFORE
    assert message.expires_at == utc("2027-03-15T02:00"), "the window that was open stays open"
    assert message.is_open


def test_moving_to_the_other_end_of_the_earth_loses_nothing() -> None:
    """From -11 to +14 hours: the new window was over before the old one began."""
    western = ada(timezone="Pacific/Pago_Pago")
    history = planned(western, BEFORE)
    now = history[0].due_at - timedelta(minutes=1)
    (message,) = plan_user(told(western, now, timezone="Pacific/Kiritimati"), history, POLICY, now)
    assert message.due_at + POLICY.window < now < message.expires_at
    assert message.is_open


def test_moving_west_while_it_is_tried_again_it_waits_for_the_new_morning() -> None:
    now = utc("2027-03-14T02:01")
    tried = in_status(
        planned(ada(), BEFORE), Status.RETRYING, attempt=3, fence=3, retry_at=now + timedelta(seconds=9)
    )
    (message,) = plan_user(told(ada(), now, timezone="America/New_York"), tried, POLICY, now)
    assert (message.status, message.attempt, message.fence) == (Status.RETRYING, 3, 3)
    assert message.due_at == utc("2027-03-14T13:00")
    assert message.retry_at is not None
    assert message.retry_at >= message.due_at


def test_moving_west_after_it_may_have_arrived_it_is_tried_again_while_its_key_is_known() -> None:
    """A provider knows keys again for as long as the window is; the new morning would be later than that."""
    now = utc("2027-03-14T02:01")
    retry_at = now + timedelta(seconds=9)
    doubted = in_status(
        planned(ada(), BEFORE), Status.RETRYING, attempt=1, retry_at=retry_at, may_have_arrived=True
    )
    moved = told(ada(), now, timezone="Pacific/Pago_Pago")
    (message,) = plan_user(moved, doubted, POLICY, now)
    assert message == attrs.evolve(doubted[0], timezone="Pacific/Pago_Pago", updated_at=now)
    assert plan_user(moved, [message], POLICY, now) == []


def test_moving_east_while_it_is_tried_again_it_waits_no_shorter() -> None:
    now = utc("2027-03-14T02:01")
    tried = in_status(planned(ada(), BEFORE), Status.RETRYING, attempt=3, retry_at=now + timedelta(minutes=9))
    (message,) = plan_user(told(ada(), now, timezone="Asia/Tokyo"), tried, POLICY, now)
    assert message.retry_at == now + timedelta(minutes=9)


def test_moving_within_the_same_time_the_zone_is_written_down() -> None:
    history = planned(ada(), BEFORE)
    (message,) = plan_user(told(ada(), BEFORE, timezone="Asia/Bangkok"), history, POLICY, BEFORE)
    assert (message.timezone, message.due_at) == ("Asia/Bangkok", history[0].due_at)


def test_an_occasion_that_moved_away_is_cancelled_and_the_new_one_planned() -> None:
    history = planned(ada(), BEFORE)
    corrected = told(ada(), BEFORE, birthday=AnnualDate(3, 15, 1990))
    cancelled, new = plan_user(corrected, history, POLICY, BEFORE)
    assert (cancelled.key, cancelled.status, cancelled.reason) == (
        history[0].key,
        Status.CANCELLED,
        Reason.OCCASION_CHANGED,
    )
    assert (new.key.occasion_on, new.status) == (date(2027, 3, 15), Status.SCHEDULED)


def test_an_occasion_that_comes_back_brings_its_message_back() -> None:
    history = planned(ada(), BEFORE)
    away = told(ada(), BEFORE, birthday=AnnualDate(9, 1, 1990))
    history = planned(away, BEFORE, history)
    assert [one.status for one in history] == [Status.CANCELLED]
    back = told(away, BEFORE + timedelta(hours=1), birthday=PI_DAY)
    (message,) = plan_user(back, history, POLICY, BEFORE + timedelta(hours=1))
    assert (message.key, message.status, message.reason) == (history[0].key, Status.SCHEDULED, None)


def test_an_occasion_that_comes_back_after_the_send_time_is_not_made_up_for() -> None:
    history = planned(ada(), BEFORE)
    away = told(ada(), BEFORE, birthday=AnnualDate(9, 1, 1990))
    history = planned(away, BEFORE, history)
    late = utc("2027-03-14T02:01")
    assert plan_user(told(away, late, birthday=PI_DAY), history, POLICY, late) == []


def test_what_an_operator_cancelled_does_not_come_back_by_itself() -> None:
    history = [one.cancelled(BEFORE, Reason.OPERATOR) for one in planned(ada(), BEFORE)]
    assert plan_user(ada(), history, POLICY, BEFORE) == []
    assert plan_user(told(ada(), BEFORE, timezone="Asia/Tokyo"), history, POLICY, BEFORE) == []


def test_a_birthday_taken_back_is_no_occasion() -> None:
    history = planned(ada(), BEFORE)
    (message,) = plan_user(told(ada(), BEFORE, birthday=None), history, POLICY, BEFORE)
    assert (message.status, message.reason) == (Status.CANCELLED, Reason.OCCASION_CHANGED)


def test_who_leaves_gets_nothing_and_who_returns_gets_it_back() -> None:
    history = planned(ada(), BEFORE)
    gone = remove(ada(), BEFORE)
    history = planned(gone, BEFORE, history)
    assert [(one.status, one.reason) for one in history] == [(Status.CANCELLED, Reason.USER_DELETED)]
    assert plan_user(gone, history, POLICY, BEFORE) == []
    back = restore(gone, particulars_of(ada()), BEFORE + timedelta(hours=1))
    (message,) = plan_user(back, history, POLICY, BEFORE + timedelta(hours=1))
    assert (message.key, message.status, message.reason) == (history[0].key, Status.SCHEDULED, None)


def test_who_returns_after_the_send_time_hears_next_year() -> None:
    gone = remove(ada(), BEFORE)
    history = planned(gone, BEFORE, planned(ada(), BEFORE))
    late = utc("2027-03-14T02:30")
    assert plan_user(restore(gone, particulars_of(ada()), late), history, POLICY, late) == []


@pytest.mark.parametrize(
    ("registered", "is_sent"),
    (
        ("2027-03-14T01:59", True),
        ("2027-03-14T02:00", True),
        ("2027-03-14T02:00:01", False),
        ("2027-03-14T15:00", False),
    ),
)
def test_registered_on_her_own_birthday(registered: str, *, is_sent: bool) -> None:
    now = utc(registered)
    assert bool(plan_user(ada(known_at=now), [], POLICY, now)) is is_sent


def test_known_for_long_and_planned_late_she_gets_it_while_the_window_is_open() -> None:
    (message,) = planned(ada(), utc("2027-03-15T01:59"))
    assert message.status is Status.SCHEDULED


def test_what_missed_its_window_before_anybody_planned_it_is_shown() -> None:
    (message,) = planned(ada(), utc("2027-03-15T02:00"))
    assert (message.status, message.reason) == (Status.EXPIRED, Reason.WINDOW_PASSED)


@pytest.mark.parametrize(
    "status", (Status.SENDING, Status.SENT, Status.FAILED, Status.UNKNOWN, Status.EXPIRED, Status.SKIPPED)
)
def test_what_is_on_its_way_or_done_stays_untouched(status: Status) -> None:
    history = in_status(planned(ada(), BEFORE), status)
    for after in (
        told(ada(), BEFORE, timezone="America/New_York"),
        told(ada(), BEFORE, birthday=AnnualDate(9, 1, 1990)),
        remove(ada(), BEFORE),
    ):
        assert plan_user(after, history, POLICY, BEFORE) == []


@pytest.mark.parametrize("status", sorted(GREETED))
def test_a_birthday_moved_after_the_greeting_brings_no_second_one(status: Status) -> None:
    history = in_status(planned(ada(), BEFORE), status)
    now = utc("2027-03-14T03:00")
    (message,) = plan_user(told(ada(), now, birthday=AnnualDate(3, 15, 1990)), history, POLICY, now)
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.GREETED_RECENTLY)
    assert message.key.occasion_on == date(2027, 3, 15)


def test_a_birthday_moved_while_an_attempt_may_have_arrived_brings_no_second_one() -> None:
    now = utc("2027-03-14T03:00")
    history = in_status(planned(ada(), BEFORE), Status.RETRYING, retry_at=now, may_have_arrived=True)
    old, new = plan_user(told(ada(), now, birthday=AnnualDate(3, 15, 1990)), history, POLICY, now)
    assert (old.status, old.reason, old.retry_at) == (Status.UNKNOWN, Reason.OCCASION_CHANGED, None)
    assert (new.status, new.reason) == (Status.SKIPPED, Reason.GREETED_RECENTLY)


def test_a_birthday_moved_after_an_attempt_that_was_refused_is_kept_on_the_new_day() -> None:
    now = utc("2027-03-14T03:00")
    history = in_status(planned(ada(), BEFORE), Status.RETRYING, retry_at=now)
    old, new = plan_user(told(ada(), now, birthday=AnnualDate(3, 15, 1990)), history, POLICY, now)
    assert (old.status, new.status) == (Status.CANCELLED, Status.SCHEDULED)


def test_a_birthday_moved_while_its_message_is_on_its_way_waits_for_the_end_of_that() -> None:
    now = utc("2027-03-14T03:00")
    history = in_status(planned(ada(), BEFORE), Status.SENDING)
    moved = told(ada(), now, birthday=AnnualDate(3, 15, 1990))
    assert plan_user(moved, history, POLICY, now) == []
    (after_failure,) = plan_user(moved, in_status(history, Status.FAILED), POLICY, now)
    assert (after_failure.key.occasion_on, after_failure.status) == (date(2027, 3, 15), Status.SCHEDULED)
    (after_success,) = plan_user(moved, in_status(history, Status.SENT), POLICY, now)
    assert after_success.status is Status.SKIPPED


def test_a_birthday_moved_there_and_back_is_greeted_once() -> None:
    """The message of the other day has left meanwhile: the one that is tried again is not needed any more."""
    now = utc("2027-03-15T03:00")
    history = in_status(planned(ada(), BEFORE), Status.RETRYING, retry_at=now)
    other = attrs.evolve(
        history[0], key=history[0].key._replace(occasion_on=date(2027, 3, 15)), status=Status.SENT
    )
    (message,) = plan_user(ada(), [*history, other], POLICY, now)
    assert (message.key, message.status, message.reason) == (
        history[0].key,
        Status.SKIPPED,
        Reason.GREETED_RECENTLY,
    )


def test_what_an_operator_sends_after_all_leaves_whatever_the_calendar_says() -> None:
    history = in_status(planned(ada(), BEFORE), Status.SCHEDULED, reason=Reason.OPERATOR)
    moved = told(ada(), BEFORE, birthday=AnnualDate(9, 1, 1990), timezone="America/New_York")
    assert plan_user(moved, history, POLICY, BEFORE) == []
    assert [one.status for one in plan_user(remove(moved, BEFORE), history, POLICY, BEFORE)] == [
        Status.CANCELLED
    ]


def test_after_300_days_a_moved_birthday_counts_again() -> None:
    history = in_status(planned(ada(), BEFORE), Status.SENT)
    for days, status in ((299, Status.SKIPPED), (300, Status.SCHEDULED)):
        on = ON + timedelta(days=days)
        now = utc(on.isoformat() + "T00:00")
        changed = told(ada(), now, birthday=AnnualDate(on.month, on.day, 1990))
        assert [one.status for one in plan_user(changed, history, POLICY, now)] == [status]


def test_a_greeting_for_an_anniversary_is_not_one_for_a_birthday() -> None:
    both = ada(anniversary=date(2019, 3, 13))
    now = utc("2027-03-12T20:00")
    history = planned(both, now)
    assert [one.key.kind for one in history] == [Kind.ANNIVERSARY, Kind.BIRTHDAY]
    assert {one.status for one in history} == {Status.SCHEDULED}


def test_a_changed_leap_day_rule_moves_the_day() -> None:
    now = utc("2027-02-27T00:00")
    leapling = ada(birthday=LEAP_DAY, leap_day_rule=LeapDayRule.FEB28)
    history = planned(leapling, now)
    assert [one.key.occasion_on for one in history] == [date(2027, 2, 28)]
    cancelled, new = plan_user(told(leapling, now, leap_day_rule=LeapDayRule.MAR1), history, POLICY, now)
    assert (cancelled.status, new.key.occasion_on) == (Status.CANCELLED, date(2027, 3, 1))
    never = told(leapling, now, leap_day_rule=LeapDayRule.LEAP_YEARS_ONLY)
    assert [one.status for one in planned(never, now, history)] == [Status.CANCELLED]


def test_a_leap_day_rule_changed_after_the_greeting_brings_no_second_one() -> None:
    leapling = ada(birthday=LEAP_DAY, leap_day_rule=LeapDayRule.FEB28)
    history = in_status(planned(leapling, utc("2027-02-27T00:00")), Status.SENT)
    now = utc("2027-02-28T10:00")
    (message,) = plan_user(told(leapling, now, leap_day_rule=LeapDayRule.MAR1), history, POLICY, now)
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.GREETED_RECENTLY)


def far_ahead(user: User, now: datetime) -> list[Message]:
    """Return what an operator put into the ledger who planned the whole year."""
    return [one.message for one in owed(user, POLICY, now.date(), now.date() + timedelta(days=366), now)]


NEW_YEAR = utc("2027-01-01T00:00")


def test_what_was_planned_months_ahead_moves_too() -> None:
    (message,) = plan_user(
        told(ada(), NEW_YEAR, timezone="America/New_York"), far_ahead(ada(), NEW_YEAR), POLICY, NEW_YEAR
    )
    assert (message.key.occasion_on, message.due_at) == (ON, utc("2027-03-14T13:00"))


def test_what_was_planned_months_ahead_is_cancelled_too() -> None:
    history = far_ahead(ada(), NEW_YEAR)
    away = told(ada(), NEW_YEAR, birthday=AnnualDate(9, 1, 1990))
    (message,) = plan_user(away, history, POLICY, NEW_YEAR)
    assert (message.status, message.reason) == (Status.CANCELLED, Reason.OCCASION_CHANGED)
    (message,) = plan_user(remove(ada(), NEW_YEAR), history, POLICY, NEW_YEAR)
    assert (message.status, message.reason) == (Status.CANCELLED, Reason.USER_DELETED)


def test_what_was_planned_months_ahead_comes_back_too() -> None:
    """The plan of that week adds what the ledger does not hold, and it holds this one."""
    away = told(ada(), NEW_YEAR, birthday=AnnualDate(9, 1, 1990))
    history = planned(away, NEW_YEAR, far_ahead(ada(), NEW_YEAR))
    (message,) = plan_user(told(away, NEW_YEAR, birthday=PI_DAY), history, POLICY, NEW_YEAR)
    assert (message.key.occasion_on, message.status) == (ON, Status.SCHEDULED)
    gone = remove(ada(), NEW_YEAR)
    history = planned(gone, NEW_YEAR, far_ahead(ada(), NEW_YEAR))
    (message,) = plan_user(restore(gone, particulars_of(ada()), NEW_YEAR), history, POLICY, NEW_YEAR)
    assert (message.key.occasion_on, message.status) == (ON, Status.SCHEDULED)


def test_a_changed_year_of_birth_changes_the_age_and_nothing_else() -> None:
    history = planned(ada(), BEFORE)
    (message,) = plan_user(
        told(ada(), BEFORE, birthday=AnnualDate(3, 14, 1991)), history, POLICY, BEFORE + timedelta(hours=1)
    )
    assert message == attrs.evolve(history[0], years=36, updated_at=BEFORE + timedelta(hours=1))


def test_what_is_owed_comes_in_the_order_of_the_calendar() -> None:
    user = ada(anniversary=date(2019, 3, 14))
    found = [one.message.key for one in owed(user, POLICY, date(2026, 1, 1), date(2028, 12, 31), BEFORE)]
    assert found == sorted(found)
    assert len(found) == 6


def test_new_zone_data_moves_what_is_open() -> None:
    """Rows that were reckoned with other zone data are brought in line, without any change by the person."""
    stale = [
        attrs.evolve(one, due_at=one.due_at + timedelta(hours=1), expires_at=one.expires_at)
        for one in planned(ada(), BEFORE)
    ]
    (message,) = plan_user(ada(), stale, POLICY, BEFORE)
    assert message.due_at == utc("2027-03-14T02:00")


@pytest.mark.slow
@given(
    user=anybody(),
    on=st.dates(date(2026, 1, 1), date(2029, 1, 1)) | dates_near_leap_day,
    kind=st.sampled_from(Kind),
    place=st.none() | PLACES,
    rule=RULES,
)
def test_what_a_claim_takes_for_owed_is_what_the_plan_keeps(
    user: User, on: date, kind: Kind, place: str | None, rule: LeapDayRule
) -> None:
    """Or a claim would leave a message to the plan, which would leave it as it is, for ever."""
    policy = SendPolicy(leap_day_rule=rule)
    held = attrs.evolve(
        stored_message(on, kind=kind),
        key=MessageKey(on, kind, user.id),
        timezone=place or user.timezone,
    )
    changed = plan_user(user, [held], policy, held.due_at)
    is_owed = is_still_owed(held, user, rule)
    after = {one.key: one for one in changed}.get(held.key, held)
    if is_owed:
        assert after.is_open
    if not is_owed:
        assert after != held
        assert not after.is_open or is_still_owed(after, user, rule)
