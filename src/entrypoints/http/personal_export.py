"""The route by which a person learns all that is held of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from domain.access import Scope
from domain.user import User, UserId
from entrypoints.http import documents
from entrypoints.http.audit import ENTRY, EntryResource
from entrypoints.http.operations import operation
from entrypoints.http.resources import MessageResource, Resource
from entrypoints.http.use_cases import UseCases

_USER: Mapping[str, Any] = {
    **documents.USER,
    "externalId": "P-7",
    "birthdayKnownAt": "2026-11-30T12:00:00Z",
    "anniversaryKnownAt": "2026-11-30T12:00:00Z",
    "deletedAt": None,
}
_EXPORT: Mapping[str, Any] = {
    "exportedAt": "2026-12-11T12:00:00Z",
    "user": _USER,
    "messages": [documents.MESSAGE],
    "imports": [],
    "answers": 0,
    "audit": [ENTRY],
}


class PersonResource(Resource, frozen=True, kw_only=True):
    """Everything on a person's record."""

    id: UserId
    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday_date: str | None
    anniversary_date: str | None
    leap_day_rule: str | None
    external_id: str | None
    opted_out: Sequence[str]
    version: int
    created_at: datetime
    updated_at: datetime
    birthday_known_at: datetime
    anniversary_known_at: datetime
    deleted_at: datetime | None

    @classmethod
    def of(cls, user: User) -> "PersonResource":
        told = {
            name: getattr(user, name)
            for name in cls.__struct_fields__
            if name not in {"birthday_date", "anniversary_date", "opted_out"}
        }
        return cls(
            **told,
            birthday_date=None if user.birthday is None else str(user.birthday),
            anniversary_date=None if user.anniversary is None else user.anniversary.isoformat(),
            opted_out=sorted(user.opted_out),
        )


class ExportResource(Resource, frozen=True, kw_only=True):
    """All that is held. *answers* counts what is kept for a day for requests that are sent again."""

    exported_at: datetime
    user: PersonResource
    messages: Sequence[MessageResource]
    imports: Sequence[Mapping[str, Any]]
    answers: int
    audit: Sequence[EntryResource]


class PersonalExportController(Controller):
    """All that is held of one person."""

    path = "/users"
    tags = ("users",)

    @get(
        "/{id:str}/export",
        operation_id="exportUser",
        summary="All that is held of a person",
        operation_class=operation(
            needs=Scope.ADMIN,
            answer={"export": _EXPORT},
            refuses=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        ),
    )
    async def export(
        self, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> Response[ExportResource]:
        """Tell the record, deleted or not, every message, what imports remember, and who did what."""
        held, entries, at = await use_cases.export_person(user_id)
        told = ExportResource(
            exported_at=at,
            user=PersonResource.of(held.user),
            messages=[MessageResource.of(view) for view in held.messages],
            imports=held.imports,
            answers=held.answers,
            audit=[EntryResource.of(entry) for entry in entries],
        )
        return Response(told, headers={"Cache-Control": "no-store"})
