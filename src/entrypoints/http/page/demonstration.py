"""The page of a demonstration: its clock, which can be moved, and the messages that have left, to be read."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable

import attrs
from litestar import Controller, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.response import Redirect

from domain.errors import InvalidField
from entrypoints.http.page.forms import form_token, read_form
from entrypoints.http.page.rendering import page
from entrypoints.http.page.routes import answer_trouble
from entrypoints.http.requests import AnyRequest

PATH = "/demo"
_SHOWN_MAX = 50


class Control(StrEnum):
    """What can be done with the clock."""

    PAUSE = "pause"
    NEXT = "next"
    FASTER = "faster"
    SLOWER = "slower"
    LEAP = "leap"


@attrs.frozen(kw_only=True)
class Letter:
    """A message that has left, in words."""

    sent_at: datetime
    local: str
    who: str
    what: str
    why: str
    subject: str
    body: str


@attrs.frozen(kw_only=True)
class Stage:
    """How a demonstration is now."""

    now: datetime
    speed: str
    is_paused: bool
    jumps_to: datetime | None
    next_due_at: datetime | None
    sent: int


@runtime_checkable  # as Litestar asks of what it hands over
class Demonstration(Protocol):
    """A demonstration, as its page shows and moves it."""

    __slots__ = ()

    @abstractmethod
    def stage(self) -> Stage: ...

    @abstractmethod
    def letters(self, most: int) -> Sequence[Letter]:
        """Return the messages that have left, the newest first."""

    @abstractmethod
    def move(self, control: Control) -> None:
        """Let the clock do as it is told, from the next frame on."""


class DemoController(Controller):
    """For whoever looks at the demonstration in a browser."""

    include_in_schema = False
    exception_handlers = {Exception: answer_trouble}  # noqa: RUF012  # Litestar's way to say it

    @get("/")
    async def outbox(
        self, request: AnyRequest, demonstration: NamedDependency[Demonstration]
    ) -> Response[Any]:
        """Show the clock and what has left."""
        token, cookie = form_token(request)
        context = {
            "stage": demonstration.stage(),
            "letters": demonstration.letters(_SHOWN_MAX),
            "token": token,
        }
        return page("demo", context, cookie=cookie)

    @post("/clock", status_code=HTTPStatus.OK)
    async def move(self, request: AnyRequest, demonstration: NamedDependency[Demonstration]) -> Response[Any]:
        """Move the clock, and show what came of it."""
        try:
            control = Control((await read_form(request)).get("control", ""))
        except ValueError:
            raise InvalidField("control", "Choose what the clock is to do.") from None
        demonstration.move(control)
        return Redirect(PATH, status_code=303)


def demo_router(demonstration: Demonstration) -> Router:
    """Return the routes over *demonstration*."""

    def provide_demonstration() -> Demonstration:
        return demonstration

    return Router(
        PATH,
        route_handlers=[DemoController],
        dependencies={"demonstration": Provide(provide_demonstration, sync_to_thread=False)},
    )
