"""The route by which many people come at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.response import Stream

from application.errors import ApplicationError
from application.imports import ImportReport
from application.people_file import read_people
from domain.access import Scope
from domain.due import zone
from domain.errors import InvalidField
from entrypoints.http import documents
from entrypoints.http.operations import operation
from entrypoints.http.parameters import bad_parameter, one_parameter, yes_or_no
from entrypoints.http.problems import RETRY_SOON, RequestRefused, class_of, course_of, problem_of
from entrypoints.http.requests import FILE_BYTES_MAX, JSON, AnyRequest, read_body, require_type
from entrypoints.http.resources import ImportProgress, ImportResource
from entrypoints.http.use_cases import UseCases

log = structlog.get_logger()

FILE_LINES_MAX = 500_000
NDJSON = "application/x-ndjson"
_VARY = {"Vary": "Accept"}
_BROKEN_OFF = (
    "The import broke off in the middle: some rows may be in. Send the file again; nothing is done twice."
)


class ImportController(Controller):
    """People from a file."""

    path = "/users/import"
    tags = ("users",)

    @post(
        operation_id="importUsers",
        summary="Import people from CSV",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            documents.DRY_RUN,
            documents.DEFAULT_TIMEZONE,
            documents.ACCEPT,
            needs=Scope.USERS_WRITE,
            imports=True,
            repeatable=True,
            request=documents.CSV_FILE,
            answer={"report": documents.REPORT},
            streams={NDJSON: documents.REPORT_LINES},
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        ),
    )
    async def import_users(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[ImportResource]:
        """Register new people, change known ones; bad rows are told and left out.

        With ``Accept: application/x-ndjson`` a line of progress comes every few hundred rows, and the last
        line is the report, or a problem if the import broke off.
        """
        require_type(request, "text/csv")
        dry_run, timezone = yes_or_no(request, "dryRun"), _default_timezone(request)
        data = await read_body(request, FILE_BYTES_MAX)
        _refuse_too_many_lines(data)
        # A large file takes seconds to read: meanwhile others are served, and messages leave.
        people = await asyncio.to_thread(read_people, data, default_timezone=timezone)
        reports = _as_one(use_cases.import_users(people, dry_run=dry_run))
        told = partial(ImportResource.of, dry_run=dry_run, ignored_columns=people.ignored_columns)
        report = await anext(reports)
        if request.accept.best_match([JSON, NDJSON]) == NDJSON:
            # The first chunk is awaited, so that a database that is away is told by the status.
            second = await anext(reports) if people.rows else report
            return _stream(_lines([report, second], reports, told))
        async for latest in reports:
            report = latest
        return Response(told(report), headers=_VARY)


def _refuse_too_many_lines(data: bytes) -> None:
    # Ten million lines of two bytes would bring as many problems, a hundred times as large as the file.
    if max(data.count(b"\n"), data.count(b"\r")) > FILE_LINES_MAX:
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The file may have at most {FILE_LINES_MAX} lines; send it in parts.",
        )


def _default_timezone(request: AnyRequest) -> str | None:
    timezone = one_parameter(request, "defaultTimezone")
    if timezone is not None:
        try:
            zone(timezone)
        except InvalidField as problem:
            raise bad_parameter("defaultTimezone", problem.reason) from None
    return timezone


async def _as_one(reports: AsyncIterator[ImportReport]) -> AsyncIterator[ImportReport]:
    """Pass on the reports; what the use case says of one chunk is told of the whole file."""
    try:
        async for report in reports:
            yield report
    except ApplicationError:
        raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, _BROKEN_OFF, headers=RETRY_SOON) from None


def _stream(lines: AsyncIterator[bytes]) -> Response[Any]:
    return Stream(lines, media_type=NDJSON, status_code=HTTPStatus.OK, headers=_VARY)


async def _lines(
    begun: Iterable[ImportReport],
    reports: AsyncIterator[ImportReport],
    told: Callable[[ImportReport], ImportResource],
) -> AsyncIterator[bytes]:
    try:
        for report in begun:
            yield _line(ImportProgress(report.rows, report.done))
        async for report in reports:
            yield _line(ImportProgress(report.rows, report.done))
        yield _line(told(report))
    except RequestRefused as refused:
        yield _line(problem_of(refused)[0])
    except Exception as error:  # noqa: BLE001  # the status has left already: the problem is the last line
        # Not with log.exception, which would show the people of the file among the variables.
        log.error("import_broken_off", error=class_of(error), traceback=course_of(error))  # noqa: TRY400
        yield _line(problem_of(error)[0])


def _line(told: object) -> bytes:
    return msgspec.json.encode(told) + b"\n"
