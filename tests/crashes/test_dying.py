"""A process that ends at any call of the way of a message loses none, and sends none twice unawares."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.tables import messages
from domain.message import MessageKey, Status
from domain.occasion import AnnualDate, Kind
from domain.user import User, UserId
from tests.contract.adapters import START
from tests.contract.ledger_steps import forgotten
from tests.contract.people import BERLIN, NINE_IN_BERLIN, born_on_pi_day, message, person
from tests.crashes.dying import AFTER, BEFORE, DURING
from tests.crashes.provider import BUSY, DOUBTED, REFUSED, TAKEN
from tests.crashes.world import LATER, OpenWorld, World, die_everywhere, opened_world, points

pytestmark = [pytest.mark.servers, pytest.mark.slow]

MOVED = "Moved"


@pytest.fixture
def open_world(engine: AsyncEngine, tmp_path: Path) -> OpenWorld:
    return partial(opened_world, engine, tmp_path)


EVERYTHING = {"Taken SENT": 2, "Refused FAILED": 1, "Busy SENT": 1, "Doubted SENT": 1, "Moved SENT": 1}


async def send_and_die(world: World, number: int, when: str, **more: Any) -> tuple[str, Counter[str]]:
    """Let a process die while it sends a batch; return where, and what became of whose messages.

    Some are taken, one is refused, one is told to wait, one has no answer, and one person has just moved.
    """
    await world.adapters.set_now(NINE_IN_BERLIN)
    people = [born_on_pi_day(name) for name in (TAKEN, REFUSED, BUSY, DOUBTED, TAKEN, MOVED)]
    people[-1] = attrs.evolve(people[-1], timezone="Europe/London")
    await world.add(*people)
    await world.adapters.keep(*(message(user, due_at=NINE_IN_BERLIN, timezone=BERLIN) for user in people))
    where = await world.let_die("send", number, when, **more)
    await world.finish(NINE_IN_BERLIN)
    rows = await world.judge(NINE_IN_BERLIN + LATER[-1])
    return where, Counter(f"{world.people[key.user_id].first_name} {row.status}" for key, row in rows.items())


@pytest.mark.parametrize("deduplicates", (True, False), ids=("deduplicates", "hold"))
async def test_while_messages_are_sent(open_world: OpenWorld, *, deduplicates: bool) -> None:
    ends: dict[str, Counter[str]] = {}
    async with open_world(deduplicates=deduplicates) as world:

        async def kill(number: int, when: str) -> str:
            where, ends[where] = await send_and_die(world, number, when)
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "claim", "commit", "tell", "send", "accept", "settle", "by_ids", "of_users", "save"}
    assert set(died) == points(calls)
    if deduplicates:
        assert all(end == Counter(EVERYTHING) for end in ends.values())
    else:
        doubted = {**EVERYTHING, "Doubted UNKNOWN": 1, "Doubted SENT": 0}
        assert ends["before claim"] == Counter(doubted)
        assert ends["after accept"]["Taken UNKNOWN"] == 2
        assert all(end["Moved SENT"] == 1 for end in ends.values())


async def test_while_messages_are_sent_that_are_tried_again_at_the_operators_risk(
    open_world: OpenWorld,
) -> None:
    async with open_world(deduplicates=False, retries_unknown=True) as world:
        for call, number, when in (
            ("claim", 0, AFTER),
            ("commit", 0, AFTER),
            ("send", 0, DURING),
            ("accept", 4, AFTER),
            ("settle", 0, AFTER),
            ("commit", 1, DURING),
        ):
            where, end = await send_and_die(world, number, when, only=call)
            assert where == f"{when} {call}"
            assert end == Counter(EVERYTHING), where


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
            rows = await world.judge(now + LATER[-1])
            found = [rows[message(user).key].status for user in (lost, missed, doubted, due)]
            assert found == [Status.UNKNOWN, Status.EXPIRED, Status.UNKNOWN, Status.SENT]
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "reap", "expire", "forget_before", "commit", "tell"}
    assert set(died) == points(calls)


async def test_while_everybody_is_planned(open_world: OpenWorld) -> None:
    """Every time in another month, so that there has to be made room as well.

    Two shards are planned at once, in any order: which call of a name is the first of them is chance.
    """
    rounds = itertools.count()
    async with open_world() as world:

        async def kill(call: str | None, number: int, when: str) -> str:
            now = START + timedelta(days=40 * next(rounds))
            tomorrow = (now + timedelta(days=1)).date()
            birthday = AnnualDate.of(tomorrow.replace(year=1990))
            users = [person(TAKEN, id=_id_in(shard), birthday=birthday) for shard in (0, 1)]
            await world.add(*users)
            await world.adapters.set_now(now)
            async with world.engine.begin() as connection:  # nothing of the time between is to be made up for
                await connection.execute(text("UPDATE bookmark SET planned_until = NULL"))
            where: str = await world.let_die("plan", number, when, only=call)
            await world.survivor.plan()
            await world.finish(now + timedelta(days=1))
            rows = await world.adapters.messages_of(*users)
            assert [row.status for row in rows.values()] == [Status.SENT] * 2
            assert forgotten(users, rows, now) == []
            keys = [MessageKey(tomorrow, Kind.BIRTHDAY, user.id) for user in users]
            assert [world.books.accepted()[key] for key in keys] == [1, 1]
            return where

        calls = {"begin": 4, "bookmark": 1, "prepare": 1, "plan": 2, "note": 1, "commit": 4, "tell": 2}
        for call, times in calls.items():
            for when in (BEFORE, DURING, AFTER):
                if f"{when} {call}" in points({call}):
                    for number in range(times):
                        assert await kill(call, number, when) == f"{when} {call}"
        assert not await kill(None, sum(calls.values()), BEFORE)


def _id_in(shard: int) -> UserId:
    return UserId(UUID(int=uuid4().int >> 1 << 1 | shard))


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
            await world.judge(NINE_IN_BERLIN + LATER[-1])
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "bookmark", "users_with_open_messages", "by_ids", "of_users", "save", "note"}
    assert set(died) == points({*calls, "commit", "tell"})


async def test_while_somebody_changes_inside_the_window(open_world: OpenWorld) -> None:
    """They are as they were with their message, or as they are now with the other one."""
    async with open_world() as world:

        async def kill(number: int, when: str) -> str:
            await world.adapters.set_now(START)
            user = born_on_pi_day(TAKEN)
            await world.add(user)
            await world.adapters.keep(message(user))
            values = {"birthday": "1990-03-15", "timezone": "Asia/Tokyo"}
            where: str = await world.let_die("change", number, when, user=str(user.id), values=values)
            found = await world.adapters.user(user)
            assert found is not None
            world.people[user.id] = found
            open_rows = [row for row in (await world.adapters.messages_of(user)).values() if row.is_open]
            assert [row.timezone for row in open_rows] == [found.timezone]
            assert [row.key.occasion_on.day for row in open_rows] == [_day_of(found)]
            await world.finish(datetime(2027, 3, 15, 7, tzinfo=UTC))
            await world.judge(datetime(2027, 3, 15, 9, tzinfo=UTC))
            sent = [key for key in world.books.accepted() if key.user_id == user.id]
            assert [key.occasion_on for key in sent] == [date(2027, 3, _day_of(found))]
            return where

        died = await die_everywhere(kill)
    calls = {"begin", "get", "save", "of_users", "commit", "tell"}
    assert points(calls) <= set(died)


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
