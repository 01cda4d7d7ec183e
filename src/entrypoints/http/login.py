"""How a browser comes by its session: a link from the terminal, good once, is exchanged for a cookie."""

from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, delete, get
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.response import Redirect

from application.access import SESSION_LASTS
from domain.access import KeyKind, Scope
from entrypoints.http.access import SESSION_COOKIE, caller_of
from entrypoints.http.documents import parameter
from entrypoints.http.operations import operation
from entrypoints.http.page.routes import answer_trouble
from entrypoints.http.parameters import one_parameter
from entrypoints.http.problems import PROBLEM_JSON, RequestRefused, answer_problem
from entrypoints.http.requests import AnyRequest
from entrypoints.http.use_cases import UseCases

AFTER_LOGIN = "/"
"""The operator's page."""
_TOKEN = parameter("token", "query", "What the link from the terminal holds.")


def _answer_trouble(request: AnyRequest, error: Exception) -> Response[Any]:
    """Say what is wrong as a page to who reads pages, and as a problem to all others."""
    is_read_by_a_person = request.accept.best_match([PROBLEM_JSON, MediaType.HTML]) == MediaType.HTML
    return answer_trouble(request, error) if is_read_by_a_person else answer_problem(request, error)


class LoginController(Controller):
    """For browsers alone, and so no part of the API's document."""

    path = "/login"
    include_in_schema = False
    exception_handlers = {Exception: _answer_trouble}  # noqa: RUF012  # Litestar's way to say it

    @get(operation_class=operation(_TOKEN, needs=None, answer={}))
    async def log_in(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[Any]:
        """Exchange the link for a session, and go on to what there is to see."""
        session = await use_cases.access.log_in(one_parameter(request, "token") or "")
        if session is None:
            raise RequestRefused(
                HTTPStatus.UNAUTHORIZED,
                "This link was used before, or is too old; 'birthdays login' prints a new one.",
                headers={"WWW-Authenticate": 'Bearer realm="birthdays"'},
            )
        return Redirect(
            AFTER_LOGIN,
            status_code=303,
            headers={"Referrer-Policy": "no-referrer"},
            cookies=[_cookie(request, session.text, int(SESSION_LASTS.total_seconds()))],
        )

    @delete(operation_class=operation(needs=Scope.ADMIN, answer={}), status_code=HTTPStatus.OK)
    async def log_out(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[Any]:
        """End the session."""
        caller = caller_of(request.scope)
        if caller is not None and caller.kind is KeyKind.SESSION:
            await use_cases.access.revoke_key(caller.id)
            use_cases.access.authenticate.forget(caller.id)
        return Response(None, status_code=HTTPStatus.NO_CONTENT, cookies=[_cookie(request, "", 0)])


def _cookie(request: AnyRequest, text: str, lasts_s: int) -> Cookie:
    return Cookie(
        key=SESSION_COOKIE,
        value=text,
        max_age=lasts_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
