"""Feeds: a calendar at a secret address, for programs that can send no key."""

import re
import warnings
from collections.abc import Iterator
from datetime import date
from http import HTTPStatus
from typing import Any

import attrs
import pytest
from icalendar import Calendar
from litestar.testing import TestClient
from structlog.typing import EventDict

from application.key_texts import new_key_text
from application.limiting import RequestClass
from entrypoints.http.use_cases import UseCases
from tests.http.world import Api, app_of, problem, reasons
from tests.use_cases.service import Service


@pytest.fixture
def program(service: Service, use_cases: UseCases) -> Iterator[Api]:
    """A calendar program: it knows an address, and has no key."""
    with TestClient(app_of(use_cases)) as client:
        yield Api(service, client)


def make(api: Api, **told: Any) -> dict[str, Any]:
    answer = api.post("/feeds", {"name": "team", **told})
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return made


def test_a_calendar_program_reads_it_without_a_warning(api: Api, program: Api) -> None:
    api.register(anniversaryDate="2019-02-01")
    api.register(email="leap@example.com", firstName="Lena", birthdayDate="2000-02-29")
    answer = program.get(make(api)["path"])
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calendar = Calendar.from_ical(answer.content)
    assert isinstance(calendar, Calendar)
    assert not calendar.errors
    events = {str(event.summary): event for event in calendar.events}
    assert events.keys() == {
        "Birthday: Ada Lovelace",
        "Work anniversary: Ada Lovelace",
        "Birthday: Lena Lovelace",
    }
    assert len({event.uid for event in calendar.events}) == 3
    assert all(event.rrules[0]["FREQ"] == ["YEARLY"] for event in calendar.events)
    assert events["Birthday: Lena Lovelace"].rrules[0]["BYMONTHDAY"] == [-1]
    assert events["Birthday: Ada Lovelace"].start == date(2024, 3, 14)
    assert b"DTSTART;VALUE=DATE:20240314" in answer.content
    assert b"@example.com" not in answer.content


def test_years_are_told_only_by_a_feed_that_was_made_so(api: Api, program: Api, ada: str) -> None:
    assert "1990" not in re.sub("UID:.*", "", program.get(make(api)["path"]).text)
    assert "(born 1990)" in program.get(make(api, tellsYears=True)["path"]).text


def test_an_address_is_a_secret_with_nobodys_name_in_it(
    api: Api, program: Api, ada: str, logged: list[EventDict]
) -> None:
    path = make(api)["path"]
    assert re.fullmatch(r"/calendar/bday_[0-9a-f]{12}_[0-9a-f]{72}\.ics", path)
    assert program.get(path.removesuffix(".ics")).status_code == HTTPStatus.OK
    assert program("HEAD", path).status_code == HTTPStatus.OK
    assert [line["route"] for line in logged][-1] == "/calendar/{token}"
    secret = path[len("/calendar/bday_") + 13 : -4]
    assert not any(secret in str(line) for line in logged)


def test_what_is_no_feed_is_nothing(api: Api, program: Api) -> None:
    made = make(api)
    key = api.post("/keys", {"name": "x", "scopes": ["users:read"]}).json()["text"]
    other = new_key_text(made["feed"]["id"]).text
    for text in (
        "x",
        ".ics",
        f"{key}.ics",
        f"{new_key_text().text}.ics",
        f"{other}.ics",
        made["path"][10:-5],
    ):
        problem(program.get(f"/calendar/{text}"), HTTPStatus.NOT_FOUND)


def test_a_feed_opens_nothing_else(api: Api, program: Api) -> None:
    text = make(api)["path"].removeprefix("/calendar/").removesuffix(".ics")
    problem(program.get("/users", authorization=f"Bearer {text}"), HTTPStatus.UNAUTHORIZED)
    problem(program.get("/users", cookie=f"birthdays_session={text}"), HTTPStatus.UNAUTHORIZED)
    problem(program.get(f"/login?token={text}"), HTTPStatus.UNAUTHORIZED)


def test_it_is_read_again_only_once_somebody_has_changed(api: Api, program: Api, ada: str) -> None:
    path = make(api)["path"]
    first = program.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = program.get(path, if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (HTTPStatus.NOT_MODIFIED, b"", tag)
    assert program.get(make(api, tellsYears=True)["path"], if_none_match=tag).status_code == HTTPStatus.OK
    uids = set(re.findall("UID:.*", first.text))
    api.patch(ada, {"lastName": "King"})
    changed = program.get(path, if_none_match=tag)
    assert changed.status_code == HTTPStatus.OK
    assert "Ada King" in changed.text
    assert set(re.findall("UID:.*", changed.text)) == uids
    api.delete(ada)
    gone = program.get(path, if_none_match=changed.headers["etag"])
    assert gone.status_code == HTTPStatus.OK
    assert "Ada" not in gone.text


def test_feeds_are_listed_and_revoked(api: Api, program: Api) -> None:
    made = make(api, tellsYears=True, expiresInDays=7)
    [listed] = api.get("/feeds").json()["items"]
    assert listed == made["feed"]
    assert listed["name"] == "team"
    assert listed["tellsYears"] is True
    assert listed["expiresAt"] == "2027-03-20T12:00:00Z"
    assert made["feed"]["id"] not in {key["id"] for key in api.get("/keys").json()["items"]}
    assert program.get(made["path"]).status_code == HTTPStatus.OK
    assert api.delete(f"/feeds/{listed['id']}").status_code == HTTPStatus.NO_CONTENT
    problem(program.get(made["path"]), HTTPStatus.NOT_FOUND)
    assert api.get("/feeds").json()["items"][0]["revokedAt"] is not None
    problem(api.delete("/feeds/000000000000"), HTTPStatus.NOT_FOUND)


def test_what_cannot_be_made(api: Api) -> None:
    found = reasons(api.post("/feeds", {"name": 1, "tellsYears": "yes", "expiresInDays": 0}))
    assert found.keys() == {"name", "tellsYears", "expiresInDays"}
    assert reasons(api.post("/feeds", {"name": " "})).keys() == {"name"}
    assert reasons(api.post("/feeds", {"name": "x", "email": "ada@example.com"})).keys() == {"email"}


def test_a_feed_has_limits_too(api: Api, use_cases: UseCases) -> None:
    path = make(api)["path"]
    limiter = attrs.evolve(use_cases.limiter, limits={**use_cases.limiter.limits, RequestClass.READ: 1})
    with TestClient(app_of(attrs.evolve(use_cases, limiter=limiter))) as client:
        assert client.get(path).status_code == HTTPStatus.OK
        refused = client.get(path)
        problem(refused, HTTPStatus.TOO_MANY_REQUESTS)
        assert int(refused.headers["retry-after"]) <= 60


def test_a_database_that_is_away_is_told_by_the_status(api: Api, program: Api) -> None:
    path = make(api)["path"]
    api.service.store.is_reachable = False
    problem(program.get(path), HTTPStatus.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize("days", (1, 1.0, 3660, 3660.0, None))
def test_a_number_of_days_is_whole_however_it_is_written(api: Api, days: float | None) -> None:
    assert (make(api, expiresInDays=days)["feed"]["expiresAt"] is None) == (days is None)
    key = api.post("/keys", {"name": "a", "scopes": ["users:read"], "expiresInDays": days})
    assert key.status_code == HTTPStatus.CREATED


@pytest.mark.parametrize("days", (0, 1.5, 3661, 1e9, True, "1", [1]))
def test_what_is_no_number_of_days_is_refused(api: Api, days: object) -> None:
    for path, more in (("/feeds", {}), ("/keys", {"scopes": ["users:read"]})):
        told = reasons(api.post(path, {"name": "a", "expiresInDays": days, **more}))
        assert told == {"expiresInDays": "Give a whole number from 1 to 3660."}
