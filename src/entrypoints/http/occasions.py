"""The routes of today's lists."""

from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType

from application.cached_values import Read
from application.occasions import ID_BYTES, TodaysList
from domain.access import Scope
from domain.occasion import Kind
from entrypoints.http import documents
from entrypoints.http.conditions import is_not_modified
from entrypoints.http.operations import operation
from entrypoints.http.requests import AnyRequest
from entrypoints.http.resources import TodaysListResource
from entrypoints.http.use_cases import UseCases

_LISTED = operation(
    documents.IF_NONE_MATCH,
    needs=Scope.USERS_READ,
    answer={"list": documents.TODAYS_LIST},
    with_headers=documents.CACHED_LIST,
    may_be_not_modified=True,
    refuses=(HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE),
)


class OccasionController(Controller):
    """Whose day it is."""

    tags = ("occasions",)

    @get(
        "/birthdays/today",
        operation_id="birthdaysToday",
        summary="Who has a birthday message due today",
        operation_class=_LISTED,
    )
    async def birthdays(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[TodaysListResource]:
        """List the ids of the people whose birthday message is due on this day, in UTC, sent already or not.

        Who lives far in the east may be listed the day before the birthday, by the calendar there.
        """
        return _listed(request, await use_cases.todays_list(Kind.BIRTHDAY))

    @get(
        "/anniversaries/today",
        operation_id="anniversariesToday",
        summary="Who has an anniversary message due today",
        operation_class=_LISTED,
    )
    async def anniversaries(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[TodaysListResource]:
        """List the ids of the people whose anniversary message is due on this day, in UTC, sent already or not.

        Who lives far in the east may be listed the day before the anniversary, by the calendar there.
        """
        return _listed(request, await use_cases.todays_list(Kind.ANNIVERSARY))


def _listed(request: AnyRequest, read: Read[TodaysList]) -> Response[Any]:
    todays = read.value
    digest = blake2b(todays.packed, digest_size=12).hexdigest()
    headers = {
        "X-Cache": read.source.value,
        "ETag": f'"{todays.day}.{digest}"',
        "Cache-Control": "private, no-cache",
    }
    if is_not_modified(request, headers["ETag"]):
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(written(todays), media_type=MediaType.JSON, headers=headers)


_DASHES = (8, 12, 16, 20)
"""Before which hexadecimal digits of an id there is one."""
_ID = b'"%s",' % "-".join("0" * digits for digits in (8, 4, 4, 4, 12)).encode()


def written(todays: TodaysList) -> bytes:
    """Return a TodaysListResource in JSON.

    Digit by digit for all ids at once: a hundred thousand take 13 ms of the event loop, where an object for
    each of them took 160 ms.
    """
    digits = todays.packed.hex().encode()
    ids = bytearray(_ID * todays.count)
    place = 0
    for number in range(2 * ID_BYTES):
        place += 2 if number in _DASHES else 1
        ids[place :: len(_ID)] = digits[number :: 2 * ID_BYTES]
    return b'{"date":"%b","count":%d,"userIds":[%b]}' % (
        todays.day.isoformat().encode(),
        todays.count,
        bytes(ids[:-1]),
    )
