"""Every error as application/problem+json (RFC 9457); none repeats what was typed."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException

from application.errors import (
    ApplicationError,
    ChannelNotStopped,
    CommitOutcomeUnknown,
    EmailTaken,
    ExternalIdTaken,
    ImportNotFound,
    KeyNotFound,
    LinkUnknown,
    MessageNotFound,
    StoreUnavailable,
    TooManyDeactivations,
    UserNotFound,
    VersionMismatch,
)
from application.people_rows import NotAPeopleFile
from application.texts import LanguageUnknown
from domain.errors import DomainError, IllegalTransition, InvalidField, InvalidFields
from entrypoints.failures import class_of, course_of
from entrypoints.http.names import wire_name

log = structlog.get_logger()

PROBLEM_JSON = "application/problem+json"
RETRY_SOON = {"Retry-After": "2"}

_STATUS: dict[type[Exception], HTTPStatus] = {
    InvalidField: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidFields: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotAPeopleFile: HTTPStatus.UNPROCESSABLE_ENTITY,
    LanguageUnknown: HTTPStatus.NOT_FOUND,
    IllegalTransition: HTTPStatus.CONFLICT,
    EmailTaken: HTTPStatus.CONFLICT,
    ExternalIdTaken: HTTPStatus.CONFLICT,
    TooManyDeactivations: HTTPStatus.CONFLICT,
    UserNotFound: HTTPStatus.NOT_FOUND,
    KeyNotFound: HTTPStatus.NOT_FOUND,
    ChannelNotStopped: HTTPStatus.NOT_FOUND,
    LinkUnknown: HTTPStatus.NOT_FOUND,
    MessageNotFound: HTTPStatus.NOT_FOUND,
    ImportNotFound: HTTPStatus.NOT_FOUND,
    VersionMismatch: HTTPStatus.PRECONDITION_FAILED,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    CommitOutcomeUnknown: HTTPStatus.SERVICE_UNAVAILABLE,
}

# To try again is right where nothing was changed; after a commit of unknown outcome, to look first is.
_HEADERS: dict[type[Exception], dict[str, str]] = {StoreUnavailable: RETRY_SOON}


class FieldProblem(msgspec.Struct, omit_defaults=True):
    """What is wrong with one field of the body (*pointer*, RFC 6901) or one parameter."""

    field: str
    detail: str
    pointer: str | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    """An error. *type* is about:blank: *status* says all there is to say about its kind."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: Sequence[FieldProblem] = ()


class RequestRefused(Exception):  # named for what happened
    """The request cannot be understood, accepted or served, for a reason that no use case told."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def body_problem(name: str, detail: str) -> FieldProblem:
    escaped = name.replace("~", "~0").replace("/", "~1")
    return FieldProblem(name, detail, f"/{escaped}")


def problem_of(error: Exception) -> tuple[Problem, dict[str, str] | None]:
    """Return what the client is told of *error*, and headers that go with it."""
    if isinstance(error, RequestRefused):
        return _problem(error.status, error.detail, error.errors), error.headers
    if isinstance(error, InvalidFields):
        problems = [body_problem(wire_name(one.field), one.reason) for one in error.problems]
        return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are not acceptable.", problems), None
    if isinstance(error, InvalidField):
        return problem_of(InvalidFields([error]))
    if isinstance(error, DomainError | ApplicationError) and type(error) in _STATUS:
        return _problem(_STATUS[type(error)], str(error)), _HEADERS.get(type(error))
    if isinstance(error, HTTPException):
        return _of_litestar(error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. It is logged."), None


def _of_litestar(error: HTTPException) -> tuple[Problem, dict[str, str] | None]:
    """Translate Litestar's own refusals; their texts quote the URL and the values, so that none is kept."""
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if isinstance(error, ValidationException):
        return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "A parameter is not acceptable."), headers
    if isinstance(error, MethodNotAllowedException):
        return _problem(status, "This address does not know that method."), headers
    if status is HTTPStatus.NOT_FOUND:
        return _problem(status, "There is nothing at this address."), headers
    return _problem(status, status.description or None), headers


def _problem(status: HTTPStatus, detail: str | None, errors: Sequence[FieldProblem] = ()) -> Problem:
    return Problem(type="about:blank", title=status.phrase, status=status.value, detail=detail, errors=errors)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's exception handler for everything."""
    problem, headers = told_problem(request.method, error)
    return Response(problem, status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)


def told_problem(method: str, error: Exception) -> tuple[Problem, dict[str, str] | None]:
    """Return what the client is told of *error*; one that nobody has foreseen is logged."""
    problem, headers = problem_of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", method=method, error=class_of(error), traceback=course_of(error))
    return problem, headers
