"""The parameters, bodies and examples of the OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Parameter,
    RequestBody,
    Schema,
)

from domain.decision import REASON_LENGTH_MAX
from domain.message import Status
from domain.occasion import Kind, LeapDayRule
from domain.user import NAME_LENGTH_MAX
from entrypoints.http.names import NEEDED, NULLABLE
from entrypoints.http.operations import shown_example
from entrypoints.http.requests import JSON, MERGE_PATCH

_TEXT = OpenAPIType.STRING

ADA: Mapping[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthdayDate": "1990-12-10",
    "anniversaryDate": "2019-02-01",
}
CHANGE: Mapping[str, Any] = {"timezone": "America/New_York", "anniversaryDate": None}
USER: Mapping[str, Any] = {
    "id": "01991e9c-7f00-7abc-8def-0123456789ab",
    **ADA,
    "leapDayRule": None,
    "optedOut": [],
    "version": 1,
    "createdAt": "2026-11-30T12:00:00Z",
    "updatedAt": "2026-11-30T12:00:00Z",
}
_KEY = f"2026-12-10.birthday.{USER['id']}"
MESSAGE: Mapping[str, Any] = {
    "key": _KEY,
    "userId": USER["id"],
    "kind": "BIRTHDAY",
    "occasionDate": "2026-12-10",
    "status": "SENT",
    "reason": None,
    "dueAt": "2026-12-10T09:00:00Z",
    "expiresAt": "2026-12-11T09:00:00Z",
    "timezone": "Europe/London",
    "wallTime": "exact",
    "years": 36,
    "attempt": 1,
    "retryAt": None,
    "sentAt": "2026-12-10T09:00:00.204Z",
    "createdAt": "2026-12-08T12:00:00Z",
    "updatedAt": "2026-12-10T09:00:00.204Z",
}
UPCOMING: Mapping[str, Any] = {
    "upcoming": [
        {
            "key": f"2027-02-01.anniversary.{USER['id']}",
            "kind": "ANNIVERSARY",
            "occasionDate": "2027-02-01",
            "years": 8,
            "dueAt": "2027-02-01T09:00:00Z",
            "dueLocal": "2027-02-01T09:00:00+00:00",
            "timezone": "Europe/London",
            "wallTime": "exact",
            "leapDayRule": None,
            "why": "09:00 there",
            "status": None,
        }
    ],
    "past": [MESSAGE],
}
TODAYS_LIST: Mapping[str, Any] = {"date": "2026-12-10", "count": 1, "userIds": [USER["id"]]}
STATISTICS: Mapping[str, Any] = {
    "now": "2026-12-10T09:00:00Z",
    "counts": {status.value: 0 for status in Status} | {"SCHEDULED": 12, "SENT": 365},
    "startedAt": "2026-12-01T00:00:00Z",
    "lastPlanAt": "2026-12-10T08:00:00Z",
    "plannedUntil": "2026-12-13",
    "lastTickAt": "2026-12-10T08:59:59Z",
    "nextDueAt": "2026-12-10T10:00:00Z",
    "failuresInARow": 0,
    "stoppedChannels": [
        {
            "name": "smtp",
            "pauseS": 0,
            "brake": {"dueHour": "2026-12-10T09:00:00Z", "messages": 5000, "allowed": 1000},
        }
    ],
}

_FIELDS: Mapping[str, str] = {
    "firstName": "At most 200 characters, no line breaks.",
    "lastName": "At most 200 characters, no line breaks.",
    "email": "One live person each, whatever the case it is written in.",
    "timezone": "An IANA name, spelt exactly, such as Europe/Berlin.",
    "birthdayDate": "1990-12-10, or --12-10 where the year is not known; not in the future.",
    "anniversaryDate": "The first day at work, 2019-02-01; messages start a year later.",
    "optedOut": "Of what the person wants no messages; null is none. An import never changes it.",
    "leapDayRule": "When a 29 February is kept in other years; null follows the instance.",
}


_FORMATS: Mapping[str, str] = {
    "firstName": "name",
    "lastName": "name",
    "email": OpenAPIFormat.EMAIL,
    "timezone": "iana-timezone",
    "birthdayDate": "annual-date",
    "anniversaryDate": OpenAPIFormat.DATE,
}
"""Those that JSON Schema does not know say more than a pattern could: that is told in words."""
_LENGTHS = {"firstName": (1, NAME_LENGTH_MAX), "lastName": (1, NAME_LENGTH_MAX)}


def _field(name: str) -> Schema:
    if name == "optedOut":
        kinds = Schema(type=_TEXT, enum=list(Kind))
        return Schema(type=[OpenAPIType.ARRAY, OpenAPIType.NULL], items=kinds, description=_FIELDS[name])
    least, most = _LENGTHS.get(name, (None, None))
    return Schema(
        type=[_TEXT, OpenAPIType.NULL] if name in NULLABLE else _TEXT,
        description=_FIELDS[name],
        format=_FORMATS.get(name),  # type: ignore[arg-type]  # a format may be any word
        min_length=least,
        max_length=most,
        enum=[*LeapDayRule, None] if name == "leapDayRule" else None,
    )


def _json_body(media_types: Sequence[str], example: Mapping[str, Any], needed: Sequence[str]) -> RequestBody:
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties={name: _field(name) for name in _FIELDS},
        required=list(needed) or None,
        additional_properties=False,
    )
    content = OpenAPIMediaType(schema=schema, examples={"body": shown_example(example)})
    return RequestBody(required=True, content=dict.fromkeys(media_types, content))


REASON = Schema(
    type=_TEXT,
    description=f"Why; kept with who did it. Up to {REASON_LENGTH_MAX} printable characters.",
    format="printable",  # type: ignore[arg-type]  # same
    min_length=1,
    max_length=REASON_LENGTH_MAX,
)
WITH_REASON = RequestBody(
    required=True,
    content={
        JSON: OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                properties={"reason": REASON},
                required=["reason"],
                additional_properties=False,
            ),
            examples={"body": shown_example({"reason": "All of the new company was born on one day."})},
        )
    },
)
NEW_USER = _json_body([JSON], ADA, NEEDED)
USER_CHANGE = _json_body([JSON], CHANGE, ())
USER_PATCH = _json_body([JSON, MERGE_PATCH], CHANGE, ())


def parameter(name: str, place: str, description: str, schema: Schema | None = None) -> Parameter:
    return Parameter(
        name=name,
        param_in=place,
        description=description,
        schema=schema or Schema(type=_TEXT),
        required=False,
    )


AFTER = parameter("after", "query", "The cursor of the page before: its 'next'.")
LIMIT = parameter(
    "limit",
    "query",
    "How many at most.",
    Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=1000, default=100),
)
EMAIL = parameter(
    "email",
    "query",
    "Find the person who has this address; nothing else may be given then.",
    Schema(type=_TEXT, format=OpenAPIFormat.EMAIL),
)
STATUS = parameter(
    "status",
    "query",
    "Only messages in this state; may be repeated.",
    Schema(type=OpenAPIType.ARRAY, items=Schema(type=_TEXT, enum=list(Status))),
)
USER_ID = parameter(
    "userId", "query", "Only what is about this person.", Schema(type=_TEXT, format=OpenAPIFormat.UUID)
)
YES_OR_NO = Schema(type=OpenAPIType.BOOLEAN, default=False)
ERASE = parameter("erase", "query", "Remove the person's record and messages for good.", YES_OR_NO)
_TAGS = Schema(type=_TEXT, pattern=r'^(\*|(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*)$')
IF_MATCH = parameter("If-Match", "header", 'Only if the record still has this ETag, such as "3".', _TAGS)
IF_NONE_MATCH = parameter("If-None-Match", "header", "Answer 304 if the record still has this ETag.", _TAGS)
ETAG = {"ETag": "The record's version, as a strong tag."}
SOURCE = {"X-Cache": "HIT, MISS or BYPASS: whether the answer came from the cache."}
CACHED = {**ETAG, **SOURCE}
CACHED_LIST = {"ETag": "Another one for every other list and day.", **SOURCE}
LOCATION = {**ETAG, "Location": "Where the person is shown."}
LINKED = {"Link": "The next page, as rel=next; absent on the last."}
