"""Litestar's response cache, as documented: responses are kept for a while, and deleted from the store by a write."""

import os
from http import HTTPStatus
from typing import Any
from uuid import UUID

import uvicorn
from litestar import Litestar, Request, Response, get, post, put
from litestar.config.response_cache import ResponseCacheConfig
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.stores.redis import RedisStore

from benchmarks.peers.people import PORT, REDIS_URL, AddressTaken, People, Person

KEPT_S = int(os.environ.get("PEER_KEPT_S", "60"))
people = People()
store = RedisStore.with_client(REDIS_URL or "redis://")


def key(request: Request[Any, Any, Any]) -> str:
    return f"{request.url.path}?{request.url.query}"


@get("/users/{person:uuid}", cache=KEPT_S)
async def show(person: FromPath[UUID]) -> Person:
    found = await people.get(person)
    if found is None:
        raise NotFoundException
    return found


@get("/users", cache=KEPT_S)
async def find(email: FromQuery[str]) -> Person:
    found = await people.find(email)
    if found is None:
        raise NotFoundException
    return found


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
    for gone in (f"/users/{person}?", f"/users?email={before}", f"/users?email={after['email']}"):
        await store.delete(gone)
    return Response(after)


@get("/health/ready")
async def ready() -> None:
    return None


app = Litestar(
    [show, find, add, change, ready],
    lifespan=[people.opened],
    openapi_config=None,
    stores={"response_cache": store},
    response_cache_config=ResponseCacheConfig(store="response_cache", key_builder=key),
)

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
