"""What the OpenAPI document says of an operation beyond what Litestar sees: all that handlers read themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)

from domain.access import Scope
from entrypoints.http.problems import PROBLEM_JSON

_TEXT = Schema(type=OpenAPIType.STRING)
_PROBLEM = Schema(
    type=OpenAPIType.OBJECT,
    description="RFC 9457. Nothing in it repeats what was sent.",
    properties={
        "type": Schema(type=OpenAPIType.STRING, description="Always about:blank: the status is the type."),
        "title": _TEXT,
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": _TEXT,
        "errors": Schema(
            type=OpenAPIType.ARRAY,
            description="Every field of the body and every parameter that is not acceptable.",
            items=Schema(
                type=OpenAPIType.OBJECT,
                properties={
                    "field": _TEXT,
                    "detail": _TEXT,
                    "pointer": Schema(
                        type=OpenAPIType.STRING,
                        description="Where in the body (RFC 6901); not for parameters.",
                    ),
                },
                required=["field", "detail"],
            ),
        ),
    },
    required=["type", "title", "status"],
)
_MEANINGS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The body is not JSON, or a header is malformed.",
    HTTPStatus.UNAUTHORIZED: "No key was sent, or it is not good; WWW-Authenticate tells which.",
    HTTPStatus.FORBIDDEN: "The key has not the scope that this needs.",
    HTTPStatus.NOT_FOUND: "There is no such record; also where the address holds what cannot be an id.",
    HTTPStatus.CONFLICT: "What is there forbids it: the address is taken, or the message is in another state.",
    HTTPStatus.PRECONDITION_FAILED: "The record does not have the ETag of If-Match.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has another content type than the ones named here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Fields or parameters are unknown, missing or not acceptable; all are listed.",
    HTTPStatus.TOO_MANY_REQUESTS: "The key has had its requests of this minute; Retry-After tells the rest of it.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database or the scheduler is away.",
}


def _name(status: HTTPStatus) -> str:
    return status.name.title().replace("_", "")


def _problem(status: HTTPStatus, meaning: str) -> OpenAPIResponse:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": meaning,
    }
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        example["detail"] = "Some fields are not acceptable."
        example["errors"] = [{"field": "email", "detail": "This is needed.", "pointer": "/email"}]
    return OpenAPIResponse(
        description=meaning,
        content={
            PROBLEM_JSON: OpenAPIMediaType(schema=_PROBLEM, examples={"problem": Example(value=example)})
        },
    )


KEY_SCHEME = "key"
REPEATED = Parameter(
    name="Idempotency-Key",
    param_in="header",
    description="Chosen by the client for this one request: sent again within a day, it gets the same answer.",
    schema=Schema(
        type=OpenAPIType.STRING, pattern=r'^("[\x20\x21\x23-\x5b\x5d-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255})$'
    ),
    required=False,
)
COMPONENTS = Components(
    security_schemes={
        KEY_SCHEME: SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="bday_…",
            description="A key, made by 'birthdays keys make'. Listed with it is the scope that it needs; "
            "admin has them all.",
        )
    },
    responses={_name(status): _problem(status, meaning) for status, meaning in _MEANINGS.items()},
)


@dataclass
class Documented(Operation):
    """An operation whose handler reads its request by itself, and refuses what is not documented here."""

    needs: ClassVar[Scope | None] = Scope.ADMIN
    is_import: ClassVar[bool] = False
    is_repeatable: ClassVar[bool] = False
    about: ClassVar[str | None] = None
    reads: ClassVar[Sequence[Parameter]] = ()
    body: ClassVar[RequestBody | None] = None
    answers: ClassVar[Mapping[str, Any]] = {}
    streamed: ClassVar[Mapping[str, str]] = {}
    headers: ClassVar[Mapping[str, str]] = {}
    not_modified: ClassVar[bool] = False
    problems: ClassVar[Sequence[HTTPStatus]] = ()

    @classmethod
    def query_names(cls) -> frozenset[str]:
        return frozenset(parameter.name for parameter in cls.reads if parameter.param_in == "query")

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or ()), *self.reads] or None
        self.request_body = self.body
        self.security = [] if self.needs is None else [{KEY_SCHEME: [self.needs.value]}]
        # Litestar's own errors are left out: here they are all problems.
        answers = {status: answer for status, answer in (self.responses or {}).items() if status < "300"}
        for answer in answers.values():
            self._complete(answer)
        if self.not_modified:
            answers["304"] = OpenAPIResponse(description="The record still has the ETag of If-None-Match.")
        for status in sorted(self.problems):
            answers[str(status.value)] = Reference(ref=f"#/components/responses/{_name(status)}")
        self.responses = answers

    def _complete(self, answer: OpenAPIResponse | Reference) -> None:
        if isinstance(answer, Reference):
            return
        answer.headers = {
            name: OpenAPIHeader(schema=_TEXT, description=text) for name, text in self.headers.items()
        }
        if self.streamed and not self.answers:
            answer.content = {}  # what Litestar takes for JSON is a file
        for media in (answer.content or {}).values():
            media.examples = {name: shown_example(value) for name, value in self.answers.items()}
        for media_type, text in self.streamed.items():
            lines = OpenAPIMediaType(schema=_TEXT, examples={"lines": shown_example(text)})
            answer.content = {**(answer.content or {}), media_type: lines}


_ALWAYS = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR)
_REPEATED = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_GUARDED = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,  # a key is looked up
)


def shown_example(value: object) -> Example:
    # Encoded already, since Litestar leaves out what is null in an object.
    return Example(value=value if isinstance(value, str) else msgspec.Raw(msgspec.json.encode(value)))


def operation(
    *parameters: Parameter,
    needs: Scope | None,
    request: RequestBody | None = None,
    answer: Mapping[str, Any],
    streams: Mapping[str, str] | None = None,
    with_headers: Mapping[str, str] | None = None,
    may_be_not_modified: bool = False,
    refuses: Sequence[HTTPStatus] = (),
    repeatable: bool = False,
    about: str | None = None,
    imports: bool = False,
) -> type[Documented]:
    """Return an operation that documents what its handler reads, answers and refuses.

    *needs* is the scope that a key must have, None where nobody is asked. *repeatable* takes an
    Idempotency-Key; *about* names the field of the answer that holds the id of the user of whom it tells.
    *answer* holds examples by name, *streams* the texts that other media types would bring.

    Every operation refuses query parameters that it does not know.
    """
    guarded = () if needs is None else _GUARDED
    repeated = _REPEATED if repeatable else ()

    class Told(Documented):
        reads = (*parameters, REPEATED) if repeatable else parameters
        body = request
        answers = answer
        streamed = streams or {}
        headers = with_headers or {}
        not_modified = may_be_not_modified
        problems = tuple({*refuses, *repeated, *guarded, *_ALWAYS})

    Told.needs, Told.is_repeatable, Told.about, Told.is_import = needs, repeatable, about, imports
    return Told
