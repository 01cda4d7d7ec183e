"""The server itself, beside the cache."""

from redis.asyncio import Redis


async def command(server: Redis, *words: str | int) -> object:
    """Send any command."""
    return await server.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py says no types here
