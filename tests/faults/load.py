"""Workers: they read and write at a steady pace, some through each process."""

import asyncio
import time
from collections.abc import Sequence
from random import Random

import asyncpg
import attrs

from tests.faults.checker import TIMEOUT_S, Checker
from tests.faults.client import Client
from tests.faults.history import Fate, Write
from tests.faults.truth import LOST, Hand

READERS = 8
"""Per process: a process that hangs keeps its own readers waiting and nobody else's."""
WRITERS = 2
FOLLOWED = 0.5
"""How often a write is looked for at once, on every process."""


@attrs.frozen(kw_only=True)
class Pace:
    """How much load: per second, over all processes."""

    reads: float = 480.0
    writes: float = 24.0
    by_hand: float = 3.0


@attrs.define(eq=False)
class Load:
    """The workers of a run. They stop writing, and then reading, when told to."""

    checker: Checker
    pace: Pace
    random: Random
    stopped: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Load the processes until ``stopped``."""
        urls = self.checker.urls
        async with asyncio.TaskGroup() as group:
            for process in range(len(urls)):
                for _ in range(READERS):
                    group.create_task(self._reader(process, READERS * len(urls) / self.pace.reads))
                for _ in range(WRITERS):
                    group.create_task(self._writer(process, WRITERS * len(urls) / self.pace.writes))
            if self.pace.by_hand:
                group.create_task(self._by_hand(1 / self.pace.by_hand))

    async def _reader(self, process: int, every_s: float) -> None:
        random, crowd = Random(self.random.random()), self.checker.crowd
        client = Client(self.checker.urls[process], TIMEOUT_S)
        metronome = _Metronome(every_s * random.random(), every_s)
        try:
            while not self.stopped.is_set():
                await metronome.tick()
                person = crowd.person(random)
                if random.random() < 0.7:
                    await self.checker.read_person(client, process, person)
                else:
                    await self.checker.read_address(client, process, self._address_of(person, random))
        finally:
            client.close()

    def _address_of(self, person: int, random: Random) -> str:
        """Return the address that a person has, as far as is known, and now and then any."""
        state = self.checker.history.current(person)
        if state is None or random.random() < 0.05:
            return self.checker.crowd.any_address(random)
        return state.address

    async def _writer(self, process: int, every_s: float) -> None:
        random, checker = Random(self.random.random()), self.checker
        clients = [Client(url, TIMEOUT_S) for url in checker.urls]
        metronome = _Metronome(every_s * random.random(), every_s)
        try:
            while not self.stopped.is_set():
                await metronome.tick()
                person = checker.crowd.person(random)
                kind = random.random()
                if kind < 0.75:
                    write = await checker.change(clients[process], process, person)
                elif kind < 0.95:
                    address = checker.crowd.any_address(random)
                    write = await checker.change(clients[process], process, person, address)
                else:
                    write = await self._swap(clients[process], process, person, checker.crowd.person(random))
                if write.fate is Fate.DONE and random.random() < FOLLOWED:
                    await self._look_for(clients, process, person, random)
        finally:
            for client in clients:
                client.close()

    async def _look_for(self, clients: Sequence[Client], process: int, person: int, random: Random) -> None:
        """Read at once what was just written, on every process that is not known to be broken."""
        now = time.monotonic()
        for other, client in enumerate(clients):
            if other == process or not self.checker.weather.excuses(other, now, now, is_write=False):
                await self.checker.read_person(client, other, person)
                if random.random() < 0.3:
                    await self.checker.read_address(client, other, self._address_of(person, random))

    async def _swap(self, client: Client, process: int, one: int, other: int) -> Write:
        """Exchange two people's addresses over HTTP, in three writes; what fails is left as it is."""
        checker = self.checker
        states = checker.history.current(one), checker.history.current(other)
        if one == other or states[0] is None or states[1] is None:
            return await checker.change(client, process, one)
        spare = f"aside-{one}-{checker.crowd.seed}@example.com"
        write = await checker.change(client, process, one, spare)
        if write.fate is Fate.DONE:
            write = await checker.change(client, process, other, states[0].address)
        if write.fate is Fate.DONE:
            write = await checker.change(client, process, one, states[1].address)
        return write

    async def _by_hand(self, every_s: float) -> None:
        random, checker = Random(self.random.random()), self.checker
        hand = Hand(checker.database_url)
        metronome = _Metronome(every_s * random.random(), every_s)
        try:
            while not self.stopped.is_set():
                await metronome.tick()
                kind = random.random()
                if kind < 0.1:
                    await change_by_hand(
                        checker, hand, [checker.crowd.person(random) for _ in range(50)], random
                    )
                elif kind < 0.25:
                    await _swap_by_hand(
                        checker, hand, checker.crowd.person(random), checker.crowd.person(random)
                    )
                else:
                    await change_by_hand(checker, hand, [checker.crowd.person(random)], random)
        finally:
            hand.close()


@attrs.define
class _Metronome:
    """Keeps a pace; what was missed for more than a second is not made up for."""

    _first_s: float
    _every_s: float
    _next_at: float = attrs.field(default=0.0, init=False)

    async def tick(self) -> None:
        now = time.monotonic()
        if not self._next_at:
            self._next_at = now + self._first_s
        self._next_at = max(self._next_at + self._every_s, now - 1)
        await asyncio.sleep(max(self._next_at - now, 0))


async def change_by_hand(checker: Checker, hand: Hand, people: Sequence[int], random: Random) -> None:
    """Mark people by one SQL statement."""
    write = checker.history.begin(checker.marker(), None, time.monotonic())

    def sent() -> None:
        write.begun_at = time.monotonic()

    try:
        await hand.change(
            write.marker,
            [checker.crowd.ids[person] for person in set(people)],
            with_version=random.random() < 0.5,
            sent=sent,
        )
    except LOST:
        hand.close()
        write.fate = Fate.AMBIGUOUS
    else:
        checker.history.done(write, time.monotonic())
    checker.count_write(write)


async def _swap_by_hand(checker: Checker, hand: Hand, one: int, other: int) -> None:
    if one == other:
        return
    writes = [checker.history.begin(checker.marker(), None, time.monotonic()) for _ in range(3)]
    markers = (writes[0].marker, writes[1].marker, writes[2].marker)
    try:
        await hand.swap(markers, checker.crowd.ids[one], checker.crowd.ids[other], lambda: None)
    except asyncpg.IntegrityConstraintViolationError:
        fate = Fate.REFUSED
    except LOST:
        hand.close()
        fate = Fate.AMBIGUOUS
    else:
        fate = Fate.DONE
    for write in writes:
        write.fate = fate
        if fate is Fate.DONE:
            checker.history.done(write, time.monotonic())
        checker.count_write(write)
