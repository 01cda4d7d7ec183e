"""How commands work on the database itself, beside a running service and without one, and as whom."""

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable
from typing import TypeVar

from application.trail import acting_as
from domain.audit import Actor, ActorKind
from entrypoints.cli.options import settings
from entrypoints.container.opening import OpenService, opened_service

T = TypeVar("T")


def on_service(do: Callable[[OpenService], Awaitable[T]]) -> T:
    """Return what *do* makes of the service; what it changes was done by the account that runs the command."""

    async def run() -> T:
        with acting_as(Actor(ActorKind.COMMAND, name=_account())):
            async with opened_service(settings()) as opened:
                return await do(opened)

    return asyncio.run(run())


def _account() -> str:
    """Return the name of the account of the operating system, whatever the environment says of it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that nobody has named
        return str(os.getuid())
