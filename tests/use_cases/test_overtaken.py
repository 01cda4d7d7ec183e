"""Somebody changes while a message of theirs is on its way, or waits to be tried again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from structlog.testing import capture_logs

from adapters.memory.channel import MemoryChannel
from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Sent
from application.dispatch import DispatchReport
from application.views import UserView
from domain.message import Reason, Status
from domain.occasion import AnnualDate
from domain.user import UserId
from tests.use_cases.service import Service, key

Told = dict[str, str | None]

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)
NEXT_DAY: Told = {"birthday": "1990-03-15"}
STRANGE = "Mars/Olympus_Mons"


@pytest.fixture
async def user(service: Service, ada: Told) -> UserView:
    return await service.register(ada)


async def _sent_while(service: Service, user: UserView, told: Told, outcome: Outcome) -> None:
    """Let the user tell something new while their message is with the channel."""

    class Changing(MemoryChannel):
        async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
            await service.change(UserId(user.id), told)
            return [outcome for _ in deliveries]

    well, service.channel = service.channel, Changing()
    await service.send()
    service.channel = well


async def test_a_birthday_moved_while_its_message_fails_is_kept_on_the_new_day(
    service: Service, user: UserView
) -> None:
    service.at(NINE)
    await _sent_while(service, user, NEXT_DAY, FailedForGood("No such mailbox."))
    assert [one.status for one in await service.messages(user)] == [Status.FAILED, Status.SCHEDULED]
    service.at(NINE + timedelta(days=1))
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_a_birthday_moved_while_its_message_arrives_brings_no_second_one(
    service: Service, user: UserView
) -> None:
    service.at(NINE)
    await _sent_while(service, user, NEXT_DAY, Sent())
    await service.plan()
    old, new = await service.messages(user)
    assert (old.status, new.status, new.reason) == (Status.SENT, Status.SKIPPED, Reason.GREETED_RECENTLY)


async def test_a_birthday_moved_while_its_message_is_refused_for_now_is_not_greeted_on_the_old_day(
    service: Service, user: UserView
) -> None:
    service.at(NINE)
    await _sent_while(service, user, NEXT_DAY, FailedForNow("busy"))
    service.at(NINE + timedelta(seconds=1))
    assert await service.send() == DispatchReport(0, {}, 0, stale=1)
    old, new = await service.messages(user)
    assert (old.status, old.reason) == (Status.CANCELLED, Reason.OCCASION_CHANGED)
    assert (new.status, service.channel.reached) == (Status.SCHEDULED, [])


async def test_a_zone_moved_while_a_message_is_refused_for_now_is_tried_again_on_the_new_morning(
    service: Service, user: UserView
) -> None:
    service.at(NINE)
    await _sent_while(service, user, {"timezone": "America/New_York"}, FailedForNow("busy"))
    service.at(NINE + timedelta(seconds=1))
    assert await service.send() == DispatchReport(0, {}, 0, stale=1)
    moved = await service.message(user)
    assert (moved.status, moved.timezone) == (Status.RETRYING, "America/New_York")
    assert moved.retry_at == datetime(2027, 3, 14, 13, tzinfo=UTC)
    service.at(datetime(2027, 3, 14, 13, tzinfo=UTC))
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_a_birthday_moved_after_nobody_knows_whether_it_arrived_brings_no_second_one(
    service: Service, user: UserView
) -> None:
    service.at(NINE)
    await _sent_while(service, user, {}, FailedForNow("hung up", may_have_arrived=True))
    await service.change(UserId(user.id), NEXT_DAY)
    old, new = await service.messages(user)
    assert (old.status, old.reason) == (Status.UNKNOWN, Reason.OCCASION_CHANGED)
    assert (new.status, new.reason) == (Status.SKIPPED, Reason.GREETED_RECENTLY)


async def test_a_birthday_moved_after_a_lost_lease_brings_no_second_one(
    service: Service, user: UserView
) -> None:
    service.at(NINE)
    service.channel.break_with(ConnectionError())
    with pytest.raises(ConnectionError):
        await service.send()
    service.channel.recover()
    service.let_leases_run_out()
    await service.keep()
    await service.change(UserId(user.id), NEXT_DAY)
    service.at(NINE + timedelta(days=1))
    await service.send()
    assert [one.status for one in await service.messages(user)] == [Status.UNKNOWN, Status.SKIPPED]
    assert service.channel.reached == []


async def test_what_an_operator_sends_after_all_leaves_though_the_birthday_was_moved(
    service: Service, user: UserView
) -> None:
    await service.change(UserId(user.id), NEXT_DAY)
    old, _ = await service.messages(user)
    await service.operator.retry(key(old))
    service.at(NINE)
    assert (await service.send()).settled == {Status.SENT: 1}


@pytest.mark.parametrize("takes_the_risk", (True, False))
async def test_what_may_have_arrived_is_held_or_tried_again_as_the_settings_say(
    service: Service, user: UserView, *, takes_the_risk: bool
) -> None:
    service.channel.deduplicates = False
    service.retries_unknown = takes_the_risk
    service.at(NINE)
    service.channel.break_with(ConnectionError())
    with pytest.raises(ConnectionError):
        await service.send()
    service.channel.recover()
    service.let_leases_run_out()
    await service.keep()
    assert (await service.send()).settled == ({Status.SENT: 1} if takes_the_risk else {})


@pytest.mark.parametrize("takes_the_risk", (True, False))
async def test_what_may_have_arrived_by_another_channel_is_held_or_tried_again_as_the_settings_say(
    service: Service, user: UserView, *, takes_the_risk: bool
) -> None:
    """A webhook that remembers keys gave no answer; then the operator chose the mail server, which knows none."""
    service.at(NINE)
    await _sent_while(service, user, {}, FailedForNow("hung up", may_have_arrived=True))
    assert (await service.message(user)).status is Status.RETRYING
    service.channel = MemoryChannel(deduplicates=False)
    service.retries_unknown = takes_the_risk
    service.at(NINE + timedelta(minutes=1))
    assert (await service.send()).settled == ({Status.SENT: 1} if takes_the_risk else {})
    held = await service.message(user)
    assert (held.status, held.reason) == (
        (Status.SENT, None) if takes_the_risk else (Status.UNKNOWN, Reason.IN_DOUBT)
    )


def _moved_by_hand(service: Service, *people: UserView) -> None:
    """Let them live where this release of the zone data knows no zone."""
    users = service.store.committed.users
    for user in people:
        users[UserId(user.id)] = attrs.evolve(users[UserId(user.id)], timezone=STRANGE)


async def test_who_lives_in_a_zone_that_nobody_knows_is_greeted_when_it_was_reckoned_and_keeps_nobody_waiting(
    service: Service, ada: Told
) -> None:
    strange = await service.register_many(3, ada)
    _moved_by_hand(service, *strange)
    await service.register({**ada, "email": "behind@example.com"})
    service.channel.batch_size = 2
    service.at(NINE)
    with capture_logs() as lines:
        for _ in range(6):
            await service.send()
    assert await service.statuses() == {Status.SENT: 4}
    assert sum(line["people"] for line in lines if line["event"] == "people_not_planned") == 3


async def test_who_lives_in_a_zone_that_nobody_knows_is_not_greeted_on_another_day_than_theirs(
    service: Service, user: UserView
) -> None:
    users = service.store.committed.users
    users[UserId(user.id)] = attrs.evolve(users[UserId(user.id)], birthday=AnnualDate(3, 15))
    _moved_by_hand(service, user)
    service.at(NINE)
    assert not (await service.send()).claimed
    message = await service.message(user)
    assert (message.status, message.reason) == (Status.CANCELLED, Reason.OCCASION_CHANGED)
    assert not (await service.send()).goes_on


async def test_who_lives_in_a_zone_that_nobody_knows_may_be_looked_at_and_leave(
    service: Service, user: UserView
) -> None:
    _moved_by_hand(service, user)
    assert (await service.upcoming(UserId(user.id))).upcoming == []
    await service.remove(UserId(user.id))
    assert (await service.message(user)).status is Status.CANCELLED
