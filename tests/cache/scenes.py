"""Readers, writers and sweepers of one person's record, each stopped at every call, and what is held of them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from application import cached_values, sweeping
from application.cache_ports import Entry, Place
from application.invalidation import user_key
from application.observing import Source
from application.trust import OVERDUE_S, TRUSTED_FOR_S
from application.views import UserView
from domain.events import Event, UserChanged, UserDeleted
from domain.user import UserId
from tests.cache.intercepting import InterceptedCache, InterceptedLog, InterceptedReader
from tests.cache.stepping import Choose, Stepper, run
from tests.cache.world import ADA, Process, Restore, World

GONE = 1_000_000
"""The version of who is not there any more."""


class Violation(AssertionError):
    """A guarantee was broken."""


@attrs.define(eq=False)
class Commit:
    """A change: when it was committed, and when its writer returned, if it could tell the cache of it."""

    version: int
    step: int
    at_s: float
    returned: int | None = None
    places: Sequence[Place] = ()
    """Where the cache was told."""


@attrs.frozen
class Observed:
    """What a read was answered."""

    process: Process
    version: int
    source: Source
    place: Place | None
    began: int
    ended_at_s: float


@attrs.define(eq=False)
class Scene:
    """A world whose actors are stopped at every call, somebody's record, and what was seen of it."""

    world: World
    stepper: Stepper
    ada: UserView
    cache_class: type[InterceptedCache] = InterceptedCache
    process_kinds: dict[str, Any] = attrs.field(factory=dict)
    commits: list[Commit] = attrs.field(factory=list)
    reads: list[Observed] = attrs.field(factory=list)
    failovers: int = 0

    @classmethod
    async def opened(
        cls,
        world: World,
        stepper: Stepper | None = None,
        *,
        cache_class: type[InterceptedCache] = InterceptedCache,
        **process_kinds: Any,
    ) -> "Scene":
        """Let Ada be known, her record not cached, and nothing pending."""
        await world.sweep_all()
        ada = await world.process().register({**ADA, "birthday": None})
        await world.sweep_all()
        stepper = stepper or Stepper()
        stepper.passing = frozenset({"acknowledge"})  # which tells nobody anything before the batch is kept
        return cls(world, stepper, ada, cache_class, process_kinds)

    async def process(self, **ports: Any) -> Process:
        """Start a process whose every call is stopped."""
        stepped = {
            "cache": self.cache_class(self.world.cache, self.stepper),
            "log": InterceptedLog(self.world.log, self.stepper),
            "user_reader": InterceptedReader(self.world.user_reader, self.stepper),
        }
        process = await self.world.started(**{**stepped, **self.process_kinds, **ports})
        process.announcer._subscribers.insert(0, self._note)
        return process

    async def _note(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, UserChanged):
                version = event.after.version
            elif isinstance(event, UserDeleted):
                version = GONE
            else:
                continue
            self.commits.append(Commit(version, self.stepper.step, self.world.monotonic()))

    # Actors

    async def read(self, process: Process) -> None:
        began, place = self.stepper.step, process.trust.place_of("")
        read = await process.get(self.ada)
        version = GONE if read.value is None else read.value.version
        seen = Observed(process, version, read.source, place, began, self.world.monotonic())
        self.reads.append(seen)
        self.check_read(seen)

    async def peek(self, process: Process) -> None:
        """Hold a process to what it would serve from the cache now, and let it be."""
        key, trust = user_key(self.ada.id), process.trust
        place = trust.place_of(key)
        if trust.objection(key) is not None or place is None:
            return
        look = await self.world.cache.look(place, key)
        if isinstance(look.held, Entry) and trust.objection_to(key, place, look) is None:
            now_s, step = self.world.monotonic(), self.stepper.step
            self.check_read(Observed(process, look.held.version, Source.HIT, place, step, now_s))

    async def write(self, process: Process) -> None:
        async with process.unit_of_work() as uow:
            user = await uow.users.get(UserId(self.ada.id))
            assert user is not None
            changed = attrs.evolve(user, first_name=user.first_name + "a", version=user.version + 1)
            await uow.users.save([(user, changed)])
            failovers, process.at_once.overdue = self.failovers, asyncio.Event()
            await self.stepper("commit", uow.commit)
        commit = next(commit for commit in self.commits if commit.version == changed.version)
        commit.places = process.trust.places_in_use("")
        if failovers == self.failovers and not process.at_once.overdue.is_set():
            commit.returned = self.stepper.step

    async def write_by_hand(self) -> None:
        async def write() -> None:
            await self.world.rename_by_hand(self.ada, "By hand")
            stored = await self.world.user_reader.get(UserId(self.ada.id))
            assert stored is not None
            self.commits.append(Commit(stored.version, self.stepper.step, self.world.monotonic()))

        await self.stepper("commit by hand", write)

    async def sweep(self, process: Process) -> None:
        await process.sweep(0)

    async def poll(self, process: Process) -> None:
        await process.trust.renew()

    async def pass_time(self, seconds: float) -> None:
        await self.stepper("time", lambda: self.world.pass_time(seconds))

    async def restore(self, restore: Restore) -> None:
        """Let the cache fail over to a replica that has not heard of anything since."""
        await self.stepper("failover", restore)
        self.forget_what_was_told()

    def forget_what_was_told(self) -> None:
        """Leave G2 aside for all that was written until now: the cache has forgotten it, and that is a fault."""
        self.failovers += 1
        for commit in self.commits:
            commit.returned = None

    # What must hold

    def check_read(self, read: Observed) -> None:
        """G2, G5, and that what was loaded is no older than the read. Raises Violation."""
        for commit in self.commits:
            if read.version >= commit.version:
                continue
            is_told = read.place in commit.places or read.source is not Source.HIT
            if is_told and commit.returned is not None and read.began >= commit.returned:
                raise Violation("G2: a write was not read back")
            if read.source is not Source.HIT and read.began >= commit.step:
                raise Violation("a value was loaded before it was asked for")
            if read.source is Source.HIT and read.ended_at_s - commit.at_s > OVERDUE_S + TRUSTED_FOR_S:
                raise Violation("G5: a hit misses a commit that is older than the bound")

    async def check_end(self) -> None:
        """G3, G4: once everything is delivered nothing cached is stale. Raises Violation."""
        await self.world.sweep_all()
        await self.world.find_gap()
        await self.world.sweep_all()
        try:
            await self.world.check(self.ada)
        except AssertionError as stale:
            raise Violation("G3: a stale value has settled") from stale

    async def play(self, choose: Choose) -> None:
        """Let all actors take their steps as *choose* says, and hold them to what must hold."""
        try:
            await run(self.stepper, choose)
            await self.check_end()
        finally:
            await self.end()

    async def end(self) -> None:
        """Let whoever still stands die."""
        for task in self.stepper.tasks.values():
            task.cancel()
        await asyncio.gather(*self.stepper.tasks.values(), return_exceptions=True)


def without_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody act because real time passes: it passes for who is stopped as well."""
    monkeypatch.setattr(sweeping, "AT_ONCE_WITHIN_S", 3600.0)
    monkeypatch.setattr(cached_values, "_LOOK_AGAIN_AFTER_S", (0.0,))
