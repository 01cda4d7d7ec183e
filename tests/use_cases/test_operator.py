"""ActOnMessage."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from application.errors import MessageNotFound
from application.messages import ActOnMessage, GetMessage
from application.retention import ForgetWhatIsOld
from application.statistics import SchedulerState, SchedulerStatistics
from application.views import MessageView, UserView
from domain.errors import IllegalTransition, InvalidField
from domain.message import Action, MessageKey, Reason, Status
from domain.user import UserId
from tests.contract.adapters import POLICY, START
from tests.use_cases.service import Service, key

Told = dict[str, str | None]

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)
_ACTIONS: list[Callable[[ActOnMessage, MessageKey], Awaitable[MessageView]]] = [
    ActOnMessage.retry,
    ActOnMessage.cancel,
    ActOnMessage.mark_sent,
]


@pytest.fixture
async def user(service: Service, ada: Told) -> UserView:
    return await service.register(ada)


async def test_a_cancelled_message_is_not_sent(service: Service, user: UserView) -> None:
    shown = await service.operator.cancel(key(await service.message(user)))
    assert (shown.status, shown.reason) == (Status.CANCELLED, Reason.OPERATOR)
    assert await GetMessage(service.ledger)(key(shown)) == shown
    service.at(NINE)
    await service.plan()
    assert (await service.send()).claimed == 0


async def test_what_an_operator_cancelled_does_not_come_back_by_itself(
    service: Service, user: UserView
) -> None:
    await service.operator.cancel(key(await service.message(user)))
    await service.change(UserId(user.id), {"timezone": "America/New_York"})
    assert (await service.message(user)).status == Status.CANCELLED


async def test_a_cancelled_message_can_be_sent_after_all(service: Service, user: UserView) -> None:
    message = key(await service.message(user))
    await service.operator.cancel(message)
    shown = await service.operator.retry(message)
    assert (shown.status, shown.due_at) == (Status.SCHEDULED, NINE)
    service.at(NINE)
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_an_expired_message_gets_a_new_window(service: Service, user: UserView) -> None:
    service.at(NINE + timedelta(days=3))
    await service.keep()
    shown = await service.operator.retry(key(await service.message(user)))
    assert shown.expires_at == NINE + timedelta(days=4)
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_a_failed_message_gets_all_its_attempts_again(service: Service, user: UserView) -> None:
    service.at(NINE)
    service.channel.fail_for_good()
    await service.send()
    shown = await service.operator.retry(key(await service.message(user)))
    assert (shown.status, shown.attempt) == (Status.SCHEDULED, 0)
    service.channel.recover()
    assert (await service.send()).settled == {Status.SENT: 1}
    assert service.channel.reached[0].fence == 2


async def test_a_second_greeting_is_sent_if_an_operator_wants_it(service: Service, user: UserView) -> None:
    service.at(NINE)
    await service.send()
    await service.change(UserId(user.id), {"birthday": "1990-03-15"})
    skipped = (await service.messages(user))[-1]
    assert skipped.status == Status.SKIPPED
    await service.operator.retry(key(skipped))
    service.at(NINE + timedelta(days=1))
    assert (await service.send()).settled == {Status.SENT: 1}


@pytest.fixture
async def unknown(service: Service, user: UserView) -> MessageView:
    """A message of which nobody knows whether it was sent."""
    service.channel.deduplicates = False
    service.channel.break_with(ConnectionError())
    service.at(NINE)
    with pytest.raises(ConnectionError):
        await service.send()
    service.channel.recover()
    service.let_leases_run_out()
    await service.keep()
    return await service.message(user)


async def test_a_message_that_may_have_been_sent_is_marked_as_sent(
    service: Service, unknown: MessageView
) -> None:
    shown = await service.operator.mark_sent(key(unknown))
    assert (shown.status, shown.reason, shown.sent_at) == (Status.SENT, Reason.OPERATOR, NINE)
    assert (await service.send()).claimed == 0


async def test_a_message_that_may_have_been_sent_is_sent_again(
    service: Service, unknown: MessageView
) -> None:
    await service.operator.retry(key(unknown))
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_a_sent_message_stays_sent(service: Service, user: UserView) -> None:
    service.at(NINE)
    await service.send()
    sent = await service.message(user)
    service.told.forget()
    for action in _ACTIONS:
        with pytest.raises(IllegalTransition):
            await action(service.operator, key(sent))
    assert await service.message(user) == sent
    assert service.told.events == []


@pytest.mark.parametrize("action", _ACTIONS)
async def test_there_must_be_such_a_message(
    service: Service, action: Callable[[ActOnMessage, MessageKey], Awaitable[MessageView]]
) -> None:
    nothing = MessageKey.parse("2027-03-14.birthday.00000000-0000-7000-8000-000000000000")
    with pytest.raises(MessageNotFound):
        await action(service.operator, nothing)
    with pytest.raises(MessageNotFound):
        await GetMessage(service.ledger)(nothing)


async def test_statistics_name_every_status(service: Service, user: UserView) -> None:
    state = SchedulerState(started_at=NINE)
    statistics = await SchedulerStatistics(service.ledger, state)()
    assert statistics.counts == {status: int(status is Status.SCHEDULED) for status in Status}
    state.failures_in_a_row = 3
    assert statistics.state == SchedulerState(started_at=NINE)


async def test_why_is_kept_with_what_was_done(service: Service, user: UserView) -> None:
    message = key(await service.message(user))
    await service.operator.cancel(message, "  She asked\nfor it. ")
    await service.operator.retry(message)
    service.at(NINE + timedelta(days=3))
    await service.keep()
    await service.operator(Action.LEAVE, message, "Too late.")
    assert [(one.message, one.action, one.reason) for one in await service.trail.decided(10)] == [
        (message, Action.LEAVE, "Too late."),
        (message, Action.RETRY, None),
        (message, Action.CANCEL, "She asked for it."),
    ]


async def test_what_is_let_be_stays_and_can_still_be_sent(service: Service, user: UserView) -> None:
    service.at(NINE + timedelta(days=3))
    await service.keep()
    message = key(await service.message(user))
    assert (await service.looked_at.attention(10)).counts[Status.EXPIRED] == 1
    shown = await service.operator(Action.LEAVE, message, "Too late.")
    assert (shown.status, shown.reason) == (Status.EXPIRED, Reason.OPERATOR)
    assert (await service.looked_at.attention(10)).counts[Status.EXPIRED] == 0
    await service.operator.retry(message, "After all.")
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_without_a_reason_that_can_be_read_nothing_is_done(service: Service, user: UserView) -> None:
    message = key(await service.message(user))
    with pytest.raises(InvalidField):
        await service.operator.cancel(message, " ")
    assert (await service.message(user)).status == Status.SCHEDULED
    assert await service.trail.decided(10) == []


@pytest.mark.parametrize(
    "action", sorted(set(Action) - {Action.RETRY, Action.CANCEL, Action.MARK_SENT, Action.LEAVE}), ids=str
)
async def test_what_the_scheduler_does_no_operator_does(
    service: Service, user: UserView, action: Action
) -> None:
    with pytest.raises(IllegalTransition):
        await service.operator(action, key(await service.message(user)), "I want to.")
    assert (await service.message(user)).status == Status.SCHEDULED


async def test_a_decision_is_forgotten_after_the_retention(service: Service, user: UserView) -> None:
    forget = ForgetWhatIsOld(service.unit_of_work, POLICY, timedelta(days=400))
    await service.operator.cancel(key(await service.message(user)), "She asked for it.")
    service.at(START + timedelta(days=400))
    await forget()
    assert len(await service.trail.decided(10)) == 1
    service.at(START + timedelta(days=400, seconds=1))
    await forget()
    assert await service.trail.decided(10) == []
