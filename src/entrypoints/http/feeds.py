"""The routes of feeds: for who administers them, and for the calendar programs that know the address of one."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Reference, RequestBody, Schema
from litestar.params import FromPath
from litestar.response import Stream

from application.limiting import RequestClass
from domain.access import Scope
from entrypoints.http.conditions import is_not_modified
from entrypoints.http.keys import EXPIRES_IN_DAYS, NAME, read_name_and_days
from entrypoints.http.operations import operation, shown_example
from entrypoints.http.problems import FieldProblem, RequestRefused, body_problem
from entrypoints.http.requests import JSON, AnyRequest, read_object
from entrypoints.http.resources import FeedResource, FeedsResource, NewFeedResource
from entrypoints.http.use_cases import UseCases

_ENDING = ".ics"
_EXAMPLE: Mapping[str, Any] = {"name": "team calendar", "tellsYears": False, "expiresInDays": 365}
_FEED: Mapping[str, Any] = {
    "id": "5f1d7e84a9c0",
    "name": "team calendar",
    "tellsYears": False,
    "createdAt": "2026-11-30T12:00:00Z",
    "expiresAt": "2027-11-30T12:00:00Z",
    "revokedAt": None,
    "lastUsedAt": None,
}
_FIELDS: dict[str, Reference | Schema] = {
    "name": NAME,
    "tellsYears": Schema(
        type=OpenAPIType.BOOLEAN, default=False, description="Tell the years of birth and of hiring."
    ),
    "expiresInDays": EXPIRES_IN_DAYS,
}
_BODY = RequestBody(
    required=True,
    content={
        JSON: OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT, properties=_FIELDS, required=["name"], additional_properties=False
            ),
            examples={"body": shown_example(_EXAMPLE)},
        )
    },
)


class FeedController(Controller):
    """Feeds: made, listed, revoked. Their addresses are told once; of the secret in them a digest is kept."""

    path = "/feeds"
    tags = ("feeds",)

    @get(
        operation_id="listFeeds",
        summary="List feeds",
        operation_class=operation(needs=Scope.ADMIN, answer={"feeds": {"items": [_FEED]}}),
    )
    async def list(self, use_cases: NamedDependency[UseCases]) -> FeedsResource:
        """List all feeds, the oldest first; when one was last asked for is written once a minute."""
        return FeedsResource([FeedResource.of(feed) for feed in await use_cases.feeds.list()])

    @post(
        operation_id="makeFeed",
        summary="Make a feed",
        operation_class=operation(
            needs=Scope.ADMIN,
            request=_BODY,
            answer={"feed": {"feed": _FEED, "path": "/calendar/bday_5f1d7e84a9c0_….ics"}},
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            ),
        ),
    )
    async def make(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[NewFeedResource]:
        """Make a feed. Whoever has its address can read the names and days of everybody, and nothing else.

        The answer alone holds the address; it takes no Idempotency-Key, since that would keep it.
        """
        name, tells_years, lasts = _read(await read_object(request, _FIELDS))
        made = await use_cases.feeds.make(name, tells_years=tells_years, lasts=lasts)
        return Response(NewFeedResource.of(made), status_code=HTTPStatus.CREATED)

    @delete(
        "/{id:str}",
        operation_id="revokeFeed",
        summary="Revoke a feed",
        operation_class=operation(needs=Scope.ADMIN, answer={}, refuses=(HTTPStatus.NOT_FOUND,)),
    )
    async def revoke(self, id: FromPath[str], use_cases: NamedDependency[UseCases]) -> None:  # noqa: A002  # the path's name for it
        """Revoke a feed: here at once, in other processes within three seconds."""
        await use_cases.feeds.revoke(id)


class CalendarController(Controller):
    """What calendar programs subscribe to."""

    path = "/calendar"
    tags = ("feeds",)

    @get(
        "/{token:str}",
        operation_id="showCalendar",
        summary="Everybody's birthdays and work anniversaries, for a calendar program",
        operation_class=operation(
            needs=None,
            answer={},
            streams={"text/calendar": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n..."},
            with_headers={"ETag": "The same as long as the calendar is."},
            may_be_not_modified=True,
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        ),
    )
    async def show(
        self, request: AnyRequest, token: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Write the calendar (RFC 5545) of the feed whose secret the address holds, with or without '.ics'.

        An event comes back every year, 29 February as each person's rule has it, and keeps its UID.
        """
        feed = await use_cases.feeds.at(token.removesuffix(_ENDING))
        if feed is None:
            raise NotFoundException
        permit = await use_cases.limiter.ask(feed.id, RequestClass.READ)
        if not permit.is_granted:
            raise RequestRefused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "This feed has had its requests of this minute.",
                headers={"Retry-After": str(permit.reset_s)},
            )
        tag = f'"{await use_cases.feeds.tag(feed)}"'
        # Weak: who is changed while it is written may be in it or not.
        headers = {"ETag": f"W/{tag}", "Cache-Control": "private, no-cache"}
        if is_not_modified(request, tag):
            return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        parts = use_cases.feeds.calendar(feed)
        # The first part is awaited, so that a database that is away is told by the status.
        first = await anext(parts)
        return Stream(_chained(first, parts), media_type="text/calendar", headers=headers)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


def _read(told: Mapping[str, Any]) -> tuple[str, bool, timedelta | None]:
    """Raises RequestRefused with every field that is not acceptable."""
    problems: list[FieldProblem] = []
    name, lasts = read_name_and_days(told, problems)
    tells_years = told.get("tellsYears", False)
    if not isinstance(tells_years, bool):
        problems.append(body_problem("tellsYears", "This is to be true or false."))
    if problems:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are not acceptable.", problems)
    return name, bool(tells_years), lasts
