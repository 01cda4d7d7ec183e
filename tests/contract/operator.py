"""What every reader of an operator's keeps to."""

from datetime import date, datetime, timedelta
from typing import Any

import attrs
import pytest

from application.deliveries import FailedForNow
from application.operator_ports import DueGroup, Lateness, NamedMessage
from application.views import MessageView, UserView
from domain.message import Message, Reason, Status
from domain.occasion import Kind
from domain.user import User, remove
from tests.contract.adapters import START, TERMS, Adapters
from tests.contract.people import message, on_their_way, overdue, person, user_number

DAY = timedelta(days=1)


def named(one: Message, name: str | None) -> NamedMessage:
    return NamedMessage(MessageView.of(one), name)


class OperatorContract:
    """OperatorReader."""

    async def test_on_an_empty_ledger_there_is_nothing_to_look_at(self, adapters: Adapters) -> None:
        looked_at = adapters.operator_reader
        attention = await looked_at.attention(10)
        assert set(attention.counts.values()) == {0}
        assert attention.latest == []
        assert await looked_at.due(START, START + DAY) == []
        assert await looked_at.next_messages(START, START + DAY, 10) == []
        assert await looked_at.paused_channels() == []
        assert await looked_at.lateness([START.date()]) == {}
        assert await looked_at.find_people(["Ada"], 10) == []
        assert not await looked_at.has_people()
        assert await adapters.audit_reader.decided(10) == []

    async def test_who_was_deleted_is_nobody(self, adapters: Adapters) -> None:
        await adapters.add(remove(person("Gone"), START))
        assert not await adapters.operator_reader.has_people()
        await adapters.add(person("Ada"))
        assert await adapters.operator_reader.has_people()

    async def test_what_ended_badly_needs_somebody_until_an_operator_has_decided(
        self, adapters: Adapters
    ) -> None:
        ada = person("Ada")
        kept = [
            message(ada, date(2027, 1, 1) + timedelta(number), status=status, reason=reason)
            for number, (status, reason) in enumerate(
                (status, reason) for status in Status for reason in (None, Reason.REFUSED, Reason.OPERATOR)
            )
        ]
        await adapters.add(ada)
        await adapters.keep(*kept)
        found = await adapters.operator_reader.attention(10)
        assert found.counts == {Status.UNKNOWN: 2, Status.FAILED: 2, Status.EXPIRED: 2}
        wanted = [
            one
            for status in (Status.UNKNOWN, Status.FAILED, Status.EXPIRED)
            for one in reversed(kept)
            if one.status is status and one.reason is not Reason.OPERATOR
        ]
        assert found.latest == [named(one, "Ada Lovelace") for one in wanted]
        assert all(one.needs_somebody == (one in wanted) for one in kept)

    async def test_of_many_the_latest_of_each_are_shown(self, adapters: Adapters) -> None:
        ada, gone = person("Ada"), remove(person("Gone"), START)
        kept = {
            (status, days): message(user, date(2027, 2, 1) + timedelta(days), status=status)
            for days in range(5)
            for status, user in ((Status.UNKNOWN, gone), (Status.EXPIRED, ada))
        }
        await adapters.add(ada, gone)
        await adapters.keep(*kept.values())
        found = await adapters.operator_reader.attention(2)
        assert found.counts == {Status.UNKNOWN: 5, Status.FAILED: 0, Status.EXPIRED: 5}
        assert found.latest == [
            named(kept[Status.UNKNOWN, 4], None),
            named(kept[Status.UNKNOWN, 3], None),
            named(kept[Status.EXPIRED, 4], "Ada Lovelace"),
            named(kept[Status.EXPIRED, 3], "Ada Lovelace"),
        ]

    async def test_what_comes_is_told_by_minute_and_zone(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        eve = person("Eve", timezone="UTC")
        soon = START + timedelta(hours=3, seconds=20)
        kept = [
            message(ada, due_at=soon),
            message(ada, kind=Kind.ANNIVERSARY, due_at=soon + timedelta(seconds=39)),
            message(bob, due_at=soon),
            message(eve, due_at=soon),
            message(eve, kind=Kind.ANNIVERSARY, due_at=START + DAY),
        ]
        await adapters.add(ada, bob, eve)
        await adapters.keep(*kept)
        at = START + timedelta(hours=3)
        coming: dict[str, Any] = {"at": at, "is_late": False, "is_waiting": False, "oldest_due_at": soon}
        assert await adapters.operator_reader.due(START, START + DAY) == [
            DueGroup(timezone="Europe/Berlin", messages=3, people=2, **coming),
            DueGroup(timezone="UTC", messages=1, people=1, **coming),
        ]
        shown = await adapters.operator_reader.next_messages(START, START + DAY, 10)
        assert {one.message.key for one in shown[:3]} == {str(kept[number].key) for number in (0, 2, 3)}
        assert shown[3:] == [named(kept[1], "Ada Lovelace")]
        assert await adapters.operator_reader.next_messages(START, START + DAY, 2) == shown[:2]

    async def test_what_is_late_waits_or_is_tried_again(self, adapters: Adapters) -> None:
        ada, bob, cy, dee = (person(name) for name in ("Ada", "Bob", "Cy", "Dee"))
        retry_at = START + timedelta(minutes=5)
        await adapters.add(ada, bob, cy, dee)
        await adapters.keep(
            overdue(ada, 2),
            overdue(bob, 3, status=Status.RETRYING, retry_at=retry_at),
            overdue(cy, 4, status=Status.RETRYING, retry_at=START),
            overdue(dee, 24),
            overdue(dee, 1, status=Status.SENDING, key=overdue(dee, 1).key._replace(kind=Kind.ANNIVERSARY)),
        )

        def late(hours: int, at: datetime, *, is_waiting: bool) -> DueGroup:
            due_at = START - timedelta(hours=hours)
            return DueGroup(
                at=at,
                timezone="Europe/Berlin",
                is_late=True,
                is_waiting=is_waiting,
                messages=1,
                people=1,
                oldest_due_at=due_at,
            )

        assert await adapters.operator_reader.due(START, START + DAY) == [
            late(2, START - timedelta(hours=2), is_waiting=True),
            late(4, START, is_waiting=True),
            late(3, retry_at, is_waiting=False),
        ]
        shown = await adapters.operator_reader.next_messages(START, START + DAY, 10)
        assert [one.name for one in shown] == ["Ada Lovelace", "Cy Lovelace", "Bob Lovelace"]

    async def test_a_paused_channel_is_told_and_let_go_on(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        await adapters.settle((delivery, FailedForNow("later", retry_after=timedelta(minutes=10))))
        [paused] = await adapters.operator_reader.paused_channels()
        assert paused.name == TERMS.channel
        assert timedelta(minutes=9) < paused.pause <= timedelta(minutes=10)
        async with adapters.unit_of_work() as uow:
            assert not await uow.channels.let_go_on("another")
            assert await uow.channels.let_go_on(TERMS.channel)
            await uow.commit()
        assert await adapters.operator_reader.paused_channels() == []
        async with adapters.unit_of_work() as uow:
            assert not await uow.channels.let_go_on(TERMS.channel)

    async def test_a_pause_that_is_over_is_not_told(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        await adapters.settle((delivery, FailedForNow("later", retry_after=timedelta(minutes=10))))
        await adapters.let_pass(601)
        assert await adapters.operator_reader.paused_channels() == []

    async def test_lateness_is_told_by_day_in_values_that_occurred(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(10)]
        day, other = date(2027, 3, 10), date(2027, 3, 11)

        def sent(user: User, on: date, seconds: float, **values: Any) -> Message:
            one = message(user, on, status=Status.SENT, **values)
            return attrs.evolve(one, sent_at=one.due_at + timedelta(seconds=seconds))

        await adapters.add(*people)
        await adapters.keep(
            *(sent(user, day, number * 0.5) for number, user in enumerate(people)),
            sent(people[0], other, 7),
            sent(people[1], other, 86_400, reason=Reason.OPERATOR),
            message(people[2], other, status=Status.FAILED),
            sent(people[0], date(2027, 3, 12), 1),
        )
        assert await adapters.operator_reader.lateness([day, other, date(2027, 3, 9)]) == {
            day: Lateness(
                sent=10, median=timedelta(seconds=2), p99=timedelta(seconds=4.5), worst=timedelta(seconds=4.5)
            ),
            other: Lateness(
                sent=1, median=timedelta(seconds=7), p99=timedelta(seconds=7), worst=timedelta(seconds=7)
            ),
        }

    @pytest.mark.parametrize(
        ("sought", "found"),
        (
            ("ada", ["Ada Lovelace"]),
            ("ADA", ["Ada Lovelace"]),
            ("lov", ["Ada Lovelace", "Loving Lovelace"]),
            ("love", ["Ada Lovelace"]),
            ("ovelace", []),
            ("Ada Lovelace", ["Ada Lovelace"]),
            ("Lovelace Ada", ["Ada Lovelace"]),
            ("a l", ["Ada Lovelace"]),
            ("ada x", []),
            ("vincent van g", ["Vincent van Gogh"]),
            ("van gogh vincent", ["Vincent van Gogh"]),
            ("vincent gogh", []),
            ("Ada@Example.com", ["Ada Lovelace"]),
            ("ada@example", []),
            ("P-7", ["Vincent van Gogh"]),
            ("p-7", []),
            ("gon", []),
            ("%", ["%_ Percent"]),
            ("_", []),
            ("%_", ["%_ Percent"]),
            ("\\", []),
            ("'", []),
            ("", []),
        ),
    )
    async def test_people_are_found_by_what_one_knows_of_them(
        self, adapters: Adapters, sought: str, found: list[str]
    ) -> None:
        await adapters.add(
            person("Ada", email="ADA@example.com", id=user_number(1)),
            person("Vincent", last_name="van Gogh", external_id="P-7", id=user_number(2)),
            person("%_", last_name="Percent", id=user_number(3)),
            remove(person("Gone", last_name="Away"), START),
        )
        await adapters.add(person("Loving", last_name="Lo", id=user_number(4)))
        shown = await adapters.operator_reader.find_people(sought.split(), 10)
        names = [f"{view.first_name} {view.last_name}" for view in shown]
        assert names == [name.replace("Loving Lovelace", "Loving Lo") for name in found]

    async def test_no_more_people_are_found_than_asked_for(self, adapters: Adapters) -> None:
        people = [person("Ada", id=user_number(number)) for number in range(1, 6)]
        await adapters.add(*people)
        shown = await adapters.operator_reader.find_people(["ada"], 3)
        assert len({view.id for view in shown}) == 3
        assert [view.id for view in shown] == sorted(view.id for view in shown)
        assert shown[0] in [UserView.of(user) for user in people]
