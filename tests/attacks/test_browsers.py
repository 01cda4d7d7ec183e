"""What another site, or a text on our page, would have a browser do."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

import pytest
from litestar.testing import TestClient
from structlog.typing import EventDict

from application.access import Access
from entrypoints.http.access import SESSION_COOKIE
from entrypoints.http.use_cases import UseCases
from tests.attacks.raw import asked_raw
from tests.attacks.tried import tried, tried_once
from tests.http.pages import look, send
from tests.http.world import ADA, AS_ADMIN, Api, app_of, problem
from tests.use_cases.service import Service

pytestmark = pytest.mark.slow  # together they are

SCRIPTS = "Scripts on the page"
FORGED = "Requests of another site"
AWAY = "Being led away, or led in"

OWN = "http://testserver.local"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
MARKUP = {
    "a script": "<script>alert(1)</script>",
    "an attribute's end and an event": '" onload="alert(1)" x=\'',
    "an image that fails": "<img src=x onerror=alert(1)>",
    "a picture with a script": "<svg/onload=alert(1)>",
    "a template's braces": "{{ config }}{% include '/etc/passwd' %}",
    "an end of the title and a script": "</title><script>alert(1)</script>",
    "an address with a script": "javascript:alert(1)",
    "a comment's end": "--><script>alert(1)</script>",
}


_ELSEWHERE = (
    "//evil.example",
    "//evil.example/%2e%2e",
    "/\\evil.example",
    "/page//evil.example",
    "/%0d%0aLocation:%20//evil.example",
)


@pytest.fixture
def access(use_cases: UseCases) -> Access:
    return use_cases.access


@pytest.fixture
def browser(service: Service, use_cases: UseCases, logged: list[EventDict]) -> Iterator[Api]:
    """A browser that has followed a link from the terminal."""
    with TestClient(app_of(use_cases), base_url=OWN) as client:
        api = Api(service, client)
        api("GET", f"/login?token={api.do(use_cases.access.log_in.link)}", follow_redirects=False)
        yield api


def _is_text(page: str, markup: str) -> bool:
    return markup not in page if "<" in markup or '"' in markup else True


@tried(SCRIPTS, {f"{name} for a name: text": markup for name, markup in MARKUP.items()})
def test_a_name_is_text(api: Api, attempt: str) -> None:
    user = api.register(firstName=attempt, lastName=attempt)
    message = api.message_of(user)
    for path in (
        "/",
        user.replace("/users/", "/page/people/"),
        message.replace("/messages/", "/page/messages/"),
    ):
        assert _is_text(look(api, path), attempt), path


@tried(SCRIPTS, {f"{name} for a search: text": markup for name, markup in MARKUP.items()})
def test_a_search_is_text(api: Api, ada: str, attempt: str) -> None:
    answer = send(api, "/page/search", {"sought": attempt})
    assert answer.status_code < 500
    assert _is_text(answer.text, attempt)
    assert "/etc/passwd" not in answer.text or "include" in answer.text


@tried(
    SCRIPTS,
    {f"{name} for the reason of a decision: text": markup for name, markup in list(MARKUP.items())[:3]},
)
def test_a_reason_is_text(api: Api, ada: str, attempt: str) -> None:
    path = api.message_of(ada).replace("/messages/", "/page/messages/")
    send(api, path, {"action": "cancel", "reason": attempt}, seen_at=path)
    for seen in (path, "/", ada.replace("/users/", "/page/people/")):
        assert _is_text(look(api, seen), attempt)


@tried(
    SCRIPTS,
    {
        "a script in an address that is not there: a problem in JSON": "/%3Cscript%3Ealert(1)%3C/script%3E",
        "a script below the page that is not there: text": "/page/people/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "a script in a parameter that is not there: a problem in JSON": "/users?%3Cscript%3E=1",
        "a script below the document: a problem in JSON": "/schema/%3Cscript%3Ealert(1)%3C/script%3E",
    },
)
def test_an_address_is_not_shown(api: Api, attempt: str) -> None:
    answer = api.get(attempt)
    assert "<script>alert" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].split(";")[0] in {"application/problem+json", "text/html"}


@tried_once(SCRIPTS, "a script that got onto the page all the same: the policy forbids it")
def test_the_policy_forbids_what_is_not_ours(api: Api) -> None:
    policy = api.get("/").headers["content-security-policy"]
    told = dict(part.split(" ", 1) for part in policy.split("; "))
    assert told["default-src"] == "'none'"
    assert told["script-src"] == told["style-src"] == told["connect-src"] == told["form-action"] == "'self'"
    assert told["base-uri"] == told["frame-ancestors"] == "'none'"


@tried_once(
    SCRIPTS, "an answer of the API taken for a page: its type is not guessed, and nothing in it may run"
)
def test_an_answer_of_the_api_is_data(api: Api, ada: str) -> None:
    for path in (
        "/users",
        ada,
        "/nothing",
        "/users?limit=0",
        "/schema",
        "/users/export",
        "/metrics",
        "/health/live",
    ):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


SITES: Mapping[str, Mapping[str, str]] = {
    "a form of another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "a form of another site, from a browser that says its origin alone": {"Origin": "https://evil.example"},
    "a form that says nothing of where it comes from": {},
    "a form in a frame without an origin": {"Origin": "null"},
    "a form of a neighbouring host": {
        "Origin": "http://other.testserver.local",
        "Sec-Fetch-Site": "same-site",
    },
    "a form of another port": {"Origin": f"{OWN}:8001"},
    "a form whose origin begins with ours": {"Origin": f"{OWN}.evil.example"},
    "a form whose origin has ours before an @": {"Origin": f"{OWN}@evil.example"},
    "a form that says both": {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
}


@tried(FORGED, {f"{name}: 403": headers for name, headers in SITES.items()})
def test_another_site_changes_nothing(browser: Api, attempt: Mapping[str, str]) -> None:
    """Sent as a simple request, for which a browser asks nobody beforehand."""
    before = browser.service.store.committed.copy()
    for method, path in (
        ("POST", "/users"),
        ("POST", "/keys"),
        ("DELETE", "/login"),
        ("POST", "/page/search"),
    ):
        answer = browser(method, path, content=b"{}", headers={"content-type": "text/plain", **attempt})
        assert answer.status_code == HTTPStatus.FORBIDDEN, path
    assert browser.service.store.committed == before


@tried_once(FORGED, "JSON in a form's text/plain, past the look at where it comes from: 415")
def test_json_in_a_simple_request_is_not_read(browser: Api) -> None:
    answer = browser(
        "POST",
        "/users",
        content=b'{"firstName": "x", "a": "=',
        headers={"content-type": "text/plain", **SAME_SITE},
    )
    problem(answer, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


@tried_once(FORGED, "a form of ours without its token, or with one made up: 403")
def test_a_form_has_the_token_of_its_browser(browser: Api) -> None:
    look(browser, "/")
    for fields in ({}, {"token": ""}, {"token": "x" * 43}):
        answer = browser("POST", "/page/search", data={"sought": "Ada", **fields}, headers=SAME_SITE)
        assert answer.status_code == HTTPStatus.FORBIDDEN


@tried_once(
    FORGED, "a cookie for forms planted by a neighbouring host, with its token: 403, as the page is not ours"
)
def test_a_planted_cookie_for_forms_is_not_enough(browser: Api) -> None:
    browser.client.cookies.set("birthdays_form", "x" * 43)
    answer = browser(
        "POST",
        "/page/search",
        data={"sought": "a", "token": "x" * 43},
        headers={"Sec-Fetch-Site": "same-site"},
    )
    assert answer.status_code == HTTPStatus.FORBIDDEN


@tried_once(FORGED, "a change by GET, as a picture's address: nothing changes")
def test_to_look_changes_nothing(browser: Api) -> None:
    user = browser("POST", "/users", json=dict(ADA), headers=SAME_SITE).headers["location"]
    before = browser.service.store.committed.copy()
    for path in (
        f"{user}?_method=DELETE",
        f"{user}?erase=true",
        "/keys?name=x",
        f"{browser.message_of(user)}/cancel",
        "/users/import",
    ):
        browser("GET", path)
    assert browser.service.store.committed == before


@tried_once(FORGED, "the page in a frame of another site: no frame")
def test_no_answer_is_framed(browser: Api) -> None:
    for path in ("/", "/page/search", "/users", "/login"):
        assert "frame-ancestors 'none'" in browser("GET", path).headers["content-security-policy"]


@tried_once(FORGED, "an answer read by a script of another site (CORS): no leave given")
def test_no_other_site_may_read(browser: Api) -> None:
    for method in ("GET", "OPTIONS"):
        answer = browser(
            method,
            "/users",
            headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"},
        )
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@tried_once(AWAY, "an address to go on to, in the link: 422")
def test_the_link_leads_to_the_page_alone(browser: Api, access: Access) -> None:
    token = browser.do(access.log_in.link)
    for name in ("next", "redirect_uri", "return_to"):
        problem(
            browser("GET", f"/login?token={token}&{name}=https://evil.example", follow_redirects=False),
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )


@tried_once(AWAY, "a Host of another machine when logging in: a path, and no host")
def test_the_link_leads_to_no_other_host(browser: Api, access: Access) -> None:
    token = browser.do(access.log_in.link)
    answer = browser(
        "GET",
        f"/login?token={token}",
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
        follow_redirects=False,
    )
    assert answer.headers["location"] == "/"


@tried(AWAY, {f"`{path}`: no redirect": path for path in _ELSEWHERE})
async def test_no_path_becomes_a_redirect(use_cases: UseCases, logged: list[EventDict], attempt: str) -> None:
    status, headers, _ = await asked_raw(app_of(use_cases), attempt, AS_ADMIN)
    assert status == HTTPStatus.NOT_FOUND
    assert b"location" not in headers


@tried_once(AWAY, "a session planted before the login: not taken over")
def test_a_session_is_a_new_one_after_the_login(browser: Api, access: Access) -> None:
    first = browser.client.cookies[SESSION_COOKIE]
    browser("GET", f"/login?token={browser.do(access.log_in.link)}", follow_redirects=False)
    assert browser.client.cookies[SESSION_COOKIE] != first
    browser.client.cookies.clear()
    browser.client.cookies.set(SESSION_COOKIE, "planted")
    answer = browser("GET", f"/login?token={browser.do(access.log_in.link)}", follow_redirects=False)
    assert "planted" not in answer.headers["set-cookie"]


@tried_once(AWAY, "a link that was used: 401")
def test_a_link_is_good_once(browser: Api, access: Access) -> None:
    token = browser.do(access.log_in.link)
    statuses = [browser("GET", f"/login?token={token}", follow_redirects=False).status_code for _ in range(2)]
    assert statuses == [HTTPStatus.SEE_OTHER, HTTPStatus.UNAUTHORIZED]


@tried_once(AWAY, "the token of a link, in the Referer of the next page: not sent")
def test_the_link_stays_with_us(browser: Api, access: Access) -> None:
    answer = browser("GET", f"/login?token={browser.do(access.log_in.link)}", follow_redirects=False)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


@tried_once(AWAY, "the cookie of a session, after its browser has logged out: 401")
def test_a_session_that_is_over_is_over(browser: Api) -> None:
    session = browser.client.cookies[SESSION_COOKIE]
    browser("DELETE", "/login", headers=SAME_SITE)
    browser.client.cookies.set(SESSION_COOKIE, session)
    assert browser.get("/users").status_code == HTTPStatus.UNAUTHORIZED
