"""Several things at once."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from application.errors import StoreUnavailable

T = TypeVar("T")


async def together(*parts: Awaitable[T]) -> list[T]:
    """Return what the parts return. What fails in one leaves the others their time, and is raised at their end.

    Of several errors a defect goes before a store that is away: it would be told of by nobody.
    """
    ended = await asyncio.gather(*parts, return_exceptions=True)
    failed = [one for one in ended if isinstance(one, BaseException)]
    if failed:
        raise min(failed, key=lambda error: isinstance(error, StoreUnavailable | TimeoutError))
    return [one for one in ended if not isinstance(one, BaseException)]
