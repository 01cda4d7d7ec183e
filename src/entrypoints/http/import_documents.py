"""The parameters, bodies and examples of what the OpenAPI document says of imports."""

from collections.abc import Mapping
from typing import Any

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, RequestBody, Schema

from application.file_text import ENCODINGS
from domain.written_dates import DateOrder
from entrypoints.http.documents import YES_OR_NO, parameter
from entrypoints.http.operations import shown_example

PEOPLE_MAX = 500_000_000
"""More than a service holds."""
_FILE = Schema(type=OpenAPIType.STRING, format="people-file")  # type: ignore[arg-type]  # a format may be any word

REPORT: Mapping[str, Any] = {
    "importId": "0b1f3bb4-5e5e-4c58-9f0c-6f3f0f1f7a55",
    "rows": 3,
    "created": 1,
    "updated": 0,
    "unchanged": 1,
    "deactivated": 0,
    "failed": 1,
    "warned": 0,
    "dryRun": False,
    "recognised": {
        "format": "csv",
        "layout": "plain",
        "encoding": "utf-8",
        "delimiter": ",",
        "dateOrder": None,
        "columns": {"email": "email", "birthday": "birthday"},
    },
    "ignoredColumns": ["department"],
    "errors": [{"line": 4, "field": "birthday", "reason": "There is no such day in the calendar."}],
    "warnings": [],
}
REPORT_LINES = '{"rows":3,"done":1}\n{"rows":3,"done":3}\n{"importId":null,"rows":3,"created":2 ...}\n'
UNDONE: Mapping[str, Any] = {"undone": 2, "changedSince": 0, "inTheWay": 0}

_CSV = "email,first_name,last_name,timezone,birthday\nada@example.com,Ada,Lovelace,Europe/London,1990-12-10\n"
_VCARD = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Lovelace\r\nN:Lovelace;Ada;;;\r\nEMAIL:ada@example.com\r\n"
    "TZ:Europe/London\r\nBDAY:19901210\r\nEND:VCARD\r\n"
)
FILE = RequestBody(
    required=True,
    description=(
        "CSV with a header line, or vCards 2.1, 3.0 or 4.0; at most 20 MiB and 500000 lines. Encoding, delimiter "
        "and columns are recognised, among them the exports of Google, Outlook and a German Excel; what was "
        "recognised is answered. An address is needed of everybody."
    ),
    content={
        media_type: OpenAPIMediaType(schema=_FILE, examples={"file": shown_example(text)})
        for media_type, text in (("text/csv", _CSV), ("text/vcard", _VCARD))
    },
)


DRY_RUN = parameter("dryRun", "query", "Tell what would change, and change nothing.", YES_OR_NO)
DEFAULT_TIMEZONE = parameter(
    "defaultTimezone",
    "query",
    "The time zone of rows that name none.",
    Schema(type=OpenAPIType.STRING, format="iana-timezone"),  # type: ignore[arg-type]  # a format may be any word
)
DATE_ORDER = parameter(
    "dateOrder",
    "query",
    "What comes first in dates such as 3/4/1990, which are errors otherwise.",
    Schema(type=OpenAPIType.STRING, enum=list(DateOrder)),
)
DAY_NUMBERS = parameter(
    "dayNumbers", "query", "Take numbers such as 29281 for a spreadsheet's count of days.", YES_OR_NO
)
ENCODING = parameter(
    "encoding",
    "query",
    "The encoding of the file, if it is not the one recognised.",
    Schema(type=OpenAPIType.STRING, enum=list(ENCODINGS)),
)
ANNIVERSARIES_ARE_WORK = parameter(
    "anniversariesAreWork",
    "query",
    "Take the anniversaries of an address book, which are mostly weddings, for first days at work.",
    YES_OR_NO,
)
COMPLETE = parameter(
    "complete",
    "query",
    "The file names everybody: deactivate who is not in it, unless a row is bad.",
    YES_OR_NO,
)
CONFIRM = parameter(
    "confirm",
    "query",
    "How many people a complete list may deactivate; asked for with 409 where these are more than a tenth.",
    Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=PEOPLE_MAX),
)
ACCEPT = parameter(
    "Accept",
    "header",
    "application/x-ndjson streams a line of progress per chunk, and the report as last line.",
)
