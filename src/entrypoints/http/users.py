"""The routes of people."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from application.errors import UserNotFound
from application.imports import ImportReport
from application.people_file import PeopleFile, read_people
from application.views import UserView
from domain.due import zone
from domain.errors import InvalidField
from domain.user import UserId
from entrypoints.http import documents
from entrypoints.http.documents import operation
from entrypoints.http.pages import bad_cursor, linked_page, read_cursor
from entrypoints.http.parameters import user_id_of
from entrypoints.http.problems import problem_of
from entrypoints.http.requests import (
    AnyRequest,
    bad_parameter,
    etag_of,
    if_match,
    is_not_modified,
    one_parameter,
    read_body,
    read_particulars,
    refuse_unknown_parameters,
    require_type,
    whole_number,
    yes_or_no,
)
from entrypoints.http.resources import (
    ImportProgress,
    ImportResource,
    PageResource,
    UpcomingOfUserResource,
    UserResource,
)
from entrypoints.http.use_cases import UseCases

log = structlog.get_logger()

FILE_BYTES_MAX = 20 * 1024 * 1024
NDJSON = "application/x-ndjson"

_INVALID = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_CHANGE_PROBLEMS = (
    *_INVALID,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class UserController(Controller):
    """People: registered, found, changed, removed, imported."""

    path = "/users"
    tags = ("users",)

    @post(
        operation_id="registerUser",
        summary="Register a person",
        operation_class=operation(
            body=documents.NEW_USER,
            problems=(*_INVALID, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
        ),
    )
    async def register(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Register a person, and plan what falls into the next days with it."""
        refuse_unknown_parameters(request, ())
        user = await use_cases.register_user(
            await read_particulars(request, use_cases.clock.now(), is_new=True)
        )
        return _user(user, status=HTTPStatus.CREATED, headers={"Location": f"/users/{user.id}"})

    @get(
        operation_id="listUsers",
        summary="List people, or find one by address",
        operation_class=operation(
            documents.AFTER,
            documents.LIMIT,
            documents.EMAIL,
            documents.IF_NONE_MATCH,
            problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
        ),
    )
    async def list(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[PageResource[UserResource] | UserResource]:
        """List people in the order of their registration; with *email*, answer the one person."""
        refuse_unknown_parameters(request, ("after", "limit", "email"))
        email = one_parameter(request, "email")
        if email is not None:
            if len(request.query_params) > 1:
                raise bad_parameter("email", "Give it alone.")
            return _read_user(request, await use_cases.find_user_by_email(email))
        limit = whole_number(request, "limit", 100, 1, 1000)
        after = one_parameter(request, "after")
        page = await use_cases.list_users(None if after is None else _user_cursor(after), limit)
        items = [UserResource.of(view) for view in page.items]
        return linked_page(request, items, str(items[-1].id) if page.more else None)

    @get(
        "/{user_id:str}",
        operation_id="getUser",
        summary="Show a person",
        operation_class=operation(
            documents.IF_NONE_MATCH, problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
        ),
    )
    async def show(
        self, request: AnyRequest, user_id: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Show a person's record."""
        return _read_user(request, await use_cases.get_user(user_id_of(user_id)))

    @put(
        "/{user_id:str}",
        operation_id="changeUser",
        summary="Change a person",
        operation_class=operation(documents.IF_MATCH, body=documents.USER_CHANGE, problems=_CHANGE_PROBLEMS),
    )
    async def change(
        self, request: AnyRequest, user_id: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Merge the given fields into the record; null clears what may be empty. Messages move with it."""
        return await self._change(request, user_id, use_cases, ("application/json",))

    @patch(
        "/{user_id:str}",
        operation_id="patchUser",
        summary="Change a person",
        operation_class=operation(documents.IF_MATCH, body=documents.USER_PATCH, problems=_CHANGE_PROBLEMS),
    )
    async def patch(
        self, request: AnyRequest, user_id: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Do the same as PUT (RFC 7396)."""
        accepted = ("application/json", "application/merge-patch+json")
        return await self._change(request, user_id, use_cases, accepted)

    @staticmethod
    async def _change(
        request: AnyRequest, user_id: str, use_cases: UseCases, accepted: tuple[str, ...]
    ) -> Response[UserResource]:
        refuse_unknown_parameters(request, ())
        raw = await read_particulars(request, use_cases.clock.now(), is_new=False, accepted=accepted)
        return _user(await use_cases.change_user(user_id_of(user_id), raw, if_match(request)))

    @delete(
        "/{user_id:str}",
        operation_id="removeUser",
        summary="Remove a person",
        operation_class=operation(
            documents.ERASE,
            documents.IF_MATCH,
            problems=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.PRECONDITION_FAILED,
                HTTPStatus.UNPROCESSABLE_ENTITY,
            ),
        ),
    )
    async def remove(
        self, request: AnyRequest, user_id: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> None:
        """Cancel what is to come; with *erase*, remove the record and its messages for good."""
        refuse_unknown_parameters(request, ("erase",))
        await use_cases.remove_user(
            user_id_of(user_id), erase=yes_or_no(request, "erase"), versions=if_match(request)
        )

    @get(
        "/{user_id:str}/upcoming",
        operation_id="upcomingOfUser",
        summary="When a person's next messages go out, and why then",
        operation_class=operation(problems=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)),
    )
    async def upcoming(
        self, request: AnyRequest, user_id: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> UpcomingOfUserResource:
        """Tell the next year's messages in local and UTC time, and what became of the last ones."""
        refuse_unknown_parameters(request, ())
        return UpcomingOfUserResource.of(await use_cases.upcoming_of_user(user_id_of(user_id)))

    @post(
        "/import",
        operation_id="importUsers",
        summary="Import people from CSV",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            documents.DRY_RUN,
            documents.DEFAULT_TIMEZONE,
            body=documents.CSV_FILE,
            problems=(*_INVALID, HTTPStatus.UNPROCESSABLE_ENTITY),
        ),
    )
    async def import_(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[ImportResource] | Stream:
        """Register new people, change known ones; bad rows are told and left out.

        With ``Accept: application/x-ndjson`` a line of progress comes every few hundred rows, and the report
        is the last line.
        """
        refuse_unknown_parameters(request, ("dryRun", "defaultTimezone"))
        require_type(request, "text/csv")
        dry_run, timezone = yes_or_no(request, "dryRun"), one_parameter(request, "defaultTimezone")
        if timezone is not None:
            try:
                zone(timezone)
            except InvalidField as problem:
                raise bad_parameter("defaultTimezone", problem.reason) from None
        people = read_people(await read_body(request, FILE_BYTES_MAX), default_timezone=timezone)
        reports = use_cases.import_users(people, dry_run=dry_run)
        if NDJSON in request.headers.get("accept", ""):
            return Stream(
                _lines(people, reports, dry_run=dry_run), media_type=NDJSON, status_code=HTTPStatus.OK
            )
        report = [one async for one in reports][-1]
        return Response(_report(people, report, dry_run=dry_run))


def _user_cursor(text: str) -> UserId:
    try:
        return user_id_of(read_cursor(text))
    except UserNotFound:
        raise bad_cursor() from None


def _read_user(request: AnyRequest, user: UserView) -> Response[Any]:
    """Answer a read; where it came from is told here, and there is no cache to come from yet."""
    headers = {"X-Cache": "BYPASS"}
    if is_not_modified(request, etag_of(user.version)):
        headers |= {"ETag": etag_of(user.version), "Cache-Control": "private, no-cache"}
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return _user(user, headers=headers)


def _user(
    user: UserView, *, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response[UserResource]:
    return Response(
        UserResource.of(user),
        status_code=status,
        headers={"ETag": etag_of(user.version), "Cache-Control": "private, no-cache", **(headers or {})},
    )


def _report(people: PeopleFile, report: ImportReport, *, dry_run: bool) -> ImportResource:
    return ImportResource.of(report, dry_run=dry_run, ignored_columns=people.ignored_columns)


async def _lines(
    people: PeopleFile, reports: AsyncIterator[ImportReport], *, dry_run: bool
) -> AsyncIterator[bytes]:
    report = None
    try:
        async for report in reports:
            yield msgspec.json.encode(ImportProgress(report.rows, report.done)) + b"\n"
        if report is not None:
            yield msgspec.json.encode(_report(people, report, dry_run=dry_run)) + b"\n"
    except Exception as error:
        # The status has left already: the problem is the last line instead.
        log.exception("import_broken_off")
        yield msgspec.json.encode(problem_of(error)[0]) + b"\n"
