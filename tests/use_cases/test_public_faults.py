"""Ten faults of those who have published the same task, none of which is ours; on both kinds of adapters.

docs/scheduler-proof.md says what each of them is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import attrs
import pytest

from adapters.memory.channel import MemoryChannel
from application.deliveries import Delivery, Outcome
from application.views import UserView
from domain.due import zone_names
from domain.message import Message, Reason, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import User, UserId
from tests.contract.adapters import START, Adapters
from tests.contract.people import NINE_IN_BERLIN, PI_DAY, person
from tests.contract.process import Process
from tests.contract.test_memory import memory_adapters
from tests.contract.test_postgres import postgres_adapters
from tests.domain.wall_clock import raw_zone
from tests.servers import fresh_engine

pytestmark = pytest.mark.slow

NINE = (9, 0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A_MOMENT = timedelta(microseconds=1)
ADA: Mapping[str, str | None] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/Berlin",
    "birthday": "1990-03-14",
}


class Killed(BaseException):
    """The process ends here."""


@attrs.frozen
class World:
    """A ledger whose clock stands still until it is moved, and a channel that remembers."""

    adapters: Adapters
    channel: MemoryChannel = attrs.field(factory=MemoryChannel)

    @cached_property
    def process(self) -> Process:
        return Process(unit_of_work=self.adapters.unit_of_work, channel=self.channel)

    async def at(self, now: datetime) -> None:
        await self.adapters.set_now(now)

    async def rows_of(self, user_id: UserId) -> Sequence[Message]:
        async with self.adapters.unit_of_work() as uow:
            return (await uow.messages.of_users([user_id])).get(user_id, [])

    async def row_of(self, user: UserView) -> Message:
        [row] = await self.rows_of(UserId(user.id))
        return row

    async def live(
        self, first: datetime, last: datetime, step: timedelta = HOUR
    ) -> dict[UserId, list[datetime]]:
        """Plan at first and twice a day, and send at the first step from which something is due; tell when who was reached."""
        reached: dict[UserId, list[datetime]] = {}
        now, planned_at = first, first - DAY
        while now <= last:
            await self.at(now)
            if now - planned_at >= DAY / 2:
                await self.process.plan()
                planned_at = now
            before = len(self.channel.reached)
            await self.process.send_all()
            for delivery in self.channel.reached[before:]:
                reached.setdefault(delivery.key.user_id, []).append(now)
            async with self.adapters.unit_of_work() as uow:
                due_at = await uow.messages.next_due_at()
            wake_at = min(planned_at + DAY / 2, due_at or last + step)
            now += max(-((now - wake_at) // step), 1) * step
        return reached


@pytest.fixture(params=("memory", pytest.param("postgres", marks=pytest.mark.servers)))
def database(request: pytest.FixtureRequest) -> str | None:
    """The address of a PostgreSQL, or None for the adapters in memory."""
    url: str | None = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return url


@pytest.fixture
async def world(database: str | None) -> AsyncIterator[World]:
    if database is None:
        yield World(memory_adapters()[0])
        return
    async with fresh_engine(database) as engine:
        yield World(await postgres_adapters(engine))


def everywhere(birthday: AnnualDate) -> list[User]:
    """Return somebody for every time zone there is."""
    return [person(timezone=name, birthday=birthday) for name in sorted(zone_names())]


def shown(instant: datetime, place: str) -> tuple[date, tuple[int, int]]:
    """Return the date and the time that clocks show there."""
    local = instant.astimezone(raw_zone(place))
    return local.date(), (local.hour, local.minute)


async def test_fault_1_planning_by_the_utc_date(world: World) -> None:
    """Where it is tomorrow already, or still yesterday, it is nine o'clock at nine o'clock as well."""
    people = everywhere(AnnualDate(3, 14, 1990))
    await world.adapters.add(*people)
    reached = await world.live(START, START + 2 * DAY, timedelta(minutes=15))
    wrong = [
        (user.timezone, reached.get(user.id))
        for user in people
        if [shown(at, user.timezone) for at in reached.get(user.id, [])] != [(PI_DAY, NINE)]
    ]
    assert wrong == []
    utc_dates = {at.date() for instants in reached.values() for at in instants}
    assert utc_dates == {date(2027, 3, 13), PI_DAY}


async def test_fault_2_29_february_in_the_middle_of_a_batch(world: World) -> None:
    """In a year without that day nobody's message is lost for it, and theirs has its day."""
    others = [person(f"P{number}", birthday=AnnualDate(2, 28, 1990)) for number in range(10)]
    leap_day = AnnualDate(2, 29, 2000)
    kept = {
        person("House", birthday=leap_day): date(2027, 2, 28),
        person("Early", birthday=leap_day, leap_day_rule=LeapDayRule.FEB28): date(2027, 2, 28),
        person("Late", birthday=leap_day, leap_day_rule=LeapDayRule.MAR1): date(2027, 3, 1),
        person("Rare", birthday=leap_day, leap_day_rule=LeapDayRule.LEAP_YEARS_ONLY): None,
        person("Hired", anniversary=date(2024, 2, 29)): date(2027, 2, 28),
    }
    await world.adapters.add(*others[:5], *kept, *others[5:])
    reached = await world.live(datetime(2027, 2, 26, tzinfo=UTC), datetime(2027, 3, 3, tzinfo=UTC))
    found = {user: reached.get(user.id) for user in (*others, *kept)}
    nine = {on: datetime(on.year, on.month, on.day, 8, tzinfo=UTC) for on in kept.values() if on}
    assert found == {
        **{user: [nine[date(2027, 2, 28)]] for user in others},
        **{user: None if on is None else [nine[on]] for user, on in kept.items()},
    }


@pytest.mark.parametrize(
    ("place", "on"),
    (
        ("Europe/Berlin", date(2027, 3, 14)),
        ("Europe/Berlin", date(2027, 3, 28)),  # an hour shorter
        ("Europe/Berlin", date(2027, 10, 31)),  # an hour longer
        ("America/New_York", date(2027, 11, 7)),
        ("Australia/Lord_Howe", date(2027, 4, 4)),  # by half an hour
        ("Africa/Casablanca", date(2027, 3, 14)),
    ),
)
async def test_fault_3_sending_early(world: World, place: str, on: date) -> None:
    """Not an hour, not a minute, not a microsecond, also where clocks have changed that night."""
    await world.adapters.add(person(timezone=place, birthday=AnnualDate(on.month, on.day, 1990)))
    nine = datetime(on.year, on.month, on.day, 9, tzinfo=raw_zone(place)).astimezone(UTC)
    await world.at(nine - DAY)
    await world.process.plan()
    for early in (5 * HOUR, HOUR, timedelta(minutes=30), timedelta(seconds=1), A_MOMENT):
        await world.at(nine - early)
        await world.process.send_all()
        assert world.channel.batches == []
    await world.at(nine)
    await world.process.send_all()
    assert [shown(nine, place) for _ in world.channel.reached] == [(on, NINE)]


async def test_fault_4_a_recovered_row_that_nobody_picks_up(world: World) -> None:
    """What a process took with it into its grave is asked for, claimed and sent, without waiting for anything."""
    user = await world.process.register(ADA)
    await world.at(NINE_IN_BERLIN)
    world.channel.break_with(Killed())
    with pytest.raises(Killed):
        await world.process.send()
    world.channel.recover()
    assert (await world.row_of(user)).status is Status.SENDING
    await world.process.send_all()
    assert world.channel.reached == [], "the lease is held still"
    await world.adapters.expire_leases()
    assert (await world.process.keep()).retrying == 1
    async with world.adapters.unit_of_work() as uow:
        assert await uow.messages.next_due_at() == NINE_IN_BERLIN
    await world.process.send_all()
    assert (await world.row_of(user)).status is Status.SENT
    assert len(world.channel.reached) == 1


_PLACES = (
    "Pacific/Kiritimati",
    "Asia/Jakarta",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Pago_Pago",
)


@pytest.mark.parametrize("hours_before", (-6, 1, 6, 20))
async def test_fault_5_a_zone_change_that_loses_the_message(world: World, hours_before: int) -> None:
    """From anywhere to anywhere, at any hour around: each gets one message, at nine or as soon as it can be."""
    moves = {(here, there): person(timezone=here) for here in _PLACES for there in _PLACES if here != there}
    moves = {
        move: attrs.evolve(user, birthday=AnnualDate(3, 14, 1990), email=f"p{number}@example.com")
        for number, (move, user) in enumerate(moves.items())
    }
    await world.adapters.add(*moves.values())
    moved_at = datetime(2027, 3, 14, 9, tzinfo=UTC) - timedelta(hours=hours_before)
    reached = await world.live(datetime(2027, 3, 13, tzinfo=UTC), moved_at)
    for (_, there), user in moves.items():
        await world.process.change(user.id, {"timezone": there})
    later = await world.live(moved_at, datetime(2027, 3, 16, tzinfo=UTC))
    for (here, there), user in moves.items():
        at = [*reached.get(user.id, []), *later.get(user.id, [])]
        assert len(at) == 1, (here, there, at)
        nine_there = datetime(2027, 3, 14, 9, tzinfo=raw_zone(there)).astimezone(UTC)
        if user.id not in reached:
            assert at == [max(nine_there, moved_at)], (here, there)


@pytest.mark.parametrize("deduplicates", (True, False))
@pytest.mark.parametrize("dies", ("before it is sent", "after it was sent"))
async def test_fault_6_sending_and_then_marking(world: World, dies: str, *, deduplicates: bool) -> None:
    """The claim is committed before anything leaves: who dies in between leaves a trace, and nobody is greeted twice."""
    seen: list[Status] = []

    class Dying(MemoryChannel):
        async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
            seen.append((await world.row_of(user)).status)
            if dies == "after it was sent":
                await world.channel.send_many(deliveries)
            raise Killed

    world.channel.deduplicates = deduplicates
    user = await world.process.register(ADA)
    await world.at(NINE_IN_BERLIN)
    with pytest.raises(Killed):
        await attrs.evolve(world.process, channel=Dying(deduplicates=deduplicates)).send()
    assert seen == [Status.SENDING]
    await world.adapters.expire_leases()
    await world.process.keep()
    await world.process.send_all()
    row = await world.row_of(user)
    if deduplicates:
        assert (row.status, len(world.channel.reached)) == (Status.SENT, 1)
    else:
        assert (row.status, row.may_have_arrived) == (Status.UNKNOWN, True)
        assert len(world.channel.reached) == (dies == "after it was sent")


async def test_fault_7_a_new_key_after_a_birthday_was_moved(world: World) -> None:
    """Another date makes another key; that is no reason for a second greeting."""
    user = await world.process.register(ADA)
    await world.at(NINE_IN_BERLIN)
    await world.process.send_all()
    await world.process.change(UserId(user.id), {"birthday": "1990-03-16"})
    await world.live(datetime(2027, 3, 15, tzinfo=UTC), datetime(2027, 3, 18, tzinfo=UTC))
    assert len(world.channel.reached) == 1
    first, second = await world.rows_of(UserId(user.id))
    assert (first.status, second.status) == (Status.SENT, Status.SKIPPED)
    assert (second.reason, second.key.occasion_on) == (Reason.GREETED_RECENTLY, date(2027, 3, 16))
    await world.at(datetime(2028, 3, 16, 8, tzinfo=UTC))
    await world.process.plan(date(2028, 3, 16), date(2028, 3, 16))
    await world.process.send_all()
    assert [one.key.occasion_on.year for one in world.channel.reached] == [2027, 2028]


async def test_fault_8_new_year_in_kiritimati_and_in_pago_pago(world: World) -> None:
    """A day apart by the clock on the wall, and two by UTC; the age goes by the year that they write there."""
    nine = {
        "Pacific/Kiritimati": datetime(2026, 12, 31, 19, tzinfo=UTC),
        "Pacific/Pago_Pago": datetime(2027, 1, 1, 20, tzinfo=UTC),
    }
    born = {
        place: [
            person(place, timezone=place, birthday=AnnualDate(1, 1, 2000)),
            person(place, timezone=place, birthday=AnnualDate(12, 31, 2000)),
            person(place, timezone=place, anniversary=date(2026, 1, 1)),
        ]
        for place in nine
    }
    await world.adapters.add(*(user for people in born.values() for user in people))
    reached = await world.live(datetime(2026, 12, 29, tzinfo=UTC), datetime(2027, 1, 3, tzinfo=UTC))
    years = {one.key.user_id: (one.key.occasion_on, one.years) for one in world.channel.reached}
    for place, at in nine.items():
        new_year, old_year, hired = born[place]
        assert reached[new_year.id] == reached[hired.id] == [at]
        assert reached[old_year.id] == [at - DAY]
        assert years[new_year.id] == (date(2027, 1, 1), 27)
        assert years[old_year.id] == (date(2026, 12, 31), 26)
        assert years[hired.id] == (date(2027, 1, 1), 1)
    assert len(world.channel.reached) == 6


@pytest.mark.parametrize("down_hours", (2, 12, 23))
async def test_fault_9_a_service_that_is_down_at_midnight_utc(world: World, down_hours: int) -> None:
    """Whoever came due meanwhile is greeted when it is back, planned before or not; by the hour, as it looks here."""
    people = everywhere(AnnualDate(3, 14, 1990))
    await world.adapters.add(*people[::2])
    down = datetime(2027, 3, 14, tzinfo=UTC) - HOUR
    back = down + down_hours * HOUR
    reached = await world.live(down - DAY, down - HOUR)
    await world.adapters.add(*people[1::2])  # nobody plans them: the service is not there
    later = await world.live(back, back + 2 * DAY)
    for number, user in enumerate(people):
        at = [*reached.get(user.id, []), *later.get(user.id, [])]
        nine = datetime(2027, 3, 14, 9, tzinfo=raw_zone(user.timezone)).astimezone(UTC)
        looked_at = nine if nine.minute == 0 else nine.replace(minute=0) + HOUR
        if number % 2 == 0 and looked_at < down:
            assert at == [looked_at], user.timezone
        elif nine + DAY > back:
            assert at == [max(looked_at, back)], user.timezone
        else:
            assert [row.status for row in await world.rows_of(user.id)] == [Status.EXPIRED]


async def test_fault_10_a_stale_copy_of_the_address(world: World) -> None:
    """The address is read when the message is claimed, at every attempt, and so is whether the person is there."""
    user = await world.process.register(ADA)
    gone = await world.process.register({**ADA, "email": "eve@example.com"})
    await world.process.plan()
    await world.process.change(UserId(user.id), {"email": "first@example.com"})
    await world.at(NINE_IN_BERLIN)
    world.channel.fail_for_now()
    await world.process.send()
    await world.process.change(UserId(user.id), {"email": "second@example.com", "first_name": "Augusta"})
    await world.process.remove(UserId(gone.id))
    world.channel.recover()
    await world.at(NINE_IN_BERLIN + HOUR)
    await world.process.send_all()
    given = [[one.recipient.email for one in batch] for batch in world.channel.batches]
    assert [sorted(one) for one in given] == [
        ["eve@example.com", "first@example.com"],
        ["second@example.com"],
    ]
    [reached] = world.channel.reached
    assert (reached.recipient.first_name, reached.key.kind) == ("Augusta", Kind.BIRTHDAY)
