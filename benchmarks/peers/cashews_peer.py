"""FastAPI and cashews, as its documentation recommends: cached by decorator, invalidated after the write."""

from http import HTTPStatus
from uuid import UUID

import uvicorn
from cashews import cache
from fastapi import FastAPI, HTTPException

from benchmarks.peers.people import CACHE_TIMEOUT_S, PORT, REDIS_URL, AddressTaken, People, Person

people = People()
cache.setup(REDIS_URL or "mem://", socket_timeout=CACHE_TIMEOUT_S, socket_connect_timeout=CACHE_TIMEOUT_S)
app = FastAPI(lifespan=people.opened, openapi_url=None)


@cache(ttl="1h", key="user:{person}")
async def by_id(person: UUID) -> Person | None:
    return await people.get(person)


@cache(ttl="1h", key="email:{address}")
async def by_address(address: str) -> Person | None:
    return await people.find(address)


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
    await cache.delete_many(f"user:{person}", f"email:{before}", f"email:{after['email']}")
    return after


@app.get("/health/ready")
async def ready() -> None:
    return None


if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
