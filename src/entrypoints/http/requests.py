"""What a request says: its body, its conditions, its parameters; every mistake of it at once."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request

from domain.errors import InvalidFields
from domain.user import tell
from entrypoints.http.names import ATTRIBUTES, NEEDED, wire_name
from entrypoints.http.problems import FieldProblem, RequestRefused, body_problem

JSON_BYTES_MAX = 1024 * 1024
_ETAGS = re.compile(r'\s*(?:\*|(?:W/)?"[^"]*"(?:\s*,\s*(?:W/)?"[^"]*")*)\s*')
_ETAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"[1-9]\d{0,17}", re.ASCII)

AnyRequest = Request[Any, Any, Any]


async def read_body(request: AnyRequest, bytes_max: int) -> bytes:
    """Read the body as far as it is allowed to go."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise RequestRefused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body may have at most {bytes_max} bytes."
            )
        parts.append(part)
    return b"".join(parts)


def require_type(request: AnyRequest, *accepted: str) -> None:
    """Refuse a body of any other content type."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in accepted:
        raise RequestRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body with Content-Type: {accepted[0]}."
        )


async def read_particulars(
    request: AnyRequest, now: datetime, *, is_new: bool, accepted: Sequence[str] = ("application/json",)
) -> Mapping[str, str | None]:
    """Return what the body tells of a person, by attribute names; null where a value is taken back.

    Raises RequestRefused with every unknown, missing or unacceptable field.
    """
    require_type(request, *accepted)
    body = await read_body(request, JSON_BYTES_MAX)
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None
    if not isinstance(told, dict):
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "The body is not a JSON object.")
    problems = [problem for name, value in told.items() for problem in _problems_of_type(name, value)]
    if is_new:
        problems += [body_problem(name, "This is needed.") for name in NEEDED if told.get(name) is None]
    unusable = {problem.field for problem in problems}
    raw = {ATTRIBUTES[name]: value for name, value in told.items() if name in ATTRIBUTES.keys() - unusable}
    try:
        tell(raw, now)
    except InvalidFields as invalid:
        problems += [body_problem(wire_name(one.field), one.reason) for one in invalid.problems]
    if problems:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are not acceptable.", problems)
    return raw


def _problems_of_type(name: str, value: object) -> Sequence[FieldProblem]:
    if name not in ATTRIBUTES:
        return [body_problem(_shown(name), "There is no such field.")]
    if value is not None and not isinstance(value, str):
        return [body_problem(name, "This is to be a text.")]
    return []


def _shown(name: str) -> str:
    # A field's name may be anything, also somebody's address: only what looks like a name is repeated.
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,40}", name) else "(unknown)"


def refuse_unknown_parameters(request: AnyRequest, known: Collection[str]) -> None:
    """Refuse query parameters that the route does not know: a misspelt one would silently do nothing."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise RequestRefused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"Query parameters known here: {names}.",
            [FieldProblem(_shown(name), "There is no such parameter.") for name in unknown],
        )


def one_parameter(request: AnyRequest, name: str) -> str | None:
    """Return a query parameter that may be given once."""
    given: list[str] = request.query_params.getall(name, [])
    if len(given) > 1:
        raise bad_parameter(name, "Give it once.")
    return given[0] if given else None


def bad_parameter(name: str, detail: str) -> RequestRefused:
    return RequestRefused(
        HTTPStatus.UNPROCESSABLE_ENTITY, "A parameter is not acceptable.", [FieldProblem(name, detail)]
    )


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


def etag_of(version: int) -> str:
    return f'"{version}"'


def if_match(request: AnyRequest) -> Sequence[int] | None:
    """Return the versions that If-Match allows, None for any; a weak tag or a foreign one matches nothing."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    tags = _tags(header, "If-Match")
    if tags is None:
        return None
    return [int(tag) for is_weak, tag in tags if not is_weak and _VERSION.fullmatch(tag)]


def is_not_modified(request: AnyRequest, etag: str) -> bool:
    """Tell whether If-None-Match names *etag*; compared weakly, as RFC 9110 wants for it."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    tags = _tags(header, "If-None-Match")
    return tags is None or any(f'"{tag}"' == etag for _, tag in tags)


def _tags(header: str, name: str) -> Sequence[tuple[bool, str]] | None:
    """Return (is weak, tag) of each entity tag; None for ``*``."""
    if not _ETAGS.fullmatch(header):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, f'{name} holds entity tags such as "3", or *.')
    if header.strip() == "*":
        return None
    return [(weak == "W/", tag) for weak, tag in _ETAG.findall(header)]
