"""What the OpenAPI document says of requests and problems, which the handlers read themselves."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from litestar.openapi.spec import (
    Example,
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)

from domain.message import Status
from domain.occasion import LeapDayRule
from entrypoints.http.names import NEEDED, NULLABLE
from entrypoints.http.problems import PROBLEM_JSON

ADA: Mapping[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthdayDate": "1990-12-10",
    "anniversaryDate": "2019-02-01",
}
_TEXT = OpenAPIType.STRING
_DESCRIPTIONS: Mapping[str, str] = {
    "firstName": "At most 200 characters, no line breaks.",
    "lastName": "At most 200 characters, no line breaks.",
    "email": "One live person each, whatever the case it is written in.",
    "timezone": "An IANA name, spelt exactly, such as Europe/Berlin.",
    "birthdayDate": "1990-12-10, or --12-10 where the year is not known; not in the future.",
    "anniversaryDate": "The first day at work, 2019-02-01; messages start a year later.",
    "leapDayRule": "When a 29 February is kept in other years; null follows the instance.",
}


def _field(name: str) -> Schema:
    return Schema(
        type=[_TEXT, OpenAPIType.NULL] if name in NULLABLE else _TEXT,
        description=_DESCRIPTIONS[name],
        enum=[*LeapDayRule, None] if name == "leapDayRule" else None,
    )


def _json_body(media_types: Sequence[str], example: Mapping[str, Any], needed: Sequence[str]) -> RequestBody:
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties={name: _field(name) for name in _DESCRIPTIONS},
        required=list(needed) or None,
        additional_properties=False,
    )
    content = OpenAPIMediaType(schema=schema, examples={"example": Example(value=dict(example))})
    return RequestBody(required=True, content=dict.fromkeys(media_types, content))


NEW_USER = _json_body(["application/json"], ADA, NEEDED)
USER_CHANGE = _json_body(["application/json"], {"timezone": "America/New_York", "anniversaryDate": None}, ())
USER_PATCH = _json_body(
    ["application/json", "application/merge-patch+json"],
    {"timezone": "America/New_York", "anniversaryDate": None},
    (),
)
CSV_FILE = RequestBody(
    required=True,
    description="UTF-8 with a header line; the column 'email' is needed.",
    content={
        "text/csv": OpenAPIMediaType(
            schema=Schema(type=_TEXT),
            examples={
                "example": Example(
                    value="email,first_name,last_name,timezone,birthday\n"
                    "ada@example.com,Ada,Lovelace,Europe/London,1990-12-10\n"
                )
            },
        )
    },
)

_PROBLEM = Schema(
    type=OpenAPIType.OBJECT,
    description="RFC 9457. Nothing in it repeats what was sent.",
    properties={
        "type": Schema(type=_TEXT),
        "title": Schema(type=_TEXT),
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": Schema(type=_TEXT),
        "errors": Schema(
            type=OpenAPIType.ARRAY,
            items=Schema(
                type=OpenAPIType.OBJECT,
                properties={name: Schema(type=_TEXT) for name in ("field", "detail", "pointer")},
                required=["field", "detail"],
            ),
        ),
    },
    required=["type", "title", "status"],
)


def _problem(status: HTTPStatus) -> OpenAPIResponse:
    example = {"type": "about:blank", "title": status.phrase, "status": status.value}
    return OpenAPIResponse(
        description=status.phrase,
        content={
            PROBLEM_JSON: OpenAPIMediaType(schema=_PROBLEM, examples={"example": Example(value=example)})
        },
    )


def _parameter(name: str, place: str, description: str, schema: Schema | None = None) -> Parameter:
    return Parameter(
        name=name,
        param_in=place,
        description=description,
        schema=schema or Schema(type=_TEXT),
        required=False,
    )


AFTER = _parameter("after", "query", "The cursor of the page before: its 'next'.")
LIMIT = _parameter(
    "limit",
    "query",
    "How many at most.",
    Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=1000, default=100),
)
EMAIL = _parameter("email", "query", "Find the person who has this address; nothing else may be given then.")
STATUS = _parameter(
    "status",
    "query",
    "Only messages in this state; may be repeated.",
    Schema(type=OpenAPIType.ARRAY, items=Schema(type=_TEXT, enum=list(Status))),
)
USER_ID = _parameter(
    "userId", "query", "Only messages of this person.", Schema(type=_TEXT, format=OpenAPIFormat.UUID)
)
_YES_OR_NO = Schema(type=OpenAPIType.BOOLEAN, default=False)
ERASE = _parameter("erase", "query", "Remove the person's record and messages for good.", _YES_OR_NO)
DRY_RUN = _parameter("dryRun", "query", "Tell what would change, and change nothing.", _YES_OR_NO)
DEFAULT_TIMEZONE = _parameter("defaultTimezone", "query", "The time zone of rows that name none.")
IF_MATCH = _parameter("If-Match", "header", 'Only if the record still has this ETag, such as "3".')
IF_NONE_MATCH = _parameter("If-None-Match", "header", "Answer 304 if the record still has this ETag.")


def operation(
    *parameters: Parameter, body: RequestBody | None = None, problems: Sequence[HTTPStatus] = ()
) -> type[Operation]:
    """Return an operation that documents what its handler reads by itself."""
    known = [*problems, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE]

    class Documented(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or ()), *parameters] or None
            self.request_body = body or self.request_body
            self.responses = {
                **(self.responses or {}),
                **{str(status.value): _problem(status) for status in known},
            }

    return Documented
