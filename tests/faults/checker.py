"""Load on running processes, and what is found wrong with their answers."""

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import asyncpg
import attrs

from tests.faults.client import Answer, Client, Unanswered
from tests.faults.crowd import Crowd
from tests.faults.history import Fate, Guarantee, History, Read, Violation, Write
from tests.faults.truth import Truth, follow, marker_of, marker_text
from tests.faults.weather import Weather

SLOW_S = 2.0
"""An answer that takes longer has failed its caller."""
TIMEOUT_S = 12.0
SWEEPERS = 4
TOLD_MAX = 5
"""Of each kind."""
UNJUDGED_MAX = 200_000
"""Reads wait for PostgreSQL to tell what was committed; while it is away they may pile up to here."""
HTTP_OK = 200
HTTP_NOT_FOUND = 404
HTTP_CLIENT_ERRORS = range(400, 500)
HTTP_TRY_LATER = (408, 425, 429)


@attrs.define(eq=False)
class Checker:
    """Knows the processes, sends requests to them, and judges the answers."""

    urls: Sequence[str]
    database_url: str
    crowd: Crowd
    weather: Weather
    history: History
    violations: list[Violation] = attrs.field(factory=list, init=False)
    found: Counter[Guarantee] = attrs.field(factory=Counter, init=False)
    sources: Counter[str] = attrs.field(factory=Counter, init=False)
    fates: Counter[str] = attrs.field(factory=Counter, init=False)
    failures: Counter[str] = attrs.field(factory=Counter, init=False)
    reads: int = attrs.field(default=0, init=False)
    writes: int = attrs.field(default=0, init=False)
    lag_s: float = attrs.field(default=0.0, init=False)
    """The longest time for which this program itself was busy: what it measures is not finer."""
    in_flight: dict[int, set[Write]] = attrs.field(factory=dict, init=False)
    _unjudged: deque[Read] = attrs.field(factory=deque, init=False)
    _judged: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _markers: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1), init=False)

    def marker(self) -> int:
        return next(self._markers)

    async def register(self, clients: Sequence[Client]) -> None:
        """Register everybody, spread over the processes."""
        numbers = iter(range(self.crowd.size))

        async def some(client: Client) -> None:
            for number in numbers:
                process = self.urls.index(client.url)
                write = self.history.begin(self.marker(), process, time.monotonic())
                answer = await client.request(
                    "POST",
                    "/users",
                    {
                        "firstName": "Somebody",
                        "lastName": marker_text(write.marker),
                        "email": self.crowd.address(number),
                        "timezone": "Europe/Berlin",
                    },
                )
                assert answer.document is not None, answer.status
                self.history.done(write, time.monotonic())
                self.crowd.add(UUID(answer.document["id"]))

        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(some(client))

    async def read_person(self, client: Client, process: int, person: int) -> None:
        await self._read(client, process, f"/users/{self.crowd.ids[person]}", person)

    async def read_address(self, client: Client, process: int, address: str) -> None:
        await self._read(client, process, f"/users?email={address}", address)

    async def _read(self, client: Client, process: int, path: str, asked: int | str) -> None:
        while len(self._unjudged) >= UNJUDGED_MAX:
            self._judged.clear()
            await self._judged.wait()
        begun_at = time.monotonic()
        answer = await self._ask(client, process, "GET", path, None)
        if isinstance(answer, Unanswered):
            return
        ended_at = time.monotonic()
        if answer.status == HTTP_OK:
            found = answer.document
            shown = (
                self.crowd.numbers.get(UUID(found["id"]), -1),
                marker_of(found["lastName"]),
                found["email"],
            )
            self._unjudged.append(Read(process, begun_at, ended_at, answer.cache, shown, asked))
        elif answer.status == HTTP_NOT_FOUND:
            self._unjudged.append(Read(process, begun_at, ended_at, answer.cache, None, asked))
        else:
            self._failed(process, begun_at, ended_at, "GET", f"status {answer.status}")
            return
        self.reads += 1
        self.sources[answer.cache] += 1

    async def change(
        self, client: Client, process: int, person: int, address: str | None = None, method: str = "PUT"
    ) -> Write:
        """Put the next marker into a person's record, and an address, over HTTP."""
        write = self.history.begin(self.marker(), process, time.monotonic())
        body = {"lastName": marker_text(write.marker)} | ({} if address is None else {"email": address})
        self.in_flight.setdefault(process, set()).add(write)
        try:
            answer = await self._ask(client, process, method, f"/users/{self.crowd.ids[person]}", body)
        finally:
            self.in_flight[process].discard(write)
        ended_at = time.monotonic()
        if isinstance(answer, Unanswered):
            write.fate = Fate.AMBIGUOUS if answer.was_sent else Fate.REFUSED
        elif answer.status == HTTP_OK:
            self.history.done(write, ended_at)
        elif answer.status in HTTP_CLIENT_ERRORS and answer.status not in HTTP_TRY_LATER:
            write.fate = Fate.REFUSED
        else:
            write.fate = Fate.AMBIGUOUS
            self._failed(process, write.begun_at, ended_at, method, f"status {answer.status}", is_write=True)
        if not isinstance(answer, Unanswered) or answer.was_sent:
            self.count_write(write)
        return write

    def count_write(self, write: Write) -> None:
        self.writes += 1
        self.fates[write.fate.value] += 1

    def killed(self, process: int) -> None:
        """Note that a process is being killed, and which writes that hits."""
        for write in self.in_flight.get(process, ()):
            write.was_killed = True

    async def _ask(
        self, client: Client, process: int, method: str, path: str, body: dict[str, str] | None
    ) -> Answer | Unanswered:
        begun_at = time.monotonic()
        is_write = method != "GET"
        try:
            answer = await client.request(method, path, body)
        except Unanswered as trouble:
            what = "no answer" if trouble.was_sent else "no connection"
            self._failed(process, begun_at, time.monotonic(), method, what, is_write=is_write)
            await asyncio.sleep(0.05)  # a process that is away refuses thousands of connections in a second
            return trouble
        ended_at = time.monotonic()
        if ended_at - begun_at > SLOW_S:
            self._failed(process, begun_at, ended_at, method, f"over {SLOW_S:.0f} s", is_write=is_write)
        return answer

    def _failed(
        self,
        process: int,
        begun_at: float,
        ended_at: float,
        method: str,
        what: str,
        *,
        is_write: bool = False,
    ) -> None:
        if self.weather.excuses(process, begun_at, ended_at, is_write=is_write):
            self.failures["while PostgreSQL or the process was broken"] += 1
        else:
            self.failures["while PostgreSQL and the process were well"] += 1
            took_s = ended_at - begun_at
            self.report(
                Violation(Guarantee.G6, f"{method} on process {process}: {what} after {took_s:.3f} s")
            )

    def report(self, violation: Violation) -> None:
        self.found[violation.guarantee] += 1
        if self.found[violation.guarantee] <= TOLD_MAX:
            self.violations.append(violation)

    async def follow(self, truth: Truth, ending: asyncio.Event) -> None:
        """Judge reads as PostgreSQL tells what was committed, until *ending* and all are judged."""
        await follow(truth, self._told, ending)

    def _told(self, news: Sequence[asyncpg.Record], asked_at: float, at: float) -> None:
        for row in news:
            person = self.crowd.numbers.get(row["person"])
            if person is not None:
                self.history.committed(person, marker_of(row["marker"]), row["address"], at)
        while self._unjudged and self._unjudged[0].ended_at < asked_at:
            violation = self.history.judge(self._unjudged.popleft())
            if violation is not None:
                self.report(violation)
        self._judged.set()

    async def watch_itself(self, ending: asyncio.Event) -> None:
        while not ending.is_set():
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.lag_s = max(self.lag_s, time.monotonic() - before - 0.05)

    async def sweep(self, truth: Truth, rounds: int = 3) -> None:
        """With nothing broken and nobody writing: read everything everywhere and compare it with PostgreSQL."""
        people = await truth.people()
        for _ in range(rounds):
            async with asyncio.TaskGroup() as group:
                for process in range(len(self.urls)):
                    everybody = iter(self.crowd.ids)
                    for _ in range(SWEEPERS):
                        group.create_task(self._sweep(process, everybody, people))

    async def _sweep(
        self, process: int, everybody: Iterator[UUID], people: Mapping[UUID, tuple[str, str]]
    ) -> None:
        client = Client(self.urls[process], TIMEOUT_S)
        try:
            for person in everybody:
                if person in people:
                    await self._sweep_one(client, process, person, people[person])
        finally:
            client.close()

    async def _sweep_one(self, client: Client, process: int, person: UUID, expected: tuple[str, str]) -> None:
        for path in (f"/users/{person}", f"/users?email={expected[1]}"):
            answer = await self._ask(client, process, "GET", path, None)
            if isinstance(answer, Unanswered):
                continue
            self.reads += 1
            self.sources[answer.cache] += 1
            found = answer.document or {}
            if (found.get("id"), found.get("lastName"), found.get("email")) != (str(person), *expected):
                what = "by address" if "email=" in path else "by id"
                where = f"{what} on process {process} ({answer.cache}, status {answer.status})"
                self.report(Violation(Guarantee.G3, f"at the end a read {where} differs from PostgreSQL"))
