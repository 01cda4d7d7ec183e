"""What a request says in its body; every mistake of it at once."""

import json
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request

from domain.errors import InvalidFields
from domain.occasion import Kind
from domain.telling import OPTED_OUT, tell
from entrypoints.http.names import ATTRIBUTES, NEEDED, WIRE_NAMES, wire_name
from entrypoints.http.problems import FieldProblem, RequestRefused, body_problem

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_BYTES_MAX = 1024 * 1024
FILE_BYTES_MAX = 20 * 1024 * 1024
_UNKNOWN_SHOWN_MAX = 20

AnyRequest = Request[Any, Any, Any]


def require_type(request: AnyRequest, *accepted: str) -> None:
    """Refuse a body of any other content type, encoding, or character set."""
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    if (
        media_type.strip().lower() not in accepted
        or (charset is not None and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"})
        or request.headers.get("content-encoding", "identity").lower() != "identity"
    ):
        raise RequestRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send the body as it is, in UTF-8, with Content-Type: {' or '.join(accepted)}.",
            headers={"Accept": ", ".join(accepted)},
        )


async def read_body(request: AnyRequest, bytes_max: int) -> bytes:
    """Read the body as far as it is allowed to go."""
    announced = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = int(announced) if re.fullmatch(r"\d{1,18}", announced, re.ASCII) else 0
    _refuse_too_large(size, bytes_max)
    size = 0
    more = True
    # By the raw protocol: Litestar's stream takes a client who goes away for a failure of the service.
    while more:
        event = await request.receive()
        if event["type"] != "http.request":
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "The body ended early.")
        size += len(event["body"])
        _refuse_too_large(size, bytes_max)
        parts.append(event["body"])
        more = event.get("more_body", False)
    return b"".join(parts)


def _refuse_too_large(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body may have at most {bytes_max:,} bytes."
        )


async def read_particulars(
    request: AnyRequest, now: datetime, *, is_new: bool, accepted: Sequence[str] = (JSON,)
) -> Mapping[str, str | None]:
    """Return what the body tells of a person, by attribute names; null where a value is taken back.

    Raises RequestRefused with every unknown, missing or unacceptable field.
    """
    require_type(request, *accepted)
    decoded, repeated = decode_object(await read_body(request, JSON_BYTES_MAX))
    told = {name: _one_text(name, value) for name, value in decoded.items()}
    problems = _unknown(told, ATTRIBUTES)
    problems += [body_problem(name, "It is given more than once.") for name in ATTRIBUTES if name in repeated]
    problems += [
        body_problem(name, _KINDS_HELP if name == _KINDS else "This is to be a text.")
        for name in ATTRIBUTES
        if name not in repeated and not isinstance(told.get(name), str | None)
    ]
    if is_new:
        problems += [body_problem(name, "This is needed.") for name in NEEDED if told.get(name) is None]
    unusable = {problem.field for problem in problems}
    raw = {attribute: told[name] for name, attribute in ATTRIBUTES.items() if name in told.keys() - unusable}
    try:
        tell(raw, now)
    except InvalidFields as invalid:
        problems += [body_problem(wire_name(one.field), one.reason) for one in invalid.problems]
    if problems:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are not acceptable.", problems)
    return raw


_KINDS = WIRE_NAMES[OPTED_OUT]
_KINDS_HELP = f"This is to be a list of {', '.join(Kind)}."


def _one_text(name: str, value: Any) -> Any:
    """Return a list of kinds as the text that ``tell`` reads; anything else as it is."""
    if name != _KINDS or value is None:
        return value
    is_good = isinstance(value, list) and all(isinstance(one, str) and one in {*Kind} for one in value)
    return " ".join(value) if is_good else [value]


async def read_object(request: AnyRequest, known: Container[str]) -> Mapping[str, Any]:
    """Return the JSON object that the body is; raises RequestRefused, also where it has names not *known*."""
    require_type(request, JSON)
    told, repeated = decode_object(await read_body(request, JSON_BYTES_MAX))
    problems = _unknown(told, known)
    problems += [
        body_problem(name, "It is given more than once.") for name in sorted(repeated) if name in known
    ]
    if problems:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are not acceptable.", problems)
    return told


def decode_object(body: bytes) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Return the JSON object, and the names that it has more than once."""
    try:
        told = msgspec.json.decode(body)
        # msgspec is strict and keeps the last of two equal names; the standard library, which takes NaN and
        # lone surrogates, shows both.
        pairs = json.loads(body, object_pairs_hook=tuple)
    except (ValueError, RecursionError):  # ValueError: also what is not UTF-8, and numbers past all bounds
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None
    if not isinstance(told, dict):
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "The body is not a JSON object.")
    counts = Counter(name for name, _ in pairs)
    return told, frozenset(name for name, count in counts.items() if count > 1)


def _unknown(told: Mapping[str, Any], known: Container[str]) -> list[FieldProblem]:
    names = sorted({shown_name(name) for name in told if name not in known})
    return [
        FieldProblem(name, "There is no such field.", "" if name == _NAMELESS else f"/{name}")
        for name in names[:_UNKNOWN_SHOWN_MAX]
    ]


_NAMELESS = "(unknown)"


def shown_name(name: str) -> str:
    """Return a name that somebody chose as it may be shown: it may be anything, also an address."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,40}", name) else _NAMELESS
