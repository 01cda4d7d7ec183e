"""Who may ask what: keys, their scopes, and the sessions of browsers."""

import re
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import attrs
import pytest
from litestar import get
from litestar.routes import HTTPRoute
from litestar.testing import TestClient
from structlog.typing import EventDict

from application.access import BELIEVED_FOR, Access, NewKey
from application.key_texts import new_key_text
from application.statistics import SchedulerState
from domain.access import KeyKind, Scope
from entrypoints.http.access import SESSION_COOKIE, needed_right
from entrypoints.http.app import create_app
from entrypoints.http.login import AFTER_LOGIN
from entrypoints.http.use_cases import UseCases
from tests.http.document import Operation, operations
from tests.http.pages import checked
from tests.http.world import ADA, ADMIN, NO_MESSAGE, NOBODY, Api, app_of, client_of, problem, use_cases_of
from tests.use_cases.service import Service

OPEN = {
    "GET /calendar/{token}",  # the address is the secret
    "GET /health/live",
    "GET /health/ready",
    "GET /health/scheduler",
}
OPEN_BESIDE = {
    "GET /login",  # a link, once
    "GET /page/assets/{file_path}",
    "GET /schema",
    "GET /schema/openapi.json",
    "GET /schema/{path}",  # where nothing is
    "GET /unsubscribe/{token}",  # the link in a message
    "POST /unsubscribe/{token}",
}
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def needed(operation: Operation) -> Scope | None:
    """Return the scope that the document states."""
    if str(operation) in OPEN:
        assert not operation.told.get("security")
        return None
    [requirement] = operation.told["security"]
    [(scheme, [scope])] = requirement.items()
    assert scheme == "key"
    return Scope(scope)


def ask(api: Api, operation: Operation, **headers: str) -> Any:
    path = operation.path.replace("{id}", NOBODY).replace("{key}", NO_MESSAGE)
    return api(operation.method, path, headers=headers)


def bearer(made: NewKey) -> str:
    return f"Bearer {made.text}"


@pytest.fixture
def access(use_cases: UseCases) -> Access:
    return use_cases.access


@pytest.fixture
def stranger(service: Service, use_cases: UseCases, logged: list[EventDict]) -> Iterator[Api]:
    """Who has no key."""
    with TestClient(app_of(use_cases)) as client:
        yield Api(service, client)


def test_the_document_states_a_scope_for_every_route_and_describes_keys() -> None:
    stated = {str(one): needed(one) for one in operations()}
    assert {name for name, scope in stated.items() if scope is None} == OPEN
    assert set(stated.values()) == {None, *Scope}
    document = create_app(use_cases_of(Service(), SchedulerState())).openapi_schema.to_schema()
    scheme = document["components"]["securitySchemes"]["key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_every_route_refuses_without_a_key_and_without_its_scope(stranger: Api, access: Access) -> None:
    keys = {scope: stranger.do(access.make_key, scope.value, {scope}) for scope in Scope}
    for operation in operations():
        scope = needed(operation)
        if scope is None:
            assert ask(stranger, operation).status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
            continue
        refused = ask(stranger, operation)
        problem(refused, HTTPStatus.UNAUTHORIZED)
        assert refused.headers["www-authenticate"] == 'Bearer realm="birthdays"'
        for other, made in keys.items():
            answer = ask(stranger, operation, Authorization=bearer(made))
            may = other in {scope, Scope.ADMIN}
            assert (answer.status_code == HTTPStatus.FORBIDDEN) != may, f"{operation} with {other}"
            assert answer.status_code != HTTPStatus.UNAUTHORIZED
            if not may:
                problem(answer, HTTPStatus.FORBIDDEN)
                assert f'error="insufficient_scope", scope="{scope}"' in answer.headers["www-authenticate"]


def test_beside_the_document_too_nothing_is_open_but_what_is_meant_to_be(stranger: Api) -> None:
    found = set()
    for route in create_app(use_cases_of(Service(), SchedulerState())).routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                name = f"{method} {route.path_format}"
                if needed_right(handler) is None:
                    found.add(name)
                else:
                    answer = stranger(method, re.sub(r"\{\w+\}", "x", route.path_format))
                    assert answer.status_code == HTTPStatus.UNAUTHORIZED, name
    assert found == OPEN | OPEN_BESIDE


def test_a_route_that_does_not_say_what_it_needs_is_for_admins() -> None:
    @get("/x")
    async def silent() -> None: ...

    assert needed_right(silent) is Scope.ADMIN


def test_the_document_and_health_are_open(stranger: Api) -> None:
    for path in ("/schema", "/schema/openapi.json", "/health/live", "/health/ready"):
        assert stranger.get(path).status_code == HTTPStatus.OK
    assert stranger("OPTIONS", "/users").status_code == HTTPStatus.NO_CONTENT


def test_metrics_are_told_to_who_may_read_messages(stranger: Api, access: Access) -> None:
    problem(stranger.get("/metrics"), HTTPStatus.UNAUTHORIZED)
    for scope, status in ((Scope.MESSAGES_READ, HTTPStatus.OK), (Scope.USERS_READ, HTTPStatus.FORBIDDEN)):
        made = stranger.do(access.make_key, "scraper", {scope})
        assert stranger.get("/metrics", Authorization=bearer(made)).status_code == status


def test_what_is_no_key_is_refused_alike_whether_it_exists_or_not(stranger: Api) -> None:
    wrong_secret = f"{ADMIN.text[:-1]}{'0' if ADMIN.text[-1] != '0' else '1'}"
    texts = [
        wrong_secret,
        new_key_text().text,
        new_key_text(ADMIN.key.id).text,
        "bday_",
        "",
        "x" * 10_000,
        ADMIN.text.upper(),
        f"{ADMIN.text} x",
        ADMIN.key.id,
    ]
    answers = [stranger.get("/users", Authorization=f"Bearer {text}") for text in texts]
    answers += [stranger.get("/users", Authorization=f"Basic {ADMIN.text}")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {
        'Bearer realm="birthdays", error="invalid_token"'
    }


def test_a_key_is_made_listed_rotated_and_revoked(api: Api, stranger: Api) -> None:
    made = api.post("/keys", {"name": " payroll ", "scopes": ["users:read"], "expiresInDays": 30})
    assert made.status_code == HTTPStatus.CREATED
    key, text = made.json()["key"], made.json()["text"]
    assert (key["name"], key["scopes"], key["expiresAt"]) == (
        "payroll",
        ["users:read"],
        "2027-04-12T12:00:00Z",
    )
    assert stranger.get("/users", Authorization=f"Bearer {text}").status_code == HTTPStatus.OK

    listed = api.get("/keys")
    assert {one["id"] for one in listed.json()["items"]} == {ADMIN.key.id, key["id"]}
    assert text not in listed.text
    assert text[18:40] not in listed.text

    rotated = api.post(f"/keys/{key['id']}/rotate?overlapHours=1").json()["text"]
    assert rotated != text
    for good in (text, rotated):
        assert stranger.get("/users", Authorization=f"Bearer {good}").status_code == HTTPStatus.OK
    api.service.clock.move_to(api.service.clock.now() + timedelta(hours=1))
    assert stranger.get("/users", Authorization=f"Bearer {text}").status_code == HTTPStatus.UNAUTHORIZED
    at_once = api.post(f"/keys/{key['id']}/rotate").json()["text"]
    assert stranger.get("/users", Authorization=f"Bearer {rotated}").status_code == HTTPStatus.UNAUTHORIZED

    for _ in range(2):
        assert api.delete(f"/keys/{key['id']}").status_code == HTTPStatus.NO_CONTENT
    assert stranger.get("/users", Authorization=f"Bearer {at_once}").status_code == HTTPStatus.UNAUTHORIZED
    problem(api.post(f"/keys/{key['id']}/rotate"), HTTPStatus.NOT_FOUND)


def test_a_key_ends_when_it_is_to(stranger: Api, access: Access) -> None:
    made = stranger.do(_lasting, access, timedelta(days=1))
    clock = stranger.service.clock
    clock.move_to(clock.now() + timedelta(days=1) - timedelta(seconds=1))
    assert stranger.get("/users", Authorization=bearer(made)).status_code == HTTPStatus.OK
    clock.move_to(clock.now() + timedelta(seconds=1))
    assert stranger.get("/users", Authorization=bearer(made)).status_code == HTTPStatus.UNAUTHORIZED


async def _lasting(access: Access, lasts: timedelta) -> NewKey:
    return await access.make_key("for a while", {Scope.USERS_READ}, lasts=lasts)


def test_a_revocation_by_another_process_bites_within_the_time_for_which_a_key_is_believed(
    stranger: Api, access: Access
) -> None:
    made = stranger.do(access.make_key, "payroll", {Scope.USERS_READ})
    assert stranger.get("/users", Authorization=bearer(made)).status_code == HTTPStatus.OK
    stranger.do(access.revoke_key, made.key.id)  # past this process's memory of the key, as another one does
    clock = stranger.service.clock
    clock.move_to(clock.now() + BELIEVED_FOR)
    assert stranger.get("/users", Authorization=bearer(made)).status_code == HTTPStatus.UNAUTHORIZED
    assert timedelta(0) < BELIEVED_FOR <= timedelta(seconds=5)


def test_while_the_store_is_away_a_key_that_is_believed_serves_and_another_is_503(
    stranger: Api, access: Access
) -> None:
    made = stranger.do(access.make_key, "payroll", {Scope.USERS_READ})
    stranger.service.store.is_reachable = False
    answer = stranger.get("/users", Authorization=bearer(made))
    assert problem(answer, HTTPStatus.SERVICE_UNAVAILABLE)["detail"].startswith("The database")
    stranger.service.store.is_reachable = True
    assert stranger.get("/users", Authorization=bearer(made)).status_code == HTTPStatus.OK


class TestBrowser:
    """A link from the terminal, and the session that it becomes."""

    @pytest.fixture
    def link(self, stranger: Api, access: Access) -> str:
        return f"/login?token={stranger.do(access.log_in.link)}"

    def test_a_link_is_good_once_for_a_session_in_a_cookie_that_no_script_can_read(
        self, stranger: Api, link: str
    ) -> None:
        answer = stranger("GET", link, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, AFTER_LOGIN)
        cookie = answer.headers["set-cookie"]
        for word in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
            assert word in cookie
        assert "Secure" not in cookie, "or it would not come back over plain HTTP on this machine"
        for path in (AFTER_LOGIN, "/users"):
            assert stranger.get(path).status_code == HTTPStatus.OK
        stranger.client.cookies.clear()
        problem(stranger("GET", link, follow_redirects=False), HTTPStatus.UNAUTHORIZED)
        assert stranger.get("/users").status_code == HTTPStatus.UNAUTHORIZED

    def test_who_reads_pages_is_told_on_a_page_how_to_get_in(self, stranger: Api, link: str) -> None:
        stranger("GET", link, follow_redirects=False)
        stranger.client.cookies.clear()
        spent = stranger.get(link, Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert "This link was used before" in checked(spent, HTTPStatus.UNAUTHORIZED)
        shown = checked(stranger.get("/"), HTTPStatus.UNAUTHORIZED)
        assert "not logged in. &#39;birthdays login&#39; prints a link" in shown
        assert problem(stranger.get("/users"), HTTPStatus.UNAUTHORIZED)["detail"].startswith("Send a key")

    def test_a_link_ends_after_an_hour_and_a_session_after_twelve(
        self, stranger: Api, link: str, access: Access
    ) -> None:
        clock = stranger.service.clock
        stranger("GET", link, follow_redirects=False)
        late = f"/login?token={stranger.do(access.log_in.link)}"
        clock.move_to(clock.now() + timedelta(hours=1))
        problem(stranger("GET", late, follow_redirects=False), HTTPStatus.UNAUTHORIZED)
        assert stranger.get("/users").status_code == HTTPStatus.OK
        clock.move_to(clock.now() + timedelta(hours=11))
        assert stranger.get("/users").status_code == HTTPStatus.UNAUTHORIZED

    def test_links_sessions_and_keys_are_not_taken_for_each_other(
        self, stranger: Api, link: str, access: Access
    ) -> None:
        token = link.partition("=")[2]
        assert stranger.get("/users", Authorization=f"Bearer {token}").status_code == HTTPStatus.UNAUTHORIZED
        problem(stranger.get(f"/login?token={ADMIN.text}"), HTTPStatus.UNAUTHORIZED)
        stranger("GET", link, follow_redirects=False)
        session = stranger.client.cookies[SESSION_COOKIE]
        stranger.client.cookies.clear()
        assert (
            stranger.get("/users", Authorization=f"Bearer {session}").status_code == HTTPStatus.UNAUTHORIZED
        )
        for text in (ADMIN.text, token, "x"):
            stranger.client.cookies.set(SESSION_COOKIE, text)
            assert stranger.get("/users").status_code == HTTPStatus.UNAUTHORIZED

    def test_another_site_cannot_post_with_the_cookie(self, stranger: Api, link: str) -> None:
        stranger("GET", link, follow_redirects=False)
        own = "http://testserver.local"
        foreign: list[dict[str, str]] = [
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": own},
        ]
        for headers in foreign:
            for method, path in (
                ("POST", "/users"),
                ("DELETE", f"/users/{NOBODY}"),
                ("PATCH", f"/users/{NOBODY}"),
            ):
                answer = stranger(method, path, json=dict(ADA), headers=headers)
                assert answer.status_code == HTTPStatus.FORBIDDEN, headers
        for number, headers in enumerate(({"Origin": own}, SAME_SITE)):
            body = {**ADA, "email": f"ada{number}@example.com"}
            assert stranger("POST", "/users", json=body, headers=headers).status_code == HTTPStatus.CREATED

    def test_a_session_is_listed_and_ends_when_its_browser_logs_out(
        self, stranger: Api, link: str, access: Access
    ) -> None:
        stranger("GET", link, follow_redirects=False)
        session = stranger.client.cookies[SESSION_COOKIE]
        assert KeyKind.SESSION in {key["kind"] for key in stranger.get("/keys").json()["items"]}
        assert stranger("DELETE", "/login", headers=SAME_SITE).status_code == HTTPStatus.NO_CONTENT
        stranger.client.cookies.set(SESSION_COOKIE, session)
        assert stranger.get("/users").status_code == HTTPStatus.UNAUTHORIZED


class TestWithoutKeys:
    """BIRTHDAYS_AUTH=off."""

    @pytest.fixture
    def anybody(self, service: Service, use_cases: UseCases) -> Iterator[Api]:
        access = attrs.evolve(use_cases.access, is_required=False)
        with client_of(attrs.evolve(use_cases, access=access)) as client:
            client.headers.clear()
            client.headers["host"] = "127.0.0.1:8000"
            yield Api(service, client)

    def test_everybody_on_this_machine_may_do_everything(self, anybody: Api) -> None:
        assert anybody.post("/users", dict(ADA)).status_code == HTTPStatus.CREATED
        assert anybody.get("/keys").status_code == HTTPStatus.OK

    def test_a_page_of_another_site_may_not(self, anybody: Api) -> None:
        for header in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (
                anybody("POST", "/users", json=dict(ADA), headers=header).status_code == HTTPStatus.FORBIDDEN
            )

    @pytest.mark.parametrize(
        "host", ("evil.example", "evil.example:8000", "10.0.0.1", "127.0.0.1.evil.example")
    )
    def test_a_name_of_another_machine_that_leads_here_is_refused(self, anybody: Api, host: str) -> None:
        assert anybody.get("/users", Host=host).status_code == HTTPStatus.FORBIDDEN

    @pytest.mark.parametrize("host", ("localhost", "localhost:8000", "127.0.0.1", "[::1]:8000"))
    def test_the_names_of_this_machine_are_served(self, anybody: Api, host: str) -> None:
        assert anybody.get("/users", Host=host).status_code == HTTPStatus.OK
