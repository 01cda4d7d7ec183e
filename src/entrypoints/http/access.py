"""Who asks, and whether they may: before anything else is looked at, on every route that does not say it is open."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import Request
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from application.access import Access
from application.trail import acting_as
from domain.access import ApiKey, KeyKind
from domain.access import Scope as Right
from domain.audit import Actor, ActorKind
from entrypoints.http.operations import Documented
from entrypoints.http.problems import RequestRefused

SESSION_COOKIE = "birthdays_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SEND_A_KEY = "Send a key as 'Authorization: Bearer bday_…'; 'birthdays keys make' makes one."
_ANYBODY = ApiKey(
    id="anybody",
    name="anybody",
    scopes=frozenset({Right.ADMIN}),
    digest=b"",
    created_at=datetime.min.replace(tzinfo=UTC),
)
_CALLER = "caller"
_BEARER = b"Bearer "
"""As most write it; whoever writes it otherwise takes the longer way."""


def needed_right(handler: Any) -> Right | None:
    """Return the scope that a route asks for, None where it is open; one that does not say asks for admin."""
    operation = getattr(handler, "operation_class", None)
    if isinstance(operation, type) and issubclass(operation, Documented):
        return operation.needs
    needed: Right | None = handler.opt.get("needs", Right.ADMIN)
    return needed


def method_of(scope: Scope) -> str:
    return str(scope.get("method", ""))


def caller_of(scope: Scope) -> ApiKey | None:
    """Return whose request it is; None on a route that is open."""
    caller: ApiKey | None = scope["state"].get(_CALLER)
    return caller


class Doorkeeper(ASGIMiddleware):
    """Lets pass who shows a key, or the cookie of a session, that has the scope of the route."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        right = needed_right(scope["route_handler"])
        if right is not None and method_of(scope) != "OPTIONS":
            caller = scope["state"][_CALLER] = await self.admitted(scope, right)
            with acting_as(_actor(caller)):
                await next_app(scope, receive, send)
            return
        await next_app(scope, receive, send)

    async def admitted(self, scope: Scope, right: Right) -> ApiKey:
        """Return who asks. Raises RequestRefused where that is nobody who may."""
        caller = await self._caller(scope)
        if not caller.allows(right):
            raise RequestRefused(
                HTTPStatus.FORBIDDEN,
                f"This needs the scope {right}, which this key has not.",
                headers=_challenge(error="insufficient_scope", scope=right.value),
            )
        return caller

    def recognised(self, headers: Mapping[bytes, bytes], right: Right) -> ApiKey | None:
        """Return whose request to read something it is, where that is known without waiting, and who may.

        None says nothing. No header was sent twice.
        """
        if not self._access.is_required:
            return _ANYBODY if _is_local(headers.get(b"host", b"")) else None
        shown = headers.get(b"authorization", b"")
        if not shown.startswith(_BEARER):
            return None
        key = self._access.authenticate.recognised(shown[len(_BEARER) :])
        return key if key is not None and key.allows(right) else None

    async def _caller(self, scope: Scope) -> ApiKey:
        headers = dict(scope["headers"])
        if not self._access.is_required:
            _refuse_other_hosts(headers)
            _refuse_other_sites(scope, headers, is_sure=False)
            return _ANYBODY
        if b"authorization" in headers:
            # Whoever stands before us may have looked at the other one.
            if [name for name, _ in scope["headers"]].count(b"authorization") > 1:
                raise _unknown("Send one Authorization, not several.", error="invalid_request")
            scheme, _, text = headers[b"authorization"].decode("latin-1").partition(" ")
            key = await self._access.authenticate(text.strip()) if scheme.lower() == "bearer" else None
            if key is None:
                raise _unknown("This key is not, or no longer, good.", error="invalid_token")
            return key
        cookie = Request[Any, Any, Any](scope).cookies.get(SESSION_COOKIE)
        if cookie is None:
            raise _unknown(SEND_A_KEY)
        session = await self._access.authenticate(cookie, KeyKind.SESSION)
        if session is None:
            raise _unknown("This session is over; 'birthdays login' prints a link to a new one.")
        _refuse_other_sites(scope, headers, is_sure=True)
        return session


def _actor(caller: ApiKey) -> Actor:
    kind = ActorKind.SESSION if caller.kind is KeyKind.SESSION else ActorKind.KEY
    return Actor(kind, caller.id, caller.name)


def _refuse_other_sites(scope: Scope, headers: Mapping[bytes, bytes], *, is_sure: bool) -> None:
    """Refuse what a page of another site has a browser send; with *is_sure* also what does not say whence."""
    if method_of(scope) in _SAFE:
        return
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        is_own = site in {b"same-origin", b"none"}
    elif origin is not None:
        is_own = urlsplit(origin.decode("latin-1")).netloc.encode("latin-1") == headers.get(b"host")
    else:
        is_own = not is_sure
    if not is_own:
        raise RequestRefused(HTTPStatus.FORBIDDEN, "A page of another site cannot ask for this.")


def _refuse_other_hosts(headers: Mapping[bytes, bytes]) -> None:
    # Without keys a name that leads to this machine is all that a page of another site would need.
    if not _is_local(headers.get(b"host", b"")):
        raise RequestRefused(
            HTTPStatus.FORBIDDEN, "Without keys only this machine is served, by its own name."
        )


@lru_cache(maxsize=64)
def _is_local(host: bytes) -> bool:
    try:
        name = urlsplit(f"//{host.decode('latin-1')}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _unknown(detail: str, **more: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.UNAUTHORIZED, detail, headers=_challenge(**more))


def _challenge(**more: str) -> dict[str, str]:
    parts = [f'{name}="{value}"' for name, value in {"realm": "birthdays", **more}.items()]
    return {"WWW-Authenticate": f"Bearer {', '.join(parts)}"}
