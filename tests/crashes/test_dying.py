"""A process that ends at any call of the way of a message loses none, and sends none twice unawares."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.tables import messages
from domain.message import Message, MessageKey, Status
from domain.occasion import AnnualDate
from domain.user import User, UserId
from tests.contract.adapters import START, Adapters
from tests.contract.ledger_steps import forgotten
from tests.contract.people import BERLIN, NINE_IN_BERLIN, born_on_pi_day, message, person
from tests.contract.process import Process
from tests.contract.test_postgres import postgres_adapters
from tests.crashes.dying import AFTER, BEFORE, DIED, DURING
from tests.crashes.provider import BUSY, DOUBTED, REFUSED, TAKEN, Books, Provider

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
MOVED = "Moved"
_ROUNDS_MAX = 20
_LATER = (timedelta(0), timedelta(seconds=10), timedelta(hours=1), timedelta(hours=2))
"""When the survivor looks again: retries wait a second, and who has moved to London is due an hour later."""


@attrs.define(eq=False)
class World:
    """The ledger and the provider, the processes that die, and the one that goes on after each of them."""

    adapters: Adapters
    books: Books
    survivor: Process
    mortal: asyncio.subprocess.Process
    engine: AsyncEngine
    people: dict[UserId, User] = attrs.field(factory=dict)

    async def add(self, *users: User) -> None:
        """Let people come, of whom alone is spoken from now on."""
        await self.adapters.add(*users)
        self.people = {user.id: user for user in users}

    async def let_die(self, work: str, number: int, when: str, **more: Any) -> str:
        """Let a process do *work* and die at that call; return where, "" if it came to the end."""
        assert self.mortal.stdin is not None
        assert self.mortal.stdout is not None
        task = {
            "work": work,
            "number": number,
            "when": when,
            "deduplicates": self.survivor.channel.deduplicates,
            "retries_unknown": self.survivor.retries_unknown,
            **more,
        }
        self.mortal.stdin.write(json.dumps(task).encode() + b"\n")
        answer = json.loads(await self.mortal.stdout.readline())
        assert answer["status"] == (DIED if answer["where"] else 0)
        where: str = answer["where"]
        return where

    async def finish(self, now: datetime) -> None:
        """Let another process do what there is to do, until nothing is due."""
        for later in _LATER:
            await self.adapters.set_now(now + later)
            for _ in range(_ROUNDS_MAX):
                await self.adapters.expire_leases()
                kept = await self.survivor.keep()
                reports = await self.survivor.send_all()
                if not kept.changed and len(reports) == 1:
                    break
            else:
                pytest.fail("it comes to no end")

    async def judge(self, now: datetime) -> Mapping[MessageKey, Message]:
        """The one oracle: each message was accepted once at most, or says UNKNOWN; and none is forgotten."""
        rows = await self.adapters.messages_of(*self.people.values())
        accepted = self.books.accepted()
        assert {key for key in accepted if key.user_id in self.people} <= rows.keys()
        for key, row in rows.items():
            number = accepted[key]
            assert number <= 1 or self._took_the_risk(row), (row.status, number)
            assert row.status is not Status.SENDING, "nobody has ended it"
            if row.is_open:
                assert row.wanted_at > now, "due, unexpired and unsent"
            elif row.status is Status.SENT:
                assert number >= 1, "it never left"
            elif row.status is Status.UNKNOWN:
                assert not self.survivor.channel.deduplicates, "the outcome could be known"
            else:
                assert number == 0, f"it has left and says {row.status}"
        assert forgotten(self.people.values(), rows, now) == []
        return rows

    def _took_the_risk(self, row: Message) -> bool:
        return self.survivor.retries_unknown and row.may_have_arrived


OpenWorld = Callable[..., Any]


@pytest.fixture
def open_world(engine: AsyncEngine, tmp_path: Path) -> OpenWorld:
    @asynccontextmanager
    async def opened(*, deduplicates: bool = True, retries_unknown: bool = False) -> AsyncIterator[World]:
        url = engine.url.render_as_string(hide_password=False)
        adapters = await postgres_adapters(engine)
        books = Books(tmp_path / "books")
        mortal = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crashes.dying", url, str(books.path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": "src:."},
        )
        survivor = Process(
            unit_of_work=adapters.unit_of_work,
            channel=Provider(books, deduplicates=deduplicates),
            retries_unknown=retries_unknown,
        )
        yield World(adapters, books, survivor, mortal, engine)
        assert mortal.stdin is not None
        mortal.stdin.close()
        assert await mortal.wait() == 0

    return opened


async def die_everywhere(kill: Callable[[int, str], Awaitable[str]]) -> list[str]:
    """Let somebody die before and after each call, and during a commit or a sending; return where they died."""
    died: list[str] = []
    number = 0
    while where := await kill(number, BEFORE):
        died.append(where)
        if where.split()[1] in {"commit", "send"}:
            died.append(await kill(number, DURING))
        died.append(await kill(number, AFTER))
        number += 1
    return died


@pytest.mark.parametrize(
    ("deduplicates", "retries_unknown"),
    ((True, False), (False, False), (False, True)),
    ids=("deduplicates", "hold", "retry"),
)
async def test_while_messages_are_sent(
    open_world: OpenWorld, *, deduplicates: bool, retries_unknown: bool
) -> None:
    """Some are taken, one is refused, one is told to wait, one has no answer, and one person has just moved."""
    ends: dict[str, Counter[str]] = {}
    async with open_world(deduplicates=deduplicates, retries_unknown=retries_unknown) as world:

        async def kill(number: int, when: str) -> str:
            await world.adapters.set_now(NINE_IN_BERLIN)
            people = [born_on_pi_day(name) for name in (TAKEN, REFUSED, BUSY, DOUBTED, TAKEN, MOVED)]
            people[-1] = attrs.evolve(people[-1], timezone="Europe/London")
            await world.add(*people)
            await world.adapters.keep(
                *(message(user, due_at=NINE_IN_BERLIN, timezone=BERLIN) for user in people)
            )
            where: str = await world.let_die("send", number, when)
            await world.finish(NINE_IN_BERLIN)
            rows = await world.judge(NINE_IN_BERLIN + _LATER[-1])
            ours = {user.id: user.first_name for user in people}
            ends[where] = Counter(
                f"{ours[key.user_id]} {row.status}" for key, row in rows.items() if key.user_id in ours
            )
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "claim", "commit", "tell", "send", "accept", "settle", "by_ids", "of_users", "save"}
    assert set(died) == {f"{when} {call}" for when in (BEFORE, AFTER) for call in calls} | {
        "during commit",
        "during send",
    }
    everything = {"Taken SENT": 2, "Refused FAILED": 1, "Busy SENT": 1, "Doubted SENT": 1, "Moved SENT": 1}
    if deduplicates or retries_unknown:
        assert all(end == everything for end in ends.values())
    else:
        assert ends["before claim"] == {**everything, "Doubted UNKNOWN": 1, "Doubted SENT": 0}
        assert ends["after accept"]["Taken UNKNOWN"] == 2
        assert all(end["Moved SENT"] == 1 for end in ends.values())


async def test_while_the_ledger_is_kept(open_world: OpenWorld) -> None:
    now = NINE_IN_BERLIN
    async with open_world(deduplicates=False) as world:

        async def kill(number: int, when: str) -> str:
            await world.adapters.set_now(now)
            lost, missed, doubted, due = (born_on_pi_day(name) for name in (TAKEN, TAKEN, TAKEN, TAKEN))
            await world.add(lost, missed, doubted, due)
            past: dict[str, Any] = {"due_at": now - timedelta(hours=25), "expires_at": now}
            await world.adapters.keep(
                message(lost, status=Status.SENDING, due_at=now, attempt=1, fence=1),
                message(missed, **past),
                message(doubted, **past, may_have_arrived=True),
                message(due, due_at=now),
            )
            await _lease_to_nobody(world.engine)
            where: str = await world.let_die("keep", number, when)
            await world.finish(now)
            rows = await world.judge(now + _LATER[-1])
            found = [rows[message(user).key].status for user in (lost, missed, doubted, due)]
            assert found == [Status.UNKNOWN, Status.EXPIRED, Status.UNKNOWN, Status.SENT]
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "reap", "expire", "forget_before", "commit", "tell"}
    assert set(died) == {f"{when} {call}" for when in (BEFORE, AFTER) for call in calls} | {"during commit"}


async def test_while_everybody_is_planned(open_world: OpenWorld) -> None:
    """Every time in another month, so that there has to be made room as well."""
    async with open_world() as world:

        async def kill(number: int, when: str) -> str:
            now = START + timedelta(days=40 * len(world.people))
            tomorrow = (now + timedelta(days=1)).date()
            user = person(TAKEN, birthday=AnnualDate.of(tomorrow.replace(year=1990)))
            await world.add(user)
            await world.adapters.set_now(now)
            where: str = await world.let_die("plan", number, when)
            world.people = {user.id: user}
            await world.finish(now + timedelta(days=1))
            rows = await world.adapters.messages_of(user)
            assert [row.status for row in rows.values()] == [Status.SENT]
            assert forgotten([user], rows, now) == []
            assert world.books.accepted()[MessageKey(tomorrow, rows_kind(rows), user.id)] == 1
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "bookmark", "prepare", "plan", "note", "commit", "tell"}
    assert set(died) == {f"{when} {call}" for when in (BEFORE, AFTER) for call in calls} | {"during commit"}


def rows_kind(rows: Mapping[MessageKey, Message]) -> Any:
    [key] = rows
    return key.kind


async def test_while_open_messages_are_planned_by_newer_zone_data(open_world: OpenWorld) -> None:
    async with open_world() as world:

        async def kill(number: int, when: str) -> str:
            await world.adapters.set_now(START)
            user = born_on_pi_day(TAKEN)
            await world.add(user)
            too_late = NINE_IN_BERLIN + timedelta(hours=1)
            await world.adapters.keep(
                message(user, due_at=too_late, expires_at=too_late + timedelta(hours=24))
            )
            async with world.engine.begin() as connection:
                await connection.execute(text("UPDATE bookmark SET reckoned_with = 'of last year'"))
            where: str = await world.let_die("plan open anew", number, when)
            await world.survivor.plan_open_anew()
            assert (await world.adapters.message(message(user).key)).due_at == NINE_IN_BERLIN
            await world.finish(NINE_IN_BERLIN)
            await world.judge(NINE_IN_BERLIN + _LATER[-1])
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "bookmark", "users_with_open_messages", "by_ids", "of_users", "save", "commit", "tell"}
    assert set(died) == {f"{when} {call}" for when in (BEFORE, AFTER) for call in {*calls, "note"}} | {
        "during commit"
    }


async def test_while_somebody_changes_inside_the_window(open_world: OpenWorld) -> None:
    """They are as they were with their message, or as they are now with the other one."""
    async with open_world() as world:

        async def kill(number: int, when: str) -> str:
            await world.adapters.set_now(START)
            user = born_on_pi_day(TAKEN)
            await world.add(user)
            await world.survivor.plan()
            values = {"birthday": "1990-03-15", "timezone": "Asia/Tokyo"}
            where: str = await world.let_die("change", number, when, user=str(user.id), values=values)
            found = await world.adapters.user(user)
            assert found is not None
            world.people[user.id] = found
            open_rows = [row for row in (await world.adapters.messages_of(user)).values() if row.is_open]
            assert [row.timezone for row in open_rows] == [found.timezone]
            assert [row.key.occasion_on.day for row in open_rows] == [_day_of(found)]
            await world.finish(datetime(2027, 3, 15, 9, tzinfo=UTC))
            await world.judge(datetime(2027, 3, 15, 11, tzinfo=UTC))
            sent = [key for key in world.books.accepted() if key.user_id == user.id]
            assert [key.occasion_on for key in sent] == [date(2027, 3, _day_of(found))]
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "get", "save", "of_users", "commit", "tell"}
    assert {f"{when} {call}" for when in (BEFORE, AFTER) for call in calls} <= set(died)
    assert "during commit" in died


def _day_of(user: User) -> int:
    assert user.birthday is not None
    return user.birthday.day


async def _lease_to_nobody(engine: AsyncEngine) -> None:
    """Let what is on its way be held by a process that has gone."""
    async with engine.begin() as connection:
        await connection.execute(
            messages.update()
            .where(messages.c.status == str(Status.SENDING))
            .values(lease_until=text("clock_timestamp() - interval '1 s'"))
        )
