"""The way of GET /users/{id} below the routes, which cost more than all that it does itself.

The same checks, the same answer: whatever is not the plain case goes on to the route, and the tests of the API
run over both.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from uuid import UUID

import attrs
import msgspec
from litestar.enums import ScopeType
from litestar.types import Scope

from application.cached_values import Glance, Read
from application.limiting import Permit
from application.views import UserView
from domain.access import Scope as Right
from domain.user import UserId
from entrypoints.http import limits
from entrypoints.http.access import Doorkeeper, needed_right
from entrypoints.http.conditions import etag_of
from entrypoints.http.limits import class_of_request, lines_of, permitted, told_of, took_too_long
from entrypoints.http.patience import Patience
from entrypoints.http.problems import PROBLEM_JSON, told_problem
from entrypoints.http.requests import JSON
from entrypoints.http.resources import UserResource
from entrypoints.http.use_cases import UseCases
from entrypoints.http.users import CACHE_CONTROL, UserController
from entrypoints.http.whole_answers import Answer, head_of

ROUTE = "/users/{id}"
_PATH = re.compile(r"/users/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.ASCII)
_PATH_LENGTH = 43
_OK = HTTPStatus.OK.value
_RIGHT = needed_right(UserController.show) or Right.ADMIN
_KIND = class_of_request(UserController.show, "GET")
_encode = msgspec.json.Encoder().encode

Headers = Mapping[bytes, bytes]
_HEAD = head_of({"Content-Type": JSON, "Cache-Control": CACHE_CONTROL})


@attrs.frozen
class Begun:
    """What was done for a request without waiting: a permit is taken, and a look begun where that could be."""

    permit: Permit
    glance: Glance | None


class ShortCut:
    """Answers who asks for a person."""

    def __init__(self, use_cases: UseCases) -> None:
        self._doorkeeper = Doorkeeper(use_cases.access)
        self._limiter = use_cases.limiter
        self._get_user = use_cases.get_user
        self._patience = Patience(limits.ANSWER_WITHIN_S)

    def asked_for(self, scope: Scope) -> tuple[UserId, Headers] | None:
        """Return who is asked for, and the headers, where that is all that is asked, and said once."""
        if scope["type"] != ScopeType.HTTP or scope["method"] not in {"GET", "HEAD"} or scope["query_string"]:
            return None
        path = scope["path"]
        user_id = _user_of(path) if len(path) == _PATH_LENGTH else None
        if user_id is None:
            return None
        sent = list(scope["headers"])
        headers = dict(sent)
        if len(headers) != len(sent) or b"if-none-match" in headers:
            return None
        return user_id, headers

    def begin(self, user_id: UserId, headers: Headers) -> Begun | None:
        """Begin what ``asked_for`` took; None where one has to wait to know who asks, or for a permit."""
        caller = self._doorkeeper.recognised(headers, _RIGHT)
        permit = None if caller is None else self._limiter.from_stock(caller.id, _KIND)
        return None if permit is None else Begun(permit, self._get_user.begin(user_id))

    def found(self, user_id: UserId, begun: Begun) -> Answer | None:
        """Return the answer where the look, which has ended, was a hit; else ``answer`` has to go on."""
        read = None if begun.glance is None else self._get_user.found(user_id, begun.glance)
        return None if read is None else _shown(read, begun.permit)

    async def answer(
        self, scope: Scope, user_id: UserId, headers: Headers, begun: Begun | None = None
    ) -> Answer:
        """Return the answer to what ``asked_for`` took, and perhaps ``begin`` began."""
        permit: Permit | None = None
        try:
            begun = begun or self.begin(user_id, headers)
            if begun is None:
                caller = await self._doorkeeper.admitted(scope, _RIGHT)
                begun = Begun(await permitted(self._limiter, caller, _KIND), glance=None)
            permit = begun.permit
            read = await self._patience.wait_for(self._get_user(user_id, begun.glance))
            return _shown(read, permit)
        except Exception as error:  # noqa: BLE001  # as on every route, each is told as a problem
            problem, more = told_problem("GET", took_too_long() if isinstance(error, TimeoutError) else error)
            told = {} if permit is None else told_of(permit)
            head = head_of({**told, **(more or {}), "Content-Type": PROBLEM_JSON})
            return Answer(problem.status, head, _encode(problem))


@lru_cache(maxsize=4096)
def _user_of(path: str) -> UserId | None:
    match = _PATH.fullmatch(path)
    return None if match is None else UserId(UUID(match[1]))


def _shown(read: Read[UserView], permit: Permit) -> Answer:
    head = b"%betag: %b\r\nx-cache: %b\r\n%b" % (
        _HEAD,
        etag_of(read.value.version).encode(),
        read.source.encode(),
        lines_of(permit),
    )
    return Answer(_OK, head, _encode(UserResource.of(read.value)))
