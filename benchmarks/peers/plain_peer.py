"""Cache aside as it is usually written: get, or read and set; delete after the commit. Litestar and redis-py."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

import msgspec
import redis.asyncio
import uvicorn
from litestar import Litestar, Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from benchmarks.peers.people import (
    CACHE_TIMEOUT_S,
    LIFETIME_S,
    PORT,
    REDIS_URL,
    AddressTaken,
    People,
    Person,
)

people = People()
cache = redis.asyncio.Redis.from_url(
    REDIS_URL or "redis://", socket_timeout=CACHE_TIMEOUT_S, socket_connect_timeout=CACHE_TIMEOUT_S
)


async def read(key: str, load: Callable[[], Awaitable[Person | None]]) -> tuple[Person | None, str]:
    """Return what is cached, or what is stored, which is cached then; a cache that fails is done without."""
    with suppress(redis.RedisError, OSError, msgspec.DecodeError):
        cached = await cache.get(key)
        if cached is not None:
            return msgspec.json.decode(cached, type=Person), "HIT"
    found = await load()
    if found is None:
        return None, "MISS"
    with suppress(redis.RedisError, OSError):
        await cache.set(key, msgspec.json.encode(found), ex=LIFETIME_S)
    return found, "MISS"


def answer(found: Person | None, source: str) -> Response[Person | None]:
    status = HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK
    return Response(found, status_code=status, headers={"X-Cache": source})


@get("/users/{person:uuid}")
async def show(person: FromPath[UUID]) -> Response[Person | None]:
    return answer(*await read(f"user:{person}", lambda: people.get(person)))


@get("/users")
async def find(email: FromQuery[str]) -> Response[Person | None]:
    return answer(*await read(f"email:{email}", lambda: people.find(email)))


@post("/users")
async def add(data: JSONBody[dict[str, str]]) -> Person:
    return await people.add(data)


@put("/users/{person:uuid}")
async def change(person: FromPath[UUID], data: JSONBody[dict[str, str]]) -> Response[Person | None]:
    try:
        changed = await people.change(person, data)
    except AddressTaken:
        return Response(None, status_code=HTTPStatus.CONFLICT)
    if changed is None:
        return Response(None, status_code=HTTPStatus.NOT_FOUND)
    before, after = changed
    with suppress(redis.RedisError, OSError):
        await cache.delete(f"user:{person}", f"email:{before}", f"email:{after['email']}")
    return Response(after)


@get("/health/ready")
async def ready() -> None:
    return None


app = Litestar([show, find, add, change, ready], lifespan=[people.opened], openapi_config=None)

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
