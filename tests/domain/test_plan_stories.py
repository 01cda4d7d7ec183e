"""Whatever somebody does in whatever order, the plan keeps its promises."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.due import SendPolicy, due, zone
from domain.message import Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, Kind
from domain.plan import owed, plan_user
from domain.user import User, change, particulars_of, remove, restore
from tests.domain.people import POLICY, RULES, ada

BEGIN = datetime(2027, 2, 25, tzinfo=UTC)
DONE = frozenset(
    {
        Status.SENDING,
        Status.SENT,
        Status.FAILED,
        Status.UNKNOWN,
        Status.EXPIRED,
        Status.SKIPPED,
    }
)


@attrs.define
class Story:
    """A person, what the ledger holds for them, and the time; every change of theirs is planned at once."""

    user: User
    ledger: dict[MessageKey, Message]
    now: datetime
    policy: SendPolicy = POLICY

    def plan(self) -> Sequence[Message]:
        before = dict(self.ledger)
        changed = plan_user(self.user, list(before.values()), self.policy, self.now)
        self.ledger |= {message.key: message for message in changed}
        assert len({message.key for message in changed}) == len(changed)
        for message in changed:
            known = before.get(message.key)
            assert known is None or known.status not in DONE or known.went_away, "what is done is touched"
            assert known is None or known != message, "nothing new"
            assert known is None or known.fence == message.fence
        again = plan_user(self.user, list(self.ledger.values()), self.policy, self.now)
        assert list(again) == [], "planning twice is not planning once"
        self._holds_what_is_owed()
        return changed

    def _holds_what_is_owed(self) -> None:
        first, last = self.policy.plan_dates(self.now)
        wanted = {
            one.message.key: one.message
            for one in owed(self.user, self.policy, date(2025, 1, 1), date(self.now.year + 2, 1, 1), self.now)
            if self.user.deleted_at is None
        }
        for key, message in self.ledger.items():
            if message.is_open:
                assert key in wanted, "a message without an occasion"
                assert message.due_at == wanted[key].due_at
                assert message.timezone == self.user.timezone
                assert message.expires_at >= wanted[key].expires_at
                assert message.retry_at is None or message.retry_at >= message.due_at
        self._tells_the_day_itself(first, last)
        for key, one in wanted.items():
            is_to_come = one.due_at >= self.user.known_at(key.kind) and one.expires_at > self.now
            if is_to_come and (first <= key.occasion_on <= last or key in self.ledger):
                assert key in self.ledger, "a message is missing"
                assert not self.ledger[key].went_away, "a message is lost"

    def _tells_the_day_itself(self, first: date, last: date) -> None:
        """It is in the ledger, and is not sent, whatever else was told before."""
        for kind in Kind:
            annual = self.user.annual(kind)
            began = None if annual is None else annual.full_date()
            if began is None or self.user.deleted_at is not None or not first <= began <= last:
                continue
            held = self.ledger.get(MessageKey(began, kind, self.user.id))
            if held is not None:
                assert not held.is_open, "the day itself is to be sent"
                assert held.status is not Status.SKIPPED or held.reason in {
                    Reason.ZERO_YEARS,
                    Reason.GREETED_RECENTLY,
                }
            elif all(one.status is not Status.SENDING for one in self.ledger.values()):
                at = due(began, self.policy.send_time, zone(self.user.timezone)).at
                assert at < self.user.known_at(kind), "the day itself is not told"

    def tell(self, **values: Any) -> None:
        if self.user.deleted_at is None:
            told = attrs.evolve(particulars_of(self.user), **values)
            self.user = change(self.user, told, self.now)
        else:
            self.user = restore(self.user, attrs.evolve(particulars_of(self.user), **values), self.now)
        self.plan()

    def leave(self) -> None:
        if self.user.deleted_at is None:
            self.user = remove(self.user, self.now)
            self.plan()

    def wait(self, hours: int) -> None:
        """Let hours go by; the plan of each hour may add messages, never move or cancel one."""
        known = set(self.ledger)
        self.now += timedelta(hours=hours)
        for message in self.plan():
            assert message.key not in known

    def plan_ahead(self, days: int) -> None:
        """Do what the hourly plan does, for many days to come, as an operator may ask for."""
        if self.user.deleted_at is not None:
            return
        for one in owed(
            self.user, self.policy, self.now.date(), self.now.date() + timedelta(days=days), self.now
        ):
            if one.message.due_at >= self.user.known_at(one.occasion.kind):
                self.ledger.setdefault(one.message.key, one.message)

    def send(self, status: Status) -> None:
        """Let everything that is due come to this status."""
        for key, message in self.ledger.items():
            wanted_at = message.retry_at or message.due_at
            if not message.is_open or wanted_at > self.now:
                continue
            if message.expires_at <= self.now:
                self.ledger[key] = attrs.evolve(message, status=Status.EXPIRED, retry_at=None)
            else:
                assert message.due_at <= self.now, "sent before it is nine in the morning"
                later = self.now + timedelta(minutes=5) if status is Status.RETRYING else None
                self.ledger[key] = attrs.evolve(
                    message, status=status, retry_at=later, attempt=message.attempt + 1
                )

    def cancel_all(self) -> None:
        for key, message in self.ledger.items():
            if message.is_open:
                self.ledger[key] = message.cancelled(self.now, Reason.OPERATOR)


Step = Callable[[Story], None]

near = st.integers(-4, 30).map(lambda days: (BEGIN + timedelta(days=days)).date())
birthdays = st.one_of(
    st.none(),
    st.sampled_from([AnnualDate(2, 29), AnnualDate(2, 29, 1992)]),
    near.map(lambda on: AnnualDate(on.month, on.day, 1990)),
    near.map(lambda on: AnnualDate(on.month, on.day)),
    st.just(AnnualDate.of(BEGIN.date())),
)
places = st.sampled_from(
    ["Pacific/Kiritimati", "Asia/Jakarta", "Europe/Berlin", "America/New_York", "Pacific/Pago_Pago"]
)


def move(place: str) -> Step:
    return lambda story: story.tell(timezone=place)


def new_birthday(birthday: AnnualDate | None) -> Step:
    return lambda story: story.tell(birthday=birthday)


def new_anniversary(on: date, year: int = 2020) -> Step:
    return lambda story: story.tell(anniversary=on.replace(year=year))


def new_rule(rule: Any) -> Step:
    return lambda story: story.tell(leap_day_rule=rule)


def wait(hours: int) -> Step:
    return lambda story: story.wait(hours)


def send(status: Status) -> Step:
    return lambda story: story.send(status)


def plan_ahead(days: int) -> Step:
    return lambda story: story.plan_ahead(days)


steps: st.SearchStrategy[Step] = st.one_of(
    places.map(move),
    birthdays.map(new_birthday),
    near.filter(lambda on: (on.month, on.day) != (2, 29)).map(new_anniversary),
    near.map(lambda on: new_anniversary(on, on.year)),
    st.none().map(new_rule) | RULES.map(new_rule),
    st.sampled_from([1, 3, 9, 24, 48, 24 * 14, 24 * 365]).map(wait),
    st.sampled_from(
        [Status.SENT, Status.SENT, Status.RETRYING, Status.FAILED, Status.SENDING, Status.UNKNOWN]
    ).map(send),
    st.just(Story.leave),
    st.just(Story.cancel_all),
    st.sampled_from([30, 366]).map(plan_ahead),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(birthday=birthdays, story=st.lists(steps, max_size=20))
def test_whatever_happens(birthday: AnnualDate | None, story: list[Step]) -> None:
    told = Story(ada(birthday=birthday, known_at=BEGIN), {}, BEGIN)
    told.plan()
    for step in story:
        step(told)
    told.plan()
    for kind in Kind:
        greeted = sorted(
            message.key.occasion_on
            for message in told.ledger.values()
            if message.key.kind is kind and message.status is Status.SENT
        )
        assert all(later - earlier >= POLICY.greeted_guard for earlier, later in pairwise(greeted))
