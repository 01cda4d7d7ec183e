"""FastAPI and fastapi-cache2, its decorator on the routes as its documentation has it; deleted after the write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

import redis.asyncio
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi_cache import FastAPICache
from fastapi_cache.backends.redis import RedisBackend
from fastapi_cache.decorator import cache
from starlette.requests import Request

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
client = redis.asyncio.Redis.from_url(
    REDIS_URL or "redis://", socket_timeout=CACHE_TIMEOUT_S, socket_connect_timeout=CACHE_TIMEOUT_S
)


def _key(_route: object, _namespace: str = "", *, request: Request, **_rest: Any) -> str:
    return f"{request.url.path}?{request.url.query}"


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[None]:
    FastAPICache.init(RedisBackend(client), key_builder=cast(Any, _key), expire=LIFETIME_S)
    async with people.opened(app):
        yield


app = FastAPI(lifespan=opened, openapi_url=None)


@app.get("/users/{person}")
@cache()
async def show(person: UUID) -> Person:
    return _found(await people.get(person))


@app.get("/users")
@cache()
async def find(email: str) -> Person:
    return _found(await people.find(email))


@app.post("/users")
async def add(data: dict[str, str]) -> Person:
    return await people.add(data)


@app.put("/users/{person}")
async def change(person: UUID, data: dict[str, str]) -> Person:
    try:
        changed = await people.change(person, data)
    except AddressTaken:
        raise HTTPException(HTTPStatus.CONFLICT) from None
    if changed is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    before, after = changed
    for gone in (f"/users/{person}?", f"/users?email={before}", f"/users?email={after['email']}"):
        await FastAPICache.clear(key=gone)
    return after


@app.get("/health/ready")
async def ready() -> None:
    return None


def _found(person: Person | None) -> Person:
    if person is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return person


if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
