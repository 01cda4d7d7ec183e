"""What a request says in its address: ids in the path, and parameters in the query."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from application.errors import MessageNotFound, UserNotFound
from domain.errors import InvalidField
from domain.message import MessageKey
from domain.user import UserId
from entrypoints.http.operations import Documented
from entrypoints.http.problems import FieldProblem, RequestRefused
from entrypoints.http.requests import AnyRequest, shown_name

_UNKNOWN_SHOWN_MAX = 20


def user_id_of(text: str) -> UserId:
    """Read an id; what cannot be one names nobody, and is answered like any unknown one."""
    try:
        parsed = UUID(text)
    except ValueError:
        raise UserNotFound from None
    if str(parsed) != text.lower():
        raise UserNotFound
    return UserId(parsed)


def key_of(text: str) -> MessageKey:
    """Read a key; what cannot be one names no message."""
    try:
        return MessageKey.parse(text)
    except InvalidField:
        raise MessageNotFound from None


def provide_user_id(id: FromPath[str]) -> UserId:  # noqa: A002  # the path's name for it
    return user_id_of(id)


def provide_message_key(key: FromPath[str]) -> MessageKey:
    return key_of(key)


async def refuse_unknown_parameters(  # async, or Litestar would take it to another thread at every request
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse query parameters that the route does not document: a misspelt one would silently do nothing."""
    operation = getattr(handler, "operation_class", None)
    known = operation.query_names() if operation and issubclass(operation, Documented) else frozenset()
    unknown = sorted({shown_name(name) for name in connection.query_params if name not in known})
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise RequestRefused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"Query parameters known here: {names}.",
            [FieldProblem(name, "There is no such parameter.") for name in unknown[:_UNKNOWN_SHOWN_MAX]],
        )


def one_parameter(request: AnyRequest, name: str) -> str | None:
    """Return a query parameter that may be given once."""
    given: list[str] = request.query_params.getall(name, [])
    if len(given) > 1:
        raise bad_parameter(name, "Give it once.")
    return given[0] if given else None


def whole_number(request: AnyRequest, name: str, default: int, least: int, most: int) -> int:
    text = one_parameter(request, name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise bad_parameter(name, f"Give a whole number from {least} to {most}.")
    return int(text)


def yes_or_no(request: AnyRequest, name: str) -> bool:
    text = one_parameter(request, name)
    if text not in {None, "true", "false"}:
        raise bad_parameter(name, "Give true or false.")
    return text == "true"


def user_id_parameter(request: AnyRequest) -> UserId | None:
    text = one_parameter(request, "userId")
    if text is None:
        return None
    try:
        return user_id_of(text)
    except UserNotFound:
        raise bad_parameter("userId", "This is not an id.") from None


def one_of(request: AnyRequest, name: str, choices: Iterable[str]) -> str | None:
    """Return a query parameter that must be one of *choices*, None where it is not given."""
    text = one_parameter(request, name)
    if text is not None and text not in {*choices}:
        raise bad_parameter(name, f"Choose one of {', '.join(choices)}.")
    return text


def bad_parameter(name: str, detail: str) -> RequestRefused:
    return RequestRefused(
        HTTPStatus.UNPROCESSABLE_ENTITY, "A parameter is not acceptable.", [FieldProblem(name, detail)]
    )
