"""The routes of keys, for who administers the service."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Reference, RequestBody, Schema
from litestar.params import FromPath

from domain.access import NAME_MAX, Scope, scopes_of
from domain.errors import InvalidField
from entrypoints.http.documents import parameter
from entrypoints.http.operations import operation, shown_example
from entrypoints.http.parameters import whole_number
from entrypoints.http.problems import FieldProblem, RequestRefused, body_problem
from entrypoints.http.requests import JSON, AnyRequest, read_object
from entrypoints.http.resources import KeyResource, KeysResource, NewKeyResource
from entrypoints.http.use_cases import UseCases

_DAYS_MAX = 3660
NAME = Schema(
    type=OpenAPIType.STRING,
    description=f"Whose it is, and what for; up to {NAME_MAX} printable characters.",
    format="printable",  # type: ignore[arg-type]  # a format may be any word
    min_length=1,
    max_length=NAME_MAX,
)
EXPIRES_IN_DAYS = Schema(
    type=[OpenAPIType.INTEGER, OpenAPIType.NULL],
    description=f"From 1 to {_DAYS_MAX}; null for ever.",
    minimum=1,
    maximum=_DAYS_MAX,
)
_EXAMPLE: Mapping[str, Any] = {
    "name": "payroll",
    "scopes": ["users:read", "users:write"],
    "expiresInDays": 365,
}
_KEY: Mapping[str, Any] = {
    "id": "5f1d7e84a9c0",
    "kind": "key",
    "name": "payroll",
    "scopes": ["users:read", "users:write"],
    "createdAt": "2026-11-30T12:00:00Z",
    "expiresAt": "2027-11-30T12:00:00Z",
    "revokedAt": None,
    "lastUsedAt": None,
}
_TOLD_ONCE: Mapping[str, Any] = {"key": _KEY, "text": "bday_5f1d7e84a9c0_…"}
_FIELDS: dict[str, Reference | Schema] = {
    "name": NAME,
    "scopes": Schema(
        type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING, enum=list(Scope)), min_items=1
    ),
    "expiresInDays": EXPIRES_IN_DAYS,
}
_BODY = RequestBody(
    required=True,
    content={
        JSON: OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                properties=_FIELDS,
                required=["name", "scopes"],
                additional_properties=False,
            ),
            examples={"body": shown_example(_EXAMPLE)},
        )
    },
)
_OVERLAP = parameter(
    "overlapHours",
    "query",
    "For how long the secret before stays good.",
    Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=168, default=0),
)


class KeyController(Controller):
    """Keys: made, listed, rotated, revoked. Their secrets are told once and stored nowhere."""

    path = "/keys"
    tags = ("keys",)

    @get(
        operation_id="listKeys",
        summary="List keys and sessions",
        operation_class=operation(needs=Scope.ADMIN, answer={"keys": {"items": [_KEY]}}),
    )
    async def list(self, use_cases: NamedDependency[UseCases]) -> KeysResource:
        """List all keys and browser sessions, the oldest first; last use is written once a minute."""
        return KeysResource([KeyResource.of(key) for key in await use_cases.access.list_keys()])

    @post(
        operation_id="makeKey",
        summary="Make a key",
        operation_class=operation(
            needs=Scope.ADMIN,
            request=_BODY,
            answer={"key": _TOLD_ONCE},
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            ),
        ),
    )
    async def make(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[NewKeyResource]:
        """Make a key. The answer alone holds its text; it takes no Idempotency-Key, since that would keep it."""
        name, scopes, lasts = _read(await read_object(request, _FIELDS))
        made = await use_cases.access.make_key(name, scopes, lasts=lasts)
        return Response(NewKeyResource.of(made), status_code=HTTPStatus.CREATED)

    @post(
        "/{id:str}/rotate",
        operation_id="rotateKey",
        summary="Give a key another secret",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            _OVERLAP,
            needs=Scope.ADMIN,
            answer={"key": _TOLD_ONCE},
            refuses=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
        ),
    )
    async def rotate(
        self,
        request: AnyRequest,
        id: FromPath[str],  # noqa: A002  # the path's name for it
        use_cases: NamedDependency[UseCases],
    ) -> NewKeyResource:
        """Give a key another secret; the one before stays good for as long as is asked, else not at all."""
        overlap = timedelta(hours=whole_number(request, "overlapHours", 0, 0, 168))
        made = await use_cases.access.rotate_key(id, overlap=overlap)
        use_cases.access.authenticate.forget(id)
        return NewKeyResource.of(made)

    @delete(
        "/{id:str}",
        operation_id="revokeKey",
        summary="Revoke a key",
        operation_class=operation(needs=Scope.ADMIN, answer={}, refuses=(HTTPStatus.NOT_FOUND,)),
    )
    async def revoke(self, id: FromPath[str], use_cases: NamedDependency[UseCases]) -> None:  # noqa: A002  # same
        """Revoke a key or a session: here at once, in other processes within three seconds."""
        await use_cases.access.revoke_key(id)
        use_cases.access.authenticate.forget(id)


def _read(told: Mapping[str, Any]) -> tuple[str, frozenset[Scope], timedelta | None]:
    """Raises RequestRefused with every field that is not acceptable."""
    problems: list[FieldProblem] = []
    name, lasts = read_name_and_days(told, problems)
    names = told.get("scopes")
    scopes: frozenset[Scope] = frozenset()
    if not (isinstance(names, Sequence) and all(isinstance(one, str) for one in names)) or isinstance(
        names, str
    ):
        problems.append(body_problem("scopes", "This is to be a list of texts."))
    else:
        try:
            scopes = scopes_of(names)
        except InvalidField as problem:
            problems.append(body_problem("scopes", problem.reason))
    if problems:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are not acceptable.", problems)
    return name, scopes, lasts


def read_name_and_days(told: Mapping[str, Any], problems: list[FieldProblem]) -> tuple[str, timedelta | None]:
    """Return the name of a key or a feed and for how long it is good; add what is not acceptable to *problems*."""
    name, days = told.get("name"), told.get("expiresInDays")
    if not isinstance(name, str):
        problems.append(body_problem("name", "This is to be a text."))
    if isinstance(days, float) and days.is_integer():
        days = int(days)  # JSON knows one kind of numbers: 30.0 is a whole one
    if days is not None and (type(days) is not int or not 1 <= days <= _DAYS_MAX):
        problems.append(body_problem("expiresInDays", f"Give a whole number from 1 to {_DAYS_MAX}."))
        days = None
    return str(name), None if days is None else timedelta(days=days)
