"""What every reader keeps to when it is asked whose message is due on a day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import attrs
import pytest

from domain.message import Reason, Status
from domain.occasion import AnnualDate, Kind
from domain.user import User, remove
from tests.contract.adapters import START, Adapters
from tests.contract.people import message, person, user_number

DAY = datetime(2027, 3, 13, tzinfo=UTC)
"""The day, in UTC, that START is a part of."""
NEXT_DAY = DAY + timedelta(days=1)
EVERYWHERE = (
    "Pacific/Kiritimati",  # 14 hours ahead
    "Pacific/Apia",
    "Pacific/Chatham",  # 13 hours and three quarters
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Europe/Berlin",
    "UTC",
    "America/St_Johns",
    "America/New_York",  # its clocks go forward in the night after DAY
    "America/Anchorage",
    "Pacific/Honolulu",
    "Pacific/Pago_Pago",  # 11 hours behind
    "Etc/GMT+12",
)


def is_due(user: User, on: date) -> bool:
    """Tell whether nine in the morning of that date is on DAY, by the zone's own rules."""
    return datetime.combine(on, time(9), ZoneInfo(user.timezone)).astimezone(UTC).date() == DAY.date()


def packed(*users: User) -> bytes:
    return b"".join(sorted(user.id.bytes for user in users))


async def listed(adapters: Adapters, kind: Kind = Kind.BIRTHDAY) -> bytes:
    return await adapters.message_reader.users_due(kind, DAY, NEXT_DAY)


class TodaysListsContract:
    """MessageReader.users_due."""

    async def test_nobody_is_nothing(self, adapters: Adapters) -> None:
        assert await listed(adapters) == b""

    @pytest.mark.parametrize(
        "now", (DAY, START, NEXT_DAY - timedelta(microseconds=1)), ids=("first", "noon", "last")
    )
    async def test_the_plan_brings_everybody_in_the_world_who_is_due_on_the_day(
        self, adapters: Adapters, now: datetime
    ) -> None:
        """Whatever their own calendar shows then: in the far east it is the 14th, in the far west the 12th."""
        days = [DAY.date() + timedelta(shift) for shift in range(-3, 4)]
        born = {
            on: [person(timezone=zone, birthday=AnnualDate(on.month, on.day, 1990)) for zone in EVERYWHERE]
            for on in days
        }
        hired = [person(timezone=zone, anniversary=date(2020, 3, 14)) for zone in EVERYWHERE]
        await adapters.set_now(now)
        await adapters.add(*(user for people in born.values() for user in people), *hired)
        await adapters.plan(*EVERYWHERE)

        due = [user for on, people in born.items() for user in people if is_due(user, on)]
        assert {user.timezone for user in due} == set(EVERYWHERE)
        assert await listed(adapters) == packed(*due)
        [kiritimati] = [user for user in due if user.timezone == "Pacific/Kiritimati"]
        assert kiritimati.birthday == AnnualDate(3, 14, 1990)
        due_anniversaries = [user for user in hired if is_due(user, date(2027, 3, 14))]
        assert 0 < len(due_anniversaries) < len(hired)
        assert await listed(adapters, Kind.ANNIVERSARY) == packed(*due_anniversaries)

    async def test_the_day_begins_with_its_first_instant_and_ends_before_the_next(
        self, adapters: Adapters
    ) -> None:
        moment = timedelta(microseconds=1)
        dues = (DAY - moment, DAY, NEXT_DAY - moment, NEXT_DAY)
        people = [person(id=user_number(number)) for number in range(len(dues))]
        await adapters.add(*people)
        await adapters.keep(
            *(message(user, DAY.date(), due_at=due) for user, due in zip(people, dues, strict=True))
        )
        assert await listed(adapters) == packed(*people[1:3])

    async def test_who_is_greeted_counts_and_who_is_not_does_not(self, adapters: Adapters) -> None:
        people = {status: person(status) for status in Status}
        await adapters.add(*people.values())
        await adapters.keep(*(message(user, DAY.date(), status=status) for status, user in people.items()))
        gone = {Status.CANCELLED, Status.SKIPPED}
        assert await listed(adapters) == packed(
            *(user for status, user in people.items() if status not in gone)
        )

    async def test_ids_ascend_whatever_the_order_of_what_is_due(self, adapters: Adapters) -> None:
        numbers = (2**127, 3, 1, 2**64, 2**128 - 1, 255, 256)
        people = [person(id=user_number(number)) for number in numbers]
        await adapters.add(*people)
        for hours, user in enumerate(people):
            await adapters.keep(message(user, DAY.date(), due_at=START - timedelta(hours=hours)))
        assert await listed(adapters) == b"".join(number.to_bytes(16, "big") for number in sorted(numbers))

    async def test_a_person_is_listed_once(self, adapters: Adapters) -> None:
        """Who moved from one date to the next may have two: one skipped, that an operator then lets go."""
        ada = person()
        await adapters.add(ada)
        await adapters.keep(
            message(ada, DAY.date(), status=Status.SENT, sent_at=START),
            message(ada, NEXT_DAY.date(), due_at=NEXT_DAY - timedelta(hours=5), reason=Reason.OPERATOR),
        )
        assert await listed(adapters) == packed(ada)

    async def test_who_has_left_is_not_listed_although_the_message_was_sent(self, adapters: Adapters) -> None:
        ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
        await adapters.add(ada, bob, eve)
        await adapters.keep(
            *(message(user, DAY.date(), status=Status.SENT, sent_at=START) for user in (ada, bob, eve))
        )
        await adapters.save(ada, remove(ada, START))
        async with adapters.unit_of_work() as uow:
            await uow.users.erase(bob)
            await uow.commit()
        assert await listed(adapters) == packed(eve)

    async def test_kinds_are_apart(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(
            message(ada, DAY.date()),
            message(bob, DAY.date(), Kind.ANNIVERSARY),
            message(ada, DAY.date(), Kind.ANNIVERSARY, status=Status.SKIPPED),
        )
        assert await listed(adapters) == packed(ada)
        assert await listed(adapters, Kind.ANNIVERSARY) == packed(bob)

    async def test_what_is_not_committed_is_not_listed(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(message(ada, DAY.date()))
        async with adapters.unit_of_work() as uow:
            held = await uow.messages.get(message(ada, DAY.date()).key)
            assert held is not None
            await uow.messages.save([attrs.evolve(held, status=Status.SKIPPED)])
            await uow.messages.save([message(bob, DAY.date())])
            assert await listed(adapters) == packed(ada)
