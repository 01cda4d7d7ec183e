"""Litestar over asyncpg, and no cache: what a cache has to be better than."""

from uuid import UUID

import uvicorn
from litestar import Litestar, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from benchmarks.peers.people import PORT, People, Person

people = People()


@get("/users/{person:uuid}")
async def show(person: FromPath[UUID]) -> Person:
    found = await people.get(person)
    if found is None:
        raise NotFoundException
    return found


@get("/health/ready")
async def ready() -> None:
    return None


app = Litestar([show, ready], lifespan=[people.opened], openapi_config=None)

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
