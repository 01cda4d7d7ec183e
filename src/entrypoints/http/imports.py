"""The route by which many people come at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import date
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
import structlog
from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from application.errors import ApplicationError, ImportNotFound, TooManyDeactivations
from application.file_text import ENCODINGS
from application.import_ports import ImportId
from application.imports import ImportOptions, ImportReport
from application.people_file import read_people
from application.people_rows import PeopleFile, ReadOptions
from application.undoing import UndoReport
from domain.access import Scope
from domain.due import zone
from domain.errors import InvalidField
from domain.written_dates import DateOrder, DateReading
from entrypoints.failures import class_of, course_of
from entrypoints.http import import_documents as documents
from entrypoints.http.import_resources import ImportProgress, ImportResource, UndoResource
from entrypoints.http.operations import operation
from entrypoints.http.parameters import bad_parameter, one_of, one_parameter, whole_number, yes_or_no
from entrypoints.http.problems import RETRY_SOON, RequestRefused, problem_of
from entrypoints.http.requests import FILE_BYTES_MAX, JSON, AnyRequest, read_body, require_type
from entrypoints.http.use_cases import UseCases

log = structlog.get_logger()

FILE_LINES_MAX = 500_000
NDJSON = "application/x-ndjson"
_TYPES = ("text/csv", "text/vcard", "text/x-vcard")
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
        summary="Import people from CSV or vCards",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            documents.DRY_RUN,
            documents.DEFAULT_TIMEZONE,
            documents.DATE_ORDER,
            documents.DAY_NUMBERS,
            documents.ENCODING,
            documents.ANNIVERSARIES_ARE_WORK,
            documents.COMPLETE,
            documents.CONFIRM,
            documents.ACCEPT,
            needs=Scope.USERS_WRITE,
            imports=True,
            repeatable=True,
            request=documents.FILE,
            answer={"report": documents.REPORT},
            streams={NDJSON: documents.REPORT_LINES},
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.CONFLICT,
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
        require_type(request, *_TYPES)
        reading, importing = _read_options(request, use_cases.clock.now().date()), _import_options(request)
        people = await _read_file(request, reading)
        reports = _as_one(use_cases.import_users(people, importing))
        told = partial(ImportResource.of, recognised=people.recognised)
        report = await anext(reports)
        if request.accept.best_match([JSON, NDJSON]) == NDJSON:
            # The first chunk is awaited, so that a database that is away is told by the status.
            second = await anext(reports, report)
            return _stream(_lines([report, second], reports, told))
        async for latest in reports:
            report = latest
        return Response(told(report), headers=_VARY)


class UndoController(Controller):
    """Imports that are taken back."""

    path = "/imports"
    tags = ("users",)

    @post(
        "/{id:str}/undo",
        operation_id="undoImport",
        summary="Undo an import",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            needs=Scope.USERS_WRITE,
            imports=True,
            repeatable=True,
            answer={"report": documents.UNDONE},
            refuses=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        ),
    )
    async def undo(self, id: FromPath[str], use_cases: NamedDependency[UseCases]) -> UndoResource:  # noqa: A002  # the path's name for it
        """Take back what an import of the last thirty days did, but for people who were changed since.

        Who came with it is deleted, and the others are as they were. Repeat it if it broke off.
        """
        try:
            import_id = ImportId(UUID(id))
        except ValueError:
            raise ImportNotFound from None
        report = UndoReport()
        async for latest in use_cases.undo_import(import_id):
            report = latest
        return UndoResource.of(report)


async def _read_file(request: AnyRequest, options: ReadOptions) -> PeopleFile:
    """Read the body; once it is a text, the bytes are not held any more."""
    data = await read_body(request, FILE_BYTES_MAX)
    _refuse_too_many_lines(data)
    # A large file takes seconds to read: meanwhile others are served, and messages leave.
    return await asyncio.to_thread(read_people, data, options)


def _read_options(request: AnyRequest, today: date) -> ReadOptions:
    order = one_of(request, "dateOrder", DateOrder)
    return ReadOptions(
        default_timezone=_default_timezone(request),
        encoding=one_of(request, "encoding", ENCODINGS),
        dates=DateReading(
            order=None if order is None else DateOrder(order),
            day_numbers=yes_or_no(request, "dayNumbers"),
            today=today,
        ),
        anniversaries_are_work=yes_or_no(request, "anniversariesAreWork"),
    )


def _import_options(request: AnyRequest) -> ImportOptions:
    confirmed = whole_number(request, "confirm", -1, 0, documents.PEOPLE_MAX)
    return ImportOptions(
        is_dry_run=yes_or_no(request, "dryRun"),
        is_complete=yes_or_no(request, "complete"),
        confirmed=None if confirmed < 0 else confirmed,
    )


def _refuse_too_many_lines(data: bytes) -> None:
    # Ten million lines of two bytes would bring as many problems, a hundred times as large as the file.
    if max(data.count(b"\n"), data.count(b"\r")) > FILE_LINES_MAX:
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The file may have at most {FILE_LINES_MAX:,} lines; send it in parts.",
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
    except TooManyDeactivations:
        raise
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
