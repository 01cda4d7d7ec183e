"""An end to waiting for a database that has fallen silent without closing a connection, or the way to it."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

JOB_WITHIN_S = 600.0
"""No job takes so long; it is tried again then, over another connection."""
TRUST_WITHIN_S = 10.0
"""Whoever waits longer to renew the cache's trust has lost it long ago."""


async def in_time(work: Awaitable[T], within_s: float | None = None, *, more_s: float = 0.0) -> T:
    """Return what comes of *work*. Raises TimeoutError."""
    async with asyncio.timeout((JOB_WITHIN_S if within_s is None else within_s) + more_s):
        return await work
