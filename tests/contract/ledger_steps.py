"""The single steps of a ledger's random life, and what may come of them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st

from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Recipient, Sent
from application.ledger import Claim, PlanReport
from application.ports import UnitOfWork
from application.users import replan
from domain.due import ZoneRow
from domain.events import MessagesChanged
from domain.message import TRANSITIONS, Action, Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, LeapDayRule
from domain.plan import plan_user
from domain.user import Particulars, User, UserId
from tests.contract.adapters import POLICY, TERMS, Adapters
from tests.contract.people import ZONES

T = TypeVar("T")
Rows = Mapping[MessageKey, Message]

ALL = 10_000

_NEW = frozenset({Status.SCHEDULED, Status.SKIPPED, Status.EXPIRED})
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    (
        Sent(),
        Sent(),
        Sent(),
        FailedForNow("busy"),
        FailedForNow("busy", timedelta(hours=1)),
        FailedForNow("busy", timedelta(days=2)),
        FailedForNow("hung up", may_have_arrived=True),
        FailedForGood("no such mailbox"),
    )
)
_ENDED = frozenset({Status.CANCELLED, Status.UNKNOWN})
_DAYS_TO_COME = st.sampled_from((1, 2, 0, None, 3, 6, -1))
_BIRTH_YEARS = (None, 1904, 2020, 2024)


@st.composite
def particulars(draw: st.DrawFn, number: int, now: datetime) -> Particulars:
    """Draw what person *number* tells of themselves; their occasions are near."""
    birthday, anniversary = draw(_DAYS_TO_COME), draw(_DAYS_TO_COME)
    born = None if birthday is None else now.date() + timedelta(birthday)
    hired = None if anniversary is None else now.date() + timedelta(anniversary)
    return Particulars(
        first_name=draw(st.sampled_from(("Ada", "Bob"))),
        last_name="Lovelace",
        email=f"p{number}@{draw(st.sampled_from(('example.com', 'example.org')))}",
        timezone=draw(st.sampled_from(ZONES)),
        birthday=None if born is None else draw(_birthdays(born, now)),
        anniversary=None if hired is None else draw(st.sampled_from((hired, hired.replace(year=2016)))),
        leap_day_rule=draw(st.sampled_from((None, *LeapDayRule))),
    )


def _birthdays(born: date, now: datetime) -> st.SearchStrategy[AnnualDate]:
    found = [AnnualDate(born.month, born.day, year) for year in _BIRTH_YEARS]
    if born <= now.date():
        found.append(AnnualDate.of(born))
    return st.sampled_from(found)


def refuse_other_than(before: Message | None, after: Message, actions: frozenset[Action]) -> None:
    """Fail unless a row that was *before* may be *after* through one of *actions*."""
    assert (after.retry_at is not None) == (after.status is Status.RETRYING)
    assert after.retry_at is None or after.retry_at <= after.expires_at
    assert (after.sent_at is not None) == (after.status is Status.SENT)
    if before is None:
        assert after.status in _NEW
        assert (after.attempt, after.fence) == (0, 0)
        return
    if before == after:
        return
    assert after.may_have_arrived >= before.may_have_arrived
    assert (before.key, before.created_at) == (after.key, after.created_at)
    assert after.fence == before.fence + (after.status is Status.SENDING)
    allowed = {
        TRANSITIONS[before.status, action] for action in actions if (before.status, action) in TRANSITIONS
    }
    if Status.SCHEDULED in allowed and Action.REPLAN in actions:
        allowed.add(Status.SKIPPED)  # what came back is guarded at once
    assert after.status in allowed, f"{before.status} became {after.status} by {sorted(actions)}"


def refuse_untrue(delivery: Delivery, claimed: Message, user: User, now: datetime) -> None:
    """Fail if *delivery* was not to leave yet, or any more, or not to this person under this name."""
    assert claimed.due_at <= now
    assert is_claimable(claimed, now)
    assert user.deleted_at is None
    assert delivery.recipient == Recipient(user.first_name, user.last_name, user.email)
    assert (delivery.fence, delivery.attempt) == (claimed.fence + 1, claimed.attempt + 1)


def refuse_untold(adapters: Adapters, *, has_changed: bool) -> None:
    """Fail unless a change of the ledger was told, once and last; then forget what was told."""
    is_the_ledgers = [isinstance(event, MessagesChanged) for event in adapters.told.events]
    assert is_the_ledgers.count(True) == has_changed
    assert is_the_ledgers == sorted(is_the_ledgers)
    adapters.told.forget()


def acted(message: Message, action: Action, now: datetime) -> Message:
    match action:
        case Action.RETRY:
            return message.retried(now, POLICY.window)
        case Action.CANCEL:
            return message.cancelled(now, Reason.OPERATOR)
        case Action.LEAVE:
            return message.left_alone(now)
        case _:
            return message.marked_sent(now)


def is_claimable(row: Message, now: datetime) -> bool:
    return row.is_open and row.wanted_at <= now < row.expires_at


def next_wanted_at(rows: Rows, now: datetime) -> datetime | None:
    waiting = [row.wanted_at for row in rows.values() if row.is_open and row.expires_at > now]
    return min(waiting, default=None)


def limits(rows: Rows, now: datetime) -> Sequence[int]:
    """Return limits at which no adapter has a choice: between messages that are not equally long due."""
    due = sorted(row.wanted_at for row in rows.values() if is_claimable(row, now))
    return [ALL, *(number for number in range(1, len(due)) if due[number - 1] < due[number])]


def forgotten(users: Iterable[User], rows: Rows, now: datetime) -> Sequence[Message]:
    """Return what the ledger should hold just after the plan, by each user's own plan, and does not."""
    return [
        one
        for user in users
        for one in plan_user(user, [row for key, row in rows.items() if key.user_id == user.id], POLICY, now)
        if one.key not in rows
    ]


def count_sent(rows: Rows) -> int:
    return sum(row.status is Status.SENT for row in rows.values())


def count_ended(before: Rows, after: Rows) -> int:
    return sum(before[key].is_open and row.status in _ENDED for key, row in after.items())


async def awaited(waiting: Awaitable[None]) -> None:
    await waiting


async def do_in(adapters: Adapters, step: Callable[[UnitOfWork], Awaitable[T]], *, commits: bool) -> T:
    async with adapters.unit_of_work() as uow:
        result = await step(uow)
        if commits:
            await uow.commit()
    return result


async def all_rows(adapters: Adapters, ids: Sequence[UserId]) -> Rows:
    async with adapters.unit_of_work() as uow:
        held = await uow.messages.of_users(ids)
    return {message.key: message for messages in held.values() for message in messages}


async def add(uow: UnitOfWork, user: User, now: datetime) -> None:
    await uow.users.add([user])
    await replan(uow, [user], POLICY, now)


async def save(uow: UnitOfWork, before: User, after: User, now: datetime) -> None:
    assert await uow.users.get(before.id) == before
    await uow.users.save([(before, after)])
    if after.moves_messages(before):
        await replan(uow, [after], POLICY, now)


async def plan(uow: UnitOfWork, table: Sequence[ZoneRow], first: date, last: date) -> PlanReport:
    await uow.messages.prepare(first, last)
    return await uow.messages.plan(table, POLICY)


async def claim(uow: UnitOfWork, limit: int) -> Claim:
    found = await uow.messages.claim(limit, TERMS)
    return Claim(sorted(found.deliveries, key=lambda delivery: delivery.key), sorted(found.stale))


async def plan_anew(uow: UnitOfWork, user_ids: Sequence[UserId], now: datetime) -> int:
    users = await uow.users.by_ids(user_ids)
    return await replan(uow, list(users.values()), POLICY, now)
