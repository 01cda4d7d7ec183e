"""The server itself, beside the cache."""

from typing import Any

from redis.asyncio import Redis


async def command(server: Redis, *words: str | int | bytes) -> Any:
    """Send any command."""
    return await server.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py says no types here
