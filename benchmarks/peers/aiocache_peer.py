"""FastAPI and aiocache: cached by decorator, deleted after the write."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import uvicorn
from aiocache import Cache, cached
from aiocache.serializers import JsonSerializer
from fastapi import FastAPI, HTTPException

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
address = urlsplit(REDIS_URL or "redis://127.0.0.1:6379")
SETTINGS: dict[str, Any] = {
    "endpoint": address.hostname,
    "port": address.port,
    "serializer": JsonSerializer(),
    "timeout": CACHE_TIMEOUT_S,
}
cache = Cache(Cache.REDIS, **SETTINGS)
app = FastAPI(lifespan=people.opened, openapi_url=None)


@cached(ttl=LIFETIME_S, cache=Cache.REDIS, key_builder=lambda _read, person: f"user:{person}", **SETTINGS)
async def by_id(person: UUID) -> Person | None:
    return await people.get(person)


@cached(ttl=LIFETIME_S, cache=Cache.REDIS, key_builder=lambda _read, email: f"email:{email}", **SETTINGS)
async def by_address(email: str) -> Person | None:
    return await people.find(email)


def found(person: Person | None) -> Person:
    if person is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return person


@app.get("/users/{person}")
async def show(person: UUID) -> Person:
    return found(await by_id(person))


@app.get("/users")
async def find(email: str) -> Person:
    return found(await by_address(email))


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
    for key in (f"user:{person}", f"email:{before}", f"email:{after['email']}"):
        await cache.delete(key)
    return after


@app.get("/health/ready")
async def ready() -> None:
    return None


if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
