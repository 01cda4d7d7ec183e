"""The route by which all people leave as a file."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.response import Stream

from application.exports import ExportFormat
from domain.access import Scope
from entrypoints.http.documents import YES_OR_NO, parameter
from entrypoints.http.operations import operation
from entrypoints.http.parameters import one_of, yes_or_no
from entrypoints.http.requests import AnyRequest
from entrypoints.http.use_cases import UseCases

_TYPES = {
    ExportFormat.CSV: ("text/csv", "people.csv"),
    ExportFormat.VCARD: ("text/vcard", "people.vcf"),
    ExportFormat.CALENDAR: ("text/calendar", "birthdays.ics"),
}
_FORMAT = parameter(
    "format",
    "query",
    "CSV that can be imported again, vCards 4.0, or a calendar (RFC 5545).",
    Schema(type=OpenAPIType.STRING, enum=list(ExportFormat), default=ExportFormat.CSV),
)
_YEARS = parameter("years", "query", "Let a calendar tell the years of birth and of hiring.", YES_OR_NO)
_CSV = (
    "external_id,first_name,last_name,email,timezone,birthday,work_anniversary,leap_day_rule\r\n"
    ",Ada,Lovelace,ada@example.com,Europe/London,1990-12-10,2019-02-01,\r\n"
)


class ExportController(Controller):
    """All people in a file."""

    path = "/users/export"
    tags = ("users",)

    @get(
        operation_id="exportUsers",
        summary="Export people as CSV, vCards or a calendar",
        operation_class=operation(
            _FORMAT,
            _YEARS,
            needs=Scope.USERS_READ,
            answer={},
            streams={
                "text/csv": _CSV,
                "text/vcard": "BEGIN:VCARD\r\nVERSION:4.0\r\n...",
                "text/calendar": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n...",
            },
            refuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
        ),
    )
    async def export(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[Any]:
        """Write every live person into a file, page by page.

        In CSV a quote stands before what a spreadsheet would take for a formula.
        """
        form = ExportFormat(one_of(request, "format", ExportFormat) or ExportFormat.CSV)
        parts = use_cases.export_users(form, with_years=yes_or_no(request, "years"))
        # The first part is awaited, so that a database that is away is told by the status.
        first = await anext(parts)
        media_type, name = _TYPES[form]
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Stream(_chained(first, parts), media_type=media_type, headers=headers)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
