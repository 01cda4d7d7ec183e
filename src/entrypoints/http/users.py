"""The routes of people."""

from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency

from application.cached_values import Read
from application.errors import UserNotFound
from application.views import UserView
from domain.access import Scope
from domain.errors import InvalidFields
from domain.telling import tell
from domain.user import UserId
from entrypoints.http import documents
from entrypoints.http.conditions import etag_of, if_match, is_not_modified, refuse_bad_condition
from entrypoints.http.operations import operation
from entrypoints.http.pages import bad_cursor, linked_page, read_cursor
from entrypoints.http.parameters import bad_parameter, one_parameter, user_id_of, whole_number, yes_or_no
from entrypoints.http.requests import JSON, MERGE_PATCH, AnyRequest, read_particulars
from entrypoints.http.resources import UpcomingOfUserResource, UserPage, UserResource
from entrypoints.http.use_cases import UseCases

_BODY_PROBLEMS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
CACHE_CONTROL = "private, no-cache"
_READ_PROBLEMS = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)


class UserController(Controller):
    """People: registered, found, changed, removed."""

    path = "/users"
    tags = ("users",)

    @post(
        operation_id="registerUser",
        summary="Register a person",
        operation_class=operation(
            needs=Scope.USERS_WRITE,
            repeatable=True,
            about="id",
            request=documents.NEW_USER,
            answer={"user": documents.USER},
            with_headers=documents.LOCATION,
            refuses=_BODY_PROBLEMS,
        ),
    )
    async def register(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Register a person, and plan what falls into the next days with it."""
        raw = await read_particulars(request, use_cases.clock.now(), is_new=True)
        user = await use_cases.register_user(raw)
        return _user(user, status=HTTPStatus.CREATED, headers={"Location": f"/users/{user.id}"})

    @get(
        operation_id="listUsers",
        summary="List people, or find one by address",
        operation_class=operation(
            documents.AFTER,
            documents.LIMIT,
            documents.EMAIL,
            documents.IF_NONE_MATCH,
            needs=Scope.USERS_READ,
            answer={"page": {"items": [documents.USER], "next": None}, "user": documents.USER},
            with_headers={**documents.LINKED, **documents.CACHED},
            may_be_not_modified=True,
            refuses=_READ_PROBLEMS,
        ),
    )
    async def list(
        self, request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> Response[UserPage | UserResource]:
        """List people in the order of their registration; with *email*, answer the one person.

        The conditions and the headers ETag and X-Cache belong to the one person, Link to the list.
        """
        email = _email(request)
        if email is not None:
            return _read_user(request, await use_cases.find_user_by_email(email))
        refuse_bad_condition(request)
        limit = whole_number(request, "limit", 100, 1, 1000)
        after = one_parameter(request, "after")
        page = await use_cases.list_users(None if after is None else _user_cursor(after), limit)
        items = [UserResource.of(view) for view in page.items]
        return linked_page(request, UserPage, items, str(items[-1].id) if page.more else None)

    @get(
        "/{id:str}",
        operation_id="getUser",
        summary="Show a person",
        operation_class=operation(
            documents.IF_NONE_MATCH,
            needs=Scope.USERS_READ,
            answer={"user": documents.USER},
            with_headers=documents.CACHED,
            may_be_not_modified=True,
            refuses=_READ_PROBLEMS,
        ),
    )
    async def show(
        self, request: AnyRequest, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Show a person's record."""
        return _read_user(request, await use_cases.get_user(user_id))

    @put(
        "/{id:str}",
        operation_id="changeUser",
        summary="Change a person",
        operation_class=operation(
            documents.IF_MATCH,
            needs=Scope.USERS_WRITE,
            request=documents.USER_CHANGE,
            answer={"user": documents.USER},
            with_headers=documents.ETAG,
            refuses=(*_BODY_PROBLEMS, HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED),
        ),
    )
    async def change(
        self, request: AnyRequest, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Merge the given fields into the record; null clears what may be empty. Messages move with it."""
        return await _change(request, user_id, use_cases, JSON)

    @patch(
        "/{id:str}",
        operation_id="patchUser",
        summary="Change a person",
        operation_class=operation(
            documents.IF_MATCH,
            needs=Scope.USERS_WRITE,
            request=documents.USER_PATCH,
            answer={"user": documents.USER},
            with_headers=documents.ETAG,
            refuses=(*_BODY_PROBLEMS, HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED),
        ),
    )
    async def patch(
        self, request: AnyRequest, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> Response[UserResource]:
        """Do the same as PUT (RFC 7396)."""
        return await _change(request, user_id, use_cases, JSON, MERGE_PATCH)

    @delete(
        "/{id:str}",
        operation_id="removeUser",
        summary="Remove a person",
        operation_class=operation(
            documents.ERASE,
            documents.IF_MATCH,
            needs=Scope.USERS_WRITE,
            answer={},
            refuses=(*_READ_PROBLEMS, HTTPStatus.PRECONDITION_FAILED),
        ),
    )
    async def remove(
        self, request: AnyRequest, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> None:
        """Cancel what is to come; with *erase*, remove the record and its messages for good."""
        await use_cases.remove_user(user_id, erase=yes_or_no(request, "erase"), versions=if_match(request))

    @get(
        "/{id:str}/upcoming",
        operation_id="upcomingOfUser",
        summary="When a person's next messages go out, and why then",
        operation_class=operation(
            needs=Scope.USERS_READ,
            answer={"messages": documents.UPCOMING},
            refuses=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        ),
    )
    async def upcoming(
        self, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> UpcomingOfUserResource:
        """Tell the next year's messages in local and UTC time, and what became of the last ones."""
        return UpcomingOfUserResource.of(await use_cases.upcoming_of_user(user_id))


async def _change(
    request: AnyRequest, user_id: UserId, use_cases: UseCases, *accepted: str
) -> Response[UserResource]:
    versions = if_match(request)
    raw = await read_particulars(request, use_cases.clock.now(), is_new=False, accepted=accepted)
    return _user(await use_cases.change_user(user_id, raw, versions))


def _email(request: AnyRequest) -> str | None:
    """Return the address that is looked for; what cannot be one is refused, and asks no store."""
    email = one_parameter(request, "email")
    if email is not None:
        if len(request.query_params) > 1:
            raise bad_parameter("email", "Give it alone.")
        try:
            tell({"email": email})
        except InvalidFields as invalid:
            raise bad_parameter("email", invalid.problems[0].reason) from None
    return email


def _user_cursor(text: str) -> UserId:
    try:
        return user_id_of(read_cursor(text))
    except UserNotFound:
        raise bad_cursor() from None


def _read_user(request: AnyRequest, read: Read[UserView]) -> Response[Any]:
    if is_not_modified(request, etag_of(read.value.version)):
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=_headers_of(read))
    return Response(UserResource.of(read.value), headers=_headers_of(read))


def _headers_of(read: Read[UserView]) -> dict[str, str]:
    return _validators(read.value) | {"X-Cache": read.source.value}


def _user(
    user: UserView, *, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response[UserResource]:
    return Response(UserResource.of(user), status_code=status, headers=_validators(user) | (headers or {}))


def _validators(user: UserView) -> dict[str, str]:
    return {"ETag": etag_of(user.version), "Cache-Control": CACHE_CONTROL}
