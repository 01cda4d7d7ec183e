"""Who has no key, or one for something else: single requests, each of which gets nothing."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import attrs
import httpx
import pytest
from litestar.testing import TestClient
from structlog.typing import EventDict

from application.key_texts import new_key_text
from domain.access import Scope
from entrypoints.http.use_cases import UseCases
from tests.attacks.raw import asked_raw
from tests.attacks.tried import tried
from tests.http.world import ADA, ADMIN, AS_ADMIN, NOBODY, Api, app_of
from tests.use_cases.service import Service

pytestmark = pytest.mark.slow  # together they are

BEARER = AS_ADMIN["Authorization"]
JSON = {"content-type": "application/json"}


@attrs.frozen
class Ask:
    """A request, and the statuses that are a refusal of it."""

    asked: str
    statuses: Sequence[int] = (401,)
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = attrs.field(factory=dict)
    body: Any = None

    def of(self, api: Api, ada: str = "") -> httpx.Response:
        method, path = self.asked.replace("{ada}", ada).split(" ", 1)
        return api.client.request(
            method,
            path,
            headers=self.headers,
            json=self.body,
            follow_redirects=False,
        )


@pytest.fixture
def stranger(
    api: Api, ada: str, service: Service, use_cases: UseCases, logged: list[EventDict]
) -> Iterator[Api]:
    """Who has no key, where there is somebody to be found."""
    with TestClient(app_of(use_cases)) as client:
        yield Api(service, client)


def _bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


WITHOUT = {
    "no key at all: 401": Ask("GET /users"),
    "an empty key: 401": Ask("GET /users", headers={"Authorization": "Bearer "}),
    "the words null and undefined for a key: 401": Ask("GET /users", headers=_bearer("null")),
    "the key without a scheme: 401": Ask("GET /users", headers={"Authorization": ADMIN.text}),
    "the key as a password (Basic): 401": Ask("GET /users", headers={"Authorization": f"Basic {ADMIN.text}"}),
    "the key in capitals: 401": Ask("GET /users", headers=_bearer(ADMIN.text.upper())),
    "a key cut short by one: 401": Ask("GET /users", headers=_bearer(ADMIN.text[:-1])),
    "a good key with something behind it: 401": Ask("GET /users", headers=_bearer(f"{ADMIN.text} x")),
    "a well-formed key that nobody made: 401": Ask("GET /users", headers=_bearer(new_key_text().text)),
    "a known id with another secret: 401": Ask(
        "GET /users", headers=_bearer(new_key_text(ADMIN.key.id).text)
    ),
    "SQL for a key: 401": Ask("GET /users", headers=_bearer("bday_' OR '1'='1' --")),
    "a key of ten thousand letters: 401": Ask("GET /users", headers=_bearer("bday_" + "a" * 10_000)),
    "a bad and a good key in one request: 401": Ask(
        "GET /users", headers=[("Authorization", "Bearer x"), ("Authorization", BEARER)]
    ),
    "a good and a bad key in one request: 401": Ask(
        "GET /users", headers=[("Authorization", BEARER), ("Authorization", "Bearer x")]
    ),
    "the key in the address: 401": Ask(f"GET /users?access_token={ADMIN.text}"),
    "the key under another header: 401": Ask("GET /users", headers={"X-Api-Key": ADMIN.text}),
    "the key as the cookie of a session: 401": Ask(
        "GET /users", headers={"Cookie": f"birthdays_session={ADMIN.text}"}
    ),
    "the key as a link's token: 401": Ask(f"GET /login?token={ADMIN.text}"),
    "no token for a link: 401": Ask("GET /login"),
    "a header that says the caller is local: 401": Ask(
        "GET /users",
        headers={"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    ),
    "a header that says who was let in before us: 401": Ask(
        "GET /users", headers={"X-Forwarded-User": "admin", "Remote-User": "admin", "X-Remote-User": "admin"}
    ),
    "a header that names another address (X-Original-URL): 401": Ask(
        "GET /users", headers={"X-Original-URL": "/health/live", "X-Rewrite-URL": "/health/live"}
    ),
    "an open address by header, a closed one by path: nothing of the closed one": Ask(
        "GET /health/live", (200,), {"X-Original-URL": "/users", "X-Rewrite-URL": "/users"}
    ),
    "a write by a method in a header: 401": Ask("POST /users", headers={"X-HTTP-Method-Override": "GET"}),
    "HEAD instead of GET: 401": Ask("HEAD /users"),
    "metrics: 401": Ask("GET /metrics"),
    "the page: a page that asks to log in": Ask("GET /", (401,)),
    "a form of the page: refused": Ask(f"POST /page/messages/2027-03-14.birthday.{NOBODY}", (401, 403)),
    "keys made by nobody: 401": Ask("POST /keys", headers=JSON, body={"name": "x", "scopes": ["admin"]}),
    "OPTIONS, which is open: no data": Ask("OPTIONS /users", (204,)),
    "TRACE: 405": Ask("TRACE /users", (405, 404)),
    "a method that nobody knows: 405": Ask("BIRTHDAY /users", (405, 404)),
}
PATHS = {
    "/health/../users": (401, 404),
    "/health/live/../../users": (401, 404),
    "/health/live/%2e%2e/%2e%2e/users": (401, 404),
    "/health/live%2f..%2f..%2fusers": (401, 404),
    "/schema/../users": (401, 404),
    "/page/assets/../../users": (401, 404),
    "/page/assets/%2e%2e/rendering.py": (404,),
    "/page/assets/..%2frendering.py": (404,),
    "/page/assets/..%5crendering.py": (404,),
    "/page/assets/%252e%252e/rendering.py": (404,),
    "/page/assets//etc/passwd": (404,),
    "/page/assets/page.js%00.css": (404,),
    "/page/assets/" + "a" * 300: (404,),
    "/page/assets/" + "b/" * 3000: (404,),
    "//users": (401, 404),
    "/users/": (401, 404),
    "/%75sers": (401, 404),
    "/users;open=true": (401, 404),
    "/users%20": (401, 404),
    "/users%00": (401, 404),
    "/USERS": (404,),
    "/./users": (401, 404),
    "/health/live;/users": (401, 404),
    "/schema/%2e%2e%2fusers": (401, 404),
}


@tried("Getting in without a key", WITHOUT)
def test_without_a_key_nobody_learns_anything(stranger: Api, attempt: Ask) -> None:
    answer = attempt.of(stranger)
    assert answer.status_code in attempt.statuses, answer.text
    assert "Lovelace" not in answer.text
    assert "set-cookie" not in answer.headers or "birthdays_session" not in answer.headers["set-cookie"]
    assert len(stranger.service.store.committed.users) == 1


@tried(
    "Detours in the path",
    {
        f"`{path[:40]}{'…' * (len(path) > 40)}`: {' or '.join(map(str, statuses))}": (path, statuses)
        for path, statuses in PATHS.items()
    },
)
async def test_no_detour_leads_past_the_door_or_out_of_a_folder(
    service: Service, use_cases: UseCases, logged: list[EventDict], attempt: tuple[str, Sequence[int]]
) -> None:
    await service.register_many(1, {"first_name": "Ada", "last_name": "Lovelace", "timezone": "UTC"})
    path, statuses = attempt
    status, _, body = await asked_raw(app_of(use_cases), path)
    assert status in statuses
    for word in (b"Lovelace", b"root:", b"import "):
        assert word not in body


ONLY = {
    "users:read registers somebody: 403": (Scope.USERS_READ, Ask("POST /users", body=dict(ADA))),
    "users:read changes somebody: 403": (Scope.USERS_READ, Ask("PATCH {ada}", body={"lastName": "X"})),
    "users:read erases somebody: 403": (Scope.USERS_READ, Ask("DELETE {ada}?erase=true")),
    "users:read imports: 403": (Scope.USERS_READ, Ask("POST /users/import")),
    "users:read reads the ledger: 403": (Scope.USERS_READ, Ask("GET /messages")),
    "users:write reads everybody: 403": (Scope.USERS_WRITE, Ask("GET /users")),
    "users:write takes the export: 403": (Scope.USERS_WRITE, Ask("GET /users/export")),
    "users:write looks an address up: 403": (Scope.USERS_WRITE, Ask("GET /users?email=ada@example.com")),
    "messages:read sends a message again: 403": (
        Scope.MESSAGES_READ,
        Ask(f"POST /messages/2027-03-14.birthday.{NOBODY}/retry"),
    ),
    "messages:act reads people: 403": (Scope.MESSAGES_ACT, Ask("GET /users")),
    "users:write makes itself an admin's key: 403": (
        Scope.USERS_WRITE,
        Ask("POST /keys", body={"name": "x", "scopes": ["admin"]}),
    ),
    "users:read takes another key's secret by rotating it: 403": (
        Scope.USERS_READ,
        Ask(f"POST /keys/{ADMIN.key.id}/rotate"),
    ),
    "users:read lists keys: 403": (Scope.USERS_READ, Ask("GET /keys")),
    "users:read revokes the admin's key: 403": (Scope.USERS_READ, Ask(f"DELETE /keys/{ADMIN.key.id}")),
    "users:read opens the page: 403": (Scope.USERS_READ, Ask("GET /")),
    "a method in a header lifts a read to a deletion: it stays a read": (
        Scope.USERS_READ,
        Ask("GET {ada}", (200,), {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}),
    ),
    "a scope in a header or in the address: 403 or 422": (
        Scope.USERS_READ,
        Ask("DELETE {ada}?scope=admin", (403,), {"X-Scope": "admin", "Scope": "admin"}),
    ),
}


@tried("Doing more than a key may", ONLY)
def test_a_key_does_what_it_may_and_no_more(
    api: Api, ada: str, stranger: Api, use_cases: UseCases, attempt: tuple[Scope, Ask]
) -> None:
    scope, ask = attempt
    made = api.do(use_cases.access.make_key, "narrow", {scope})
    statuses = ask.statuses if ask.statuses != (401,) else (403,)
    answer = attrs.evolve(ask, headers={**dict(ask.headers), **_bearer(made.text)}).of(stranger, ada)
    assert answer.status_code in statuses, answer.text
    assert api.get(ada).json()["lastName"] == ADA["lastName"]
    assert len(api.get("/keys").json()["items"]) == 2, "the admin's and the narrow one"


FIELDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "one's own id: 422": ("POST /users", {**ADA, "email": "b@example.com", "id": NOBODY}),
    "a version, to win over others: 422": ("PATCH {ada}", {"version": 1_000_000}),
    "the instants of a record: 422": (
        "PATCH {ada}",
        {"createdAt": "2001-01-01T00:00:00Z", "updatedAt": None},
    ),
    "a deletion taken back: 422": ("PATCH {ada}", {"deletedAt": None}),
    "when a birthday became known, to be greeted twice: 422": ("PATCH {ada}", {"birthdayKnownAt": None}),
    "names as the code has them: 422": ("PATCH {ada}", {"first_name": "X", "email_key": "x"}),
    "`__proto__` and `constructor`: 422": ("PATCH {ada}", {"__proto__": {"a": 1}, "constructor": {}}),
    "`__class__` and `__init__`: 422": ("PATCH {ada}", {"__class__": "X", "__init__": "X"}),
    "the digest of a key: 422": ("POST /keys", {"name": "x", "scopes": ["users:read"], "digest": "00"}),
    "the kind of a key: 422": ("POST /keys", {"name": "x", "scopes": ["users:read"], "kind": "link"}),
    "a scope that is not there: 422": ("POST /keys", {"name": "x", "scopes": ["*"]}),
    "objects where texts belong: 422": ("PATCH {ada}", {"firstName": {"$gt": ""}, "email": {"$ne": None}}),
    "lists where texts belong: 422": ("PATCH {ada}", {"firstName": ["X"], "timezone": ["UTC"]}),
}


@tried("Fields that are nobody's to set", FIELDS)
def test_what_nobody_may_set_is_not_set(api: Api, ada: str, attempt: tuple[str, Mapping[str, Any]]) -> None:
    asked, body = attempt
    before = api.service.store.committed.copy()
    answer = Ask(asked, body=body).of(api, ada)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, answer.text
    assert api.service.store.committed == before
