"""The route of the audit trail."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from domain.access import Scope
from domain.audit import ActorKind, Entry
from entrypoints.http import documents
from entrypoints.http.names import wire_name
from entrypoints.http.operations import operation
from entrypoints.http.pages import bad_cursor, linked_page, read_cursor
from entrypoints.http.parameters import one_parameter, user_id_parameter, whole_number
from entrypoints.http.requests import AnyRequest
from entrypoints.http.resources import Resource
from entrypoints.http.use_cases import UseCases

_NUMBER_LENGTH_MAX = 18
ENTRY: Mapping[str, Any] = {
    "number": 42,
    "at": "2026-12-08T12:00:00Z",
    "actor": {"kind": "key", "id": "5f1d7e84a9c0", "name": "payroll"},
    "action": "change",
    "userId": documents.USER["id"],
    "messageKey": None,
    "subject": None,
    "keyId": None,
    "fields": ["email", "timezone"],
    "reason": None,
}


class ActorResource(Resource, frozen=True):
    """Who acted; *id* and *name* are those of the key, *name* of a command is the account that ran it."""

    kind: ActorKind
    id: str | None
    name: str | None


class EntryResource(Resource, frozen=True, kw_only=True):
    """What was done. *fields* are names, never values."""

    number: int
    at: datetime
    actor: ActorResource
    action: str
    user_id: UUID | None
    message_key: str | None
    subject: str | None
    key_id: str | None
    fields: tuple[str, ...]
    reason: str | None

    @classmethod
    def of(cls, entry: Entry) -> "EntryResource":
        return cls(
            number=entry.number or 0,
            at=entry.at,
            actor=ActorResource(entry.actor.kind, entry.actor.id, entry.actor.name),
            action=entry.action,
            user_id=entry.user_id,
            message_key=None if entry.message is None else str(entry.message),
            subject=entry.subject,
            key_id=entry.key_id,
            fields=tuple(wire_name(name) for name in entry.fields),
            reason=entry.reason,
        )


class AuditPage(Resource, frozen=True):
    """A page of the trail; *next* is the cursor of the one after it, null at the end."""

    items: Sequence[EntryResource]
    next: str | None


class AuditController(Controller):
    """Who did what, and when."""

    path = "/audit"
    tags = ("audit",)

    @get(
        operation_id="listAudit",
        summary="Who did what, the last first",
        operation_class=operation(
            documents.AFTER,
            documents.LIMIT,
            documents.USER_ID,
            needs=Scope.ADMIN,
            answer={"page": {"items": [ENTRY], "next": None}},
            with_headers=documents.LINKED,
            refuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
        ),
    )
    async def list(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[AuditPage]:
        """List what was done to people's records, to messages, channels and keys. Nobody can change it."""
        after = one_parameter(request, "after")
        page = await use_cases.audit_reader.page(
            None if after is None else _cursor(after),
            whole_number(request, "limit", 100, 1, 1000),
            user_id_parameter(request),
        )
        items = [EntryResource.of(entry) for entry in page.items]
        return linked_page(request, AuditPage, items, str(items[-1].number) if page.more else None)


def _cursor(text: str) -> int:
    number = read_cursor(text)
    if not (number.isascii() and number.isdigit() and len(number) <= _NUMBER_LENGTH_MAX):
        raise bad_cursor()
    return int(number)
