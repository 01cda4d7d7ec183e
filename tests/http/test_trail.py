"""The audit trail as it is told and shown: who did what to people and to keys, and nobody's values."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import pytest
from litestar.testing import TestClient
from structlog.typing import EventDict

from domain.access import Scope
from entrypoints.http.use_cases import UseCases
from tests.http.pages import look, words
from tests.http.world import ADMIN, Api, app_of
from tests.use_cases.service import Service

TESTS = {"kind": "key", "id": ADMIN.key.id, "name": "tests"}
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def browser(service: Service, use_cases: UseCases, logged: list[EventDict]) -> Iterator[Api]:
    """Who has no key."""
    with TestClient(app_of(use_cases)) as client:
        yield Api(service, client)


def trail(api: Api) -> list[tuple[str, str | None, Mapping[str, Any]]]:
    """Return what was done, to which key, and by whom, in order."""
    items = api.get("/audit").json()["items"]
    return [(one["action"], one["keyId"], one["actor"]) for one in reversed(items)]


def test_making_rotating_and_revoking_a_key_is_told_with_who_did_it(api: Api) -> None:
    made = api.post("/keys", {"name": "payroll", "scopes": [Scope.USERS_READ]}).json()
    key_id = made["key"]["id"]
    rotated = api.post(f"/keys/{key_id}/rotate").json()
    for _ in range(2):
        assert api.delete(f"/keys/{key_id}").status_code == HTTPStatus.NO_CONTENT
    assert trail(api) == [
        ("make-key", key_id, TESTS),
        ("rotate-key", key_id, TESTS),
        ("revoke-key", key_id, TESTS),
    ]
    told = api.get("/audit").text
    assert made["text"] not in told
    assert rotated["text"] not in told


def test_what_was_refused_was_not_done(api: Api) -> None:
    api.post("/keys", {"name": "payroll", "scopes": ["all"]})
    api.post(f"/keys/{'0' * 12}/rotate")
    api.delete(f"/keys/{'0' * 12}")
    assert trail(api) == []


def test_feeds_are_told_of_too(api: Api) -> None:
    feed_id = api.post("/feeds", {"name": "team"}).json()["feed"]["id"]
    api.delete(f"/feeds/{feed_id}")
    assert trail(api) == [("make-feed", feed_id, TESTS), ("revoke-feed", feed_id, TESTS)]


def test_a_browser_comes_by_a_link_and_what_it_does_is_its_own(
    api: Api, browser: Api, use_cases: UseCases
) -> None:
    link = api.do(use_cases.access.log_in.link)
    browser.get(f"/login?token={link}")
    ada = browser("POST", "/users", json={**NEW}, headers=SAME_SITE)
    assert ada.status_code == HTTPStatus.CREATED, ada.text
    browser("DELETE", "/login", headers=SAME_SITE)
    (made, link_id, maker), (began, session_id, by), (registered, _, who), (ended, ended_id, ender) = trail(
        api
    )
    assert (made, maker["kind"]) == ("make-link", "service")
    assert (began, by) == ("make-session", {"kind": "key", "id": link_id, "name": "login link"})
    session = {"kind": "session", "id": session_id, "name": "browser"}
    assert (registered, who) == ("register", session)
    assert (ended, ended_id, ender) == ("revoke-session", session_id, session)


NEW: Mapping[str, Any] = {
    "firstName": "Zyx",
    "lastName": "Wvu",
    "email": "zyx@example.com",
    "timezone": "Europe/Berlin",
    "birthdayDate": "1990-03-14",
}


def test_a_person_s_page_shows_what_was_done_to_them_by_whom_and_no_values(api: Api, ada: str) -> None:
    person = ada.replace("users", "page/people")
    api.patch(ada, {"lastName": "King", "birthdayDate": None})
    api.get(f"{ada}/export")
    done = words(look(api, person)).partition("What was done")[2]
    assert "export , Sat 13 Mar 2027, 12:00 UTC , by the key tests" in done
    assert "change : last name, birthday, Sat 13 Mar 2027, 12:00 UTC , by the key tests" in done
    assert "register : first name, last name, email, timezone, birthday" in done
    for value in ("King", "Lovelace", "1990", "ada@example.com"):
        assert value not in done


def test_a_person_s_page_tells_of_nobody_else(api: Api, ada: str) -> None:
    bob = api.register(firstName="Bob", email="bob@example.com")
    api.patch(bob, {"lastName": "King"})
    done = words(look(api, ada.replace("users", "page/people"))).partition("What was done")[2]
    assert "register" in done
    assert "change" not in done
