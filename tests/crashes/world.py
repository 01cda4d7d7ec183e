"""The ledger and the provider in which a process dies, another one that goes on, and the oracle over both."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.message import Message, MessageKey, Status
from domain.user import User, UserId
from tests.contract.adapters import Adapters
from tests.contract.ledger_steps import forgotten
from tests.contract.process import Process
from tests.contract.test_postgres import postgres_adapters
from tests.crashes.dying import AFTER, BEFORE, DIED, DURING
from tests.crashes.provider import Books, Provider

PROJECT = Path(__file__).parents[2]
_ROUNDS_MAX = 20
LATER = (timedelta(0), timedelta(hours=1))
"""When the survivor looks: who has moved to London is due an hour later, and retries have waited by then."""


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
        for later in LATER:
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


class OpenWorld(Protocol):
    """Opens a world with a provider of one kind."""

    def __call__(
        self, *, deduplicates: bool = True, retries_unknown: bool = False
    ) -> AbstractAsyncContextManager[World]: ...


@asynccontextmanager
async def opened_world(
    engine: AsyncEngine, folder: Path, *, deduplicates: bool = True, retries_unknown: bool = False
) -> AsyncIterator[World]:
    """Lend a world on an empty database; *folder* is for the provider's books."""
    url = engine.url.render_as_string(hide_password=False)
    adapters = await postgres_adapters(engine)
    books = Books(folder / "books")
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


IN_THE_MIDDLE = frozenset({"commit", "send"})
TWICE = IN_THE_MIDDLE | {"accept", "tell"}
"""Calls after which the world is another one; after any other it is as it will be before the next."""


async def die_everywhere(kill: Callable[[int, str], Awaitable[str]]) -> list[str]:
    """Let somebody die before each call, and around those that count; return where they died."""
    died: list[str] = []
    number = 0
    while where := await kill(number, BEFORE):
        died.append(where)
        call = where.removeprefix(f"{BEFORE} ")
        if call in IN_THE_MIDDLE:
            died.append(await kill(number, DURING))
        if call in TWICE:
            died.append(await kill(number, AFTER))
        number += 1
    return died


def points(calls: Iterable[str]) -> set[str]:
    """Return where somebody dies on a way that has these calls."""
    return {
        f"{when} {call}"
        for call in calls
        for when, where in ((BEFORE, {call}), (DURING, IN_THE_MIDDLE), (AFTER, TWICE))
        if call in where
    }
