"""Messages: what may become of them, their keys, the guard against a second greeting, and retries."""

import re
from datetime import date, datetime, timedelta
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import IllegalTransition, InvalidField
from domain.message import (
    GREETED,
    OPEN,
    Action,
    Message,
    MessageKey,
    Reason,
    RetryPolicy,
    Status,
    greeted_recently,
    next_status,
    sources,
)
from domain.occasion import Kind
from domain.user import UserId
from tests.domain.people import ADA_ID, instants, message, utc

NOW = utc("2027-03-14T03:00")
GUARD = timedelta(days=300)

DRAWN = """
    SCHEDULED  claim               SENDING
    SENDING    sent                SENT
    SENDING    failed-for-now      RETRYING
    RETRYING   claim               SENDING
    SENDING    failed-for-good     FAILED
    SENDING    lease-lost-retry    RETRYING
    SENDING    lease-lost-unknown  UNKNOWN
    SCHEDULED  expire              EXPIRED
    RETRYING   expire              EXPIRED
    SCHEDULED  cancel              CANCELLED
    RETRYING   cancel              CANCELLED
    SCHEDULED  skip                SKIPPED
    RETRYING   skip                SKIPPED
    SENDING    give-up             UNKNOWN
    SCHEDULED  give-up             UNKNOWN
    RETRYING   give-up             UNKNOWN
    FAILED     retry               SCHEDULED
    EXPIRED    retry               SCHEDULED
    CANCELLED  retry               SCHEDULED
    SKIPPED    retry               SCHEDULED
    UNKNOWN    retry               SCHEDULED
    UNKNOWN    mark-sent           SENT
    UNKNOWN    leave               UNKNOWN
    FAILED     leave               FAILED
    EXPIRED    leave               EXPIRED
    SCHEDULED  replan              SCHEDULED
    RETRYING   replan              RETRYING
    CANCELLED  replan              SCHEDULED
    SKIPPED    replan              SCHEDULED
"""
"""The life of a message as it is drawn for people, an arrow a line."""

ALLOWED = {
    (Status(source), Action(action)): Status(target)
    for source, action, target in (line.split() for line in DRAWN.split("\n") if line.strip())
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", Status)
def test_what_each_status_allows(status: Status, action: Action) -> None:
    before = message(status=status)
    if (status, action) in ALLOWED:
        target = ALLOWED[status, action]
        assert next_status(status, action) is target
        after = before.moved(action, NOW, Reason.OPERATOR)
        assert after == attrs.evolve(before, status=target, reason=Reason.OPERATOR, updated_at=NOW)
        assert status in sources(action)
    else:
        with pytest.raises(IllegalTransition) as refused:
            before.moved(action, NOW)
        assert (refused.value.action, refused.value.status) == (action, status)
        assert status not in sources(action)


def test_sent_is_for_ever() -> None:
    assert not [action for status, action in ALLOWED if status is Status.SENT]


def test_every_status_can_be_reached_and_every_action_does_something() -> None:
    assert {*ALLOWED.values()} == {*Status}
    assert {action for _, action in ALLOWED} == {*Action}


def test_the_groups_of_statuses() -> None:
    assert {Status.SCHEDULED, Status.RETRYING} == OPEN
    assert {Status.SENT, Status.UNKNOWN} == GREETED
    assert {status for status in Status if message(status=status).is_open} == OPEN


def test_an_operator_retries_a_message_with_a_new_window() -> None:
    failed = attrs.evolve(message(status=Status.FAILED), attempt=12, fence=12)
    late = failed.expires_at + timedelta(days=3)
    again = failed.retried(late, timedelta(hours=24))
    assert (again.status, again.reason, again.attempt) == (Status.SCHEDULED, Reason.OPERATOR, 0)
    assert (again.key, again.due_at, again.fence) == (failed.key, failed.due_at, 12)
    assert again.expires_at == late + timedelta(hours=24)


def test_a_retry_never_shortens_a_window() -> None:
    skipped = message(status=Status.SKIPPED)
    assert skipped.retried(NOW, timedelta(hours=1)).expires_at == skipped.expires_at


def test_a_cancelled_message_waits_for_nothing() -> None:
    retrying = attrs.evolve(message(status=Status.RETRYING), retry_at=NOW)
    cancelled = retrying.cancelled(NOW, Reason.OPERATOR)
    assert (cancelled.status, cancelled.reason, cancelled.retry_at) == (
        Status.CANCELLED,
        Reason.OPERATOR,
        None,
    )


@pytest.mark.parametrize(
    ("reason", "went_away"),
    ((Reason.USER_DELETED, True), (Reason.OCCASION_CHANGED, True), (Reason.OPERATOR, False)),
)
def test_only_what_was_cancelled_with_its_occasion_went_away(reason: Reason, *, went_away: bool) -> None:
    assert message().cancelled(NOW, reason).went_away is went_away
    assert not message(status=Status.SKIPPED, reason=reason).went_away


def test_what_was_not_wanted_comes_back_when_it_is() -> None:
    assert message(status=Status.SKIPPED, reason=Reason.OPTED_OUT).went_away
    assert message(status=Status.SKIPPED, reason=Reason.ZERO_YEARS).went_away
    assert not message(status=Status.SKIPPED, reason=Reason.GREETED_RECENTLY).went_away


def test_an_operator_says_that_it_was_sent() -> None:
    sent = message(status=Status.UNKNOWN).marked_sent(NOW)
    assert (sent.status, sent.reason, sent.sent_at) == (Status.SENT, Reason.OPERATOR, NOW)


keys = st.builds(
    MessageKey,
    occasion_on=st.dates(),
    kind=st.sampled_from(Kind),
    user_id=st.uuids(allow_nil=True).map(UserId),
)


@given(key=keys)
def test_a_key_is_read_as_it_was_written(key: MessageKey) -> None:
    assert MessageKey.parse(str(key)) == key


def test_how_a_key_is_written() -> None:
    key = MessageKey(date(2027, 3, 14), Kind.BIRTHDAY, UserId(UUID("01234567-89ab-7def-8123-456789abcdef")))
    assert str(key) == "2027-03-14.birthday.01234567-89ab-7def-8123-456789abcdef"


@given(key=keys, other=keys)
def test_two_keys_are_written_alike_only_if_they_are_the_same(key: MessageKey, other: MessageKey) -> None:
    assert (str(key) == str(other)) == (key == other)


ID = "01234567-89ab-7def-8123-456789abcdef"


@pytest.mark.parametrize(
    "text",
    (
        "",
        "2027-03-14",
        f"2027-03-14.birthday.{ID}\n",
        f" 2027-03-14.birthday.{ID}",
        f"2027-02-29.birthday.{ID}",
        f"2027-3-14.birthday.{ID}",
        f"0000-01-01.birthday.{ID}",
        f"2027-03-14.BIRTHDAY.{ID}",
        f"2027-03-14.nameday.{ID}",
        f"2027-03-14.birthday.{ID.upper()}",
        f"2027-03-14.birthday.{ID.replace('-', '')}",
        f"2027-03-14.birthday.----{ID.replace('-', '')}",
        f"2027-03-14.birthday.{ID[:-1]}",
        f"2027-03-14.birthday.{{{ID}}}",
        f"2027-03-14.birthday.{'-' * 36}",
        f"2027-03-14/birthday/{ID}",
        f"٢٠٢٧-٠٣-١٤.birthday.{ID}",  # digits that are no ASCII digits
        f"2027-03-14.birthday.{ID}; DROP TABLE messages",
        "\0",
    ),
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match=re.escape("2027-03-14.birthday.<user id>")) as refused:
        MessageKey.parse(text)
    assert refused.value.field == "key"


@given(text=st.text(alphabet="0123456789abcdef-.birthdayanniversary", max_size=60))
def test_a_text_is_refused_or_is_the_key_itself(text: str) -> None:
    try:
        key = MessageKey.parse(text)
    except InvalidField:
        return
    assert str(key) == text


ON = date(2027, 3, 14)


def is_guarded(other: Message) -> bool:
    return greeted_recently(MessageKey(ON, Kind.BIRTHDAY, ADA_ID), [other], GUARD)


@pytest.mark.parametrize(
    ("distance", "guarded"), ((1, True), (28, True), (299, True), (300, False), (365, False), (366, False))
)
@pytest.mark.parametrize("direction", (-1, 1))
def test_no_second_greeting_within_300_days(distance: int, direction: int, *, guarded: bool) -> None:
    other = message(ON + timedelta(days=direction * distance), Status.SENT)
    assert is_guarded(other) is guarded


@pytest.mark.parametrize("status", Status)
def test_only_what_reached_or_may_have_reached_the_person_counts(status: Status) -> None:
    other = message(ON - timedelta(days=10), status)
    assert is_guarded(other) is (status in {Status.SENT, Status.UNKNOWN})
    assert is_guarded(attrs.evolve(other, may_have_arrived=True))


def test_a_message_does_not_stand_in_its_own_way_nor_an_anniversary_in_that_of_a_birthday() -> None:
    assert not is_guarded(message(ON, Status.SENT))
    assert not is_guarded(message(ON - timedelta(days=1), Status.SENT, kind=Kind.ANNIVERSARY))
    assert not greeted_recently(MessageKey(ON, Kind.BIRTHDAY, ADA_ID), [], GUARD)


ALWAYS = NOW + timedelta(days=30)


def test_retries_double_up_to_an_hour() -> None:
    policy = RetryPolicy()
    delays = [
        (found - NOW).total_seconds()
        for attempt in range(1, 12)
        if (found := policy.retry_at(attempt, NOW, 1.0, expires_at=ALWAYS)) is not None
    ]
    assert delays == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_after_the_last_attempt_there_is_none() -> None:
    policy = RetryPolicy(attempts_max=3)
    assert policy.retry_at(2, NOW, 0.5, expires_at=ALWAYS) is not None
    assert policy.retry_at(3, NOW, 0.5, expires_at=ALWAYS) is None
    assert policy.retry_at(4, NOW, 0.5, expires_at=ALWAYS) is None
    assert RetryPolicy(attempts_max=1).retry_at(1, NOW, 0.5, expires_at=ALWAYS) is None


def test_an_attempt_after_which_a_pause_was_asked_for_is_not_the_last() -> None:
    policy = RetryPolicy(attempts_max=3)
    asked = timedelta(minutes=7)
    assert policy.retry_at(3, NOW, 0.0, expires_at=ALWAYS, asked=asked) == NOW + asked


def test_who_asks_for_longer_than_a_channel_is_left_alone_does_not_cost_the_message_its_window() -> None:
    policy = RetryPolicy(pause_max=timedelta(hours=1))
    found = policy.retry_at(1, NOW, 0.0, expires_at=NOW + timedelta(hours=24), asked=timedelta(days=1))
    assert found == NOW + timedelta(hours=1)


@given(
    attempt=st.integers(0, 10_000),
    jitter=st.floats(0, 1),
    now=instants("2000-01-01", "2100-01-01"),
    left=st.timedeltas(timedelta(0), timedelta(days=2)),
    asked=st.none() | st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_a_retry_waits_a_second_at_least_and_never_for_longer_than_its_window(
    attempt: int, jitter: float, now: datetime, left: timedelta, asked: timedelta | None
) -> None:
    policy = RetryPolicy(attempts_max=10_001)
    found = policy.retry_at(attempt, now, jitter, expires_at=now + left, asked=asked)
    later = policy.retry_at(attempt + 1, now, jitter, expires_at=now + left, asked=asked)
    assert found is not None
    assert min(timedelta(seconds=1), left) <= found - now <= left
    assert asked is None or found - now >= min(asked, policy.pause_max, left)
    assert found - now <= timedelta(hours=1)
    assert later is None or later >= found
