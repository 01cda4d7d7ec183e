"""A process that plans, sends, keeps or changes, and ends itself at one of its calls; started by test_dying.

For each line on its standard input a fork of it does the work, with the service's own code on a real PostgreSQL;
the answer tells where that one died.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

import attrs

from adapters.postgres.database import open_engine
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.ports import EventHandler
from domain.user import UserId
from tests.cache.intercepting import Around, Intercepted
from tests.contract.process import Process
from tests.crashes.provider import Books, Provider

T = TypeVar("T")

DIED = 86
BEFORE, DURING, AFTER = "before", "during", "after"
_TURNS_DURING = 4
"""So many turns of the loop a call is given to be on its way: PostgreSQL has been told, and has not answered."""


@attrs.define(eq=False)
class Dying(Around):
    """Ends this process at the so many-th call: before it is made, while it is, or when it was answered.

    With *only*, calls of that name count alone.
    """

    number: int
    when: str
    tell: int
    only: str | None = None
    calls: int = -1

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if self.only in {None, name}:
            self.calls += 1
        if self.calls != self.number or self.only not in {None, name}:
            return await call()
        if self.when == BEFORE:
            self._die(name)
        if self.when == DURING:
            under_way = asyncio.ensure_future(call())
            for _ in range(_TURNS_DURING):
                await asyncio.sleep(0)
            self._die(name)
            return await under_way
        answer = await call()
        self._die(name)
        return answer

    def _die(self, name: str) -> None:
        """Leave as a killed process does: nothing is rolled back, closed, or said."""
        os.write(self.tell, f"{self.when} {name}".encode())
        os._exit(DIED)


class DyingUnitOfWork(PostgresUnitOfWork):
    """A transaction in which one may die at each call, around the commit, and while its events are told."""

    __slots__ = ("_around",)

    def __init__(self, engine: Any, handler: EventHandler, around: Around) -> None:
        super().__init__(engine, lambda events: around("tell", lambda: handler(events)))
        self._around = around

    async def __aenter__(self) -> Self:
        await self._around("begin", super().__aenter__)
        for name in ("users", "messages", "imports", "upkeep"):
            setattr(self, name, Intercepted(getattr(self, name), self._around))
        return self

    async def commit(self) -> None:
        await self._around("commit", super().commit)


async def _tell_nobody(_events: object) -> None:
    """Let events pass."""


async def work(database_url: str, books: Path, task: dict[str, Any], tell: int) -> None:
    """Do one task as the service does it, or die in it."""
    around = Dying(task["number"], task["when"], tell, task.get("only"))
    engine = open_engine(database_url, by_index=task["work"] in {"send", "keep"})
    process = Process(
        unit_of_work=lambda: DyingUnitOfWork(engine, _tell_nobody, around),
        channel=Provider(Books(books), deduplicates=task["deduplicates"], around=around),
        retries_unknown=task["retries_unknown"],
    )
    match task["work"]:
        case "send":
            await process.send()
        case "keep":
            await process.keep()
        case "plan":
            await process.plan()
        case "plan open anew":
            await process.plan_open_anew()
        case "change":
            await process.change(UserId(UUID(task["user"])), task["values"])
    await engine.dispose()


def main(database_url: str, books: str) -> None:
    for line in sys.stdin:
        reading, telling = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                asyncio.run(work(database_url, Path(books), json.loads(line), telling))
                status = 0
            finally:
                os._exit(status)
        os.close(telling)
        where = os.read(reading, 100).decode()
        os.close(reading)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"where": where, "status": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
