"""The demonstration in a browser: the operator's page over its memory, and a page that moves its clock."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import attrs

from entrypoints.cli.demo_pace import Pace
from entrypoints.cli.demo_view import local_of, speed_of, what_of, who_of, why_of
from entrypoints.cli.demo_world import SentMessage, World
from entrypoints.cli.listening import web_server
from entrypoints.http.app import create_app
from entrypoints.http.page.demonstration import PATH, Control, Demonstration, Letter, Stage

_STOP_WITHIN_S = 1.0
_KEYS = {Control.PAUSE: " ", Control.NEXT: "n", Control.FASTER: "+", Control.SLOWER: "-"}


@attrs.frozen
class ShownWorld(Demonstration):
    """A world and its pace, which keys of a terminal may move as well."""

    world: World
    pace: Pace

    def stage(self) -> Stage:
        coming = self.world.coming
        return Stage(
            now=self.world.now,
            speed=speed_of(self.pace.speed),
            is_paused=self.pace.is_paused,
            jumps_to=self.pace.jumps_to,
            next_due_at=coming[0].message.due_at if coming else None,
            sent=len(self.world.sent),
        )

    def letters(self, most: int) -> Sequence[Letter]:
        return [self._letter(sent) for sent in reversed(self.world.sent[-most:])]

    def move(self, control: Control) -> None:
        if control is Control.LEAP:
            self.pace.jump_to(_next_leap_day(self.world.now))
        else:
            self.pace.press(_KEYS[control])

    def _letter(self, sent: SentMessage) -> Letter:
        one = sent.owed
        return Letter(
            sent_at=sent.sent_at,
            local=f"{local_of(one, sent.sent_at)} in {one.user.timezone}",
            who=who_of(one),
            what=what_of(one),
            why=why_of(one, self.world.policy),
            subject=sent.text.subject,
            body=sent.text.body,
        )


def _next_leap_day(now: datetime) -> datetime:
    """Return the next 28 February, on which those born a day later are greeted in three years of four."""
    this_year = datetime(now.year, 2, 28, tzinfo=UTC)
    return this_year if now < this_year else this_year.replace(year=now.year + 1)


@asynccontextmanager
async def served(world: World, pace: Pace, listener: socket.socket) -> AsyncIterator[str]:
    """Serve the pages until the end of the block; lend the address of the first one."""
    use_cases = world.service.http()
    application = create_app(use_cases, demonstration=ShownWorld(world, pace))
    server = web_server(use_cases, application, stop_within_s=_STOP_WITHIN_S)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{port}{PATH}"
    finally:
        server.should_exit = True
        await asyncio.wait([serving], timeout=_STOP_WITHIN_S)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
