"""How people get out of messages: a page that changes nothing, and a post that does (RFC 8058). Asks nobody for a key."""

from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from application.errors import LinkUnknown
from application.limiting import RequestClass
from domain.access import Scope
from domain.user import UserId
from entrypoints.http import documents
from entrypoints.http.operations import operation
from entrypoints.http.page.rendering import page
from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import AnyRequest, read_body
from entrypoints.http.resources import UserResource
from entrypoints.http.use_cases import UseCases

_BODY_BYTES_MAX = 16 * 1024
_HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_UP = ".."


class UnsubscribeController(Controller):
    """For whoever gets messages, and their mail programs; so no part of the API's document."""

    path = "/unsubscribe"
    include_in_schema = False

    @get("/{token:str}", operation_class=operation(needs=None, answer={}))
    async def show(
        self, request: AnyRequest, token: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Show what the link is for. Programs that look at every link of a mail change nothing."""
        await _count(request, use_cases)
        try:
            kind, opted_out = await use_cases.look_at_link(token)
        except LinkUnknown:
            return _unknown()
        if kind in opted_out:
            return _page("You have got out", is_known=True, opted_out=sorted(opted_out))
        return _page(f"No more {kind.lower()} messages?", kind=kind)

    @post("/{token:str}", operation_class=operation(needs=None, answer={}), status_code=HTTPStatus.OK)
    async def act(
        self, request: AnyRequest, token: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Get the person out: of the link's kind with ``List-Unsubscribe=One-Click``, or of all."""
        await _count(request, use_cases)
        body = await read_body(request, _BODY_BYTES_MAX)
        # A form in either of its content types: RFC 8058 allows both, and the value says all there is to say.
        of_all = b"One-Click" not in body and b"List-Unsubscribe=all" in body
        if not of_all and b"One-Click" not in body:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "Send List-Unsubscribe=One-Click.")
        try:
            opted_out = await use_cases.unsubscribe(token, of_all=of_all)
        except LinkUnknown:
            return _unknown()
        return _page("You have got out", is_known=True, opted_out=sorted(opted_out))


class LinkController(Controller):
    """The links out of messages, for who administers people."""

    path = "/users"
    tags = ("users",)

    @post(
        "/{id:str}/revoke-links",
        operation_id="revokeLinks",
        summary="Make the links in a person's messages good for nothing",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            needs=Scope.USERS_WRITE,
            answer={"user": documents.USER},
            refuses=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        ),
    )
    async def revoke(
        self, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> UserResource:
        """Revoke the links out of messages that were sent so far, as after a mail was passed on. New ones are good."""
        return UserResource.of(await use_cases.revoke_links(user_id))


async def _count(request: AnyRequest, use_cases: UseCases) -> None:
    """Let one address ask so often and no more: tokens cannot be guessed, and the database is to be left in peace."""
    caller = request.client.host if request.client else ""
    permit = await use_cases.limiter.ask(f"address:{caller}", RequestClass.PUBLIC)
    if not permit.is_granted:
        raise RequestRefused(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Too many requests; try again in a minute.",
            headers={"Retry-After": str(permit.reset_s)},
        )


def _page(title: str, *, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> Response[Any]:
    known = {"kind": None, "is_known": False, "opted_out": [], "base": _UP, "title": title, **context}
    return page("unsubscribe", known, status=status, cookie=None, **_HEADERS)


def _unknown() -> Response[Any]:
    return _page("This link is not good any more", status=HTTPStatus.NOT_FOUND)
