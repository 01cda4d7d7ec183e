"""A Litestar route that answers the same bytes to everybody: what a route costs before it does anything."""

from http import HTTPStatus
from uuid import UUID

import msgspec
import uvicorn
from litestar import Litestar, MediaType, get
from litestar.params import FromPath

from benchmarks.peers.people import PORT

_BODY = msgspec.json.encode(
    {
        "id": str(UUID(int=0)),
        "firstName": "Person",
        "lastName": "Number 50000",
        "email": "p50000@example.com",
        "timezone": "Europe/Berlin",
        "birthdayDate": "1990-05-17",
        "anniversaryDate": "2015-09-01",
        "leapDayRule": None,
        "version": 1,
        "createdAt": "2026-01-01T00:00:00.000000Z",
        "updatedAt": "2026-01-01T00:00:00.000000Z",
    }
)


@get("/users/{person:uuid}", media_type=MediaType.JSON)
async def show(person: FromPath[UUID]) -> bytes:  # noqa: ARG001  # the path is read as everybody's is
    return _BODY


@get("/health/ready", status_code=HTTPStatus.OK)
async def ready() -> None:
    return None


app = Litestar([show, ready], openapi_config=None)

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", access_log=False)
