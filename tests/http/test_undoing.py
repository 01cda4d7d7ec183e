"""Imports of other programs' files, complete lists, and POST /imports/{id}/undo."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.http.world import NOBODY, Api, problem, reasons

GERMAN = "Vorname;Nachname;E-Mail;Geburtstag;Zeitzone\r\nJörg;Müller;joerg@example.com;07.04.1992;Europe/Berlin\r\n"
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Jo;;;\r\nEMAIL:jo@example.com\r\nBDAY:--0229\r\nEND:VCARD\r\n"


def send(api: Api, data: bytes, query: str = "", content_type: str = "text/csv") -> httpx.Response:
    return api("POST", f"/users/import{query}", content=data, headers={"content-type": content_type})


def people(count: int) -> bytes:
    rows = "".join(f"E{number},P,L,p{number}@example.com,UTC\n" for number in range(count))
    return f"external_id,first_name,last_name,email,timezone\n{rows}".encode()


def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == HTTPStatus.OK, answer.text
    report: dict[str, Any] = answer.json()
    return report


def test_what_was_recognised_is_told(api: Api) -> None:
    report = done(send(api, GERMAN.encode("cp1252")))
    assert report["recognised"] == {
        "format": "csv",
        "layout": "german",
        "encoding": "windows-1252",
        "delimiter": ";",
        "dateOrder": "day-first",
        "columns": {
            "Vorname": "first_name",
            "Nachname": "last_name",
            "E-Mail": "email",
            "Geburtstag": "birthday",
            "Zeitzone": "timezone",
        },
    }
    user = api.get("/users?email=joerg@example.com").json()
    assert (user["lastName"], user["birthdayDate"]) == ("Müller", "1992-04-07")


def test_the_options_of_reading(api: Api) -> None:
    data = "email,birthday,Anniversary\nada@example.com,3/4/80,29281\n".encode("utf-16-le")
    query = "?dryRun=true&dateOrder=month-first&encoding=utf-16&dayNumbers=true&anniversariesAreWork=true"
    report = done(send(api, data, query))
    assert [(one["line"], one["field"]) for one in report["warnings"]] == [
        (2, "birthday"),
        (2, "anniversary"),
    ]
    assert (report["warned"], report["recognised"]["dateOrder"]) == (1, "month-first")
    assert {one["field"] for one in report["errors"]} == {"first_name", "last_name", "timezone"}
    assert reasons(send(api, data, "?dateOrder=year-first")).keys() == {"dateOrder"}
    assert reasons(send(api, data, "?encoding=rot13")).keys() == {"encoding"}
    assert reasons(send(api, data, "?confirm=many")).keys() == {"confirm"}


@pytest.mark.parametrize("content_type", ("text/vcard", "text/x-vcard; charset=utf-8", "text/csv"))
def test_vcards(api: Api, content_type: str) -> None:
    report = done(send(api, CARD.encode(), "?defaultTimezone=UTC", content_type))
    assert (report["created"], report["recognised"]["format"]) == (1, "vcard")
    assert api.get("/users?email=jo@example.com").json()["birthdayDate"] == "--02-29"


def test_an_import_is_undone_once(api: Api) -> None:
    report = done(send(api, people(3)))
    undone = done(api.post(f"/imports/{report['importId']}/undo"))
    assert undone == {"undone": 3, "changedSince": 0, "inTheWay": 0}
    assert api.get("/users").json()["items"] == []
    problem(api.post(f"/imports/{report['importId']}/undo"), HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize("import_id", (NOBODY, "zebulon", "..", "%00"))
def test_what_was_no_import_cannot_be_undone(api: Api, import_id: str) -> None:
    problem(api.post(f"/imports/{import_id}/undo"), HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize("accept", ("*/*", "application/x-ndjson"))
def test_a_complete_list_that_lacks_many_must_be_confirmed(api: Api, accept: str) -> None:
    send(api, people(10))
    headers = {"content-type": "text/csv", "accept": accept}
    refused = api("POST", "/users/import?complete=true", content=people(7), headers=headers)
    assert "lacks 3 of 10 people" in problem(refused, HTTPStatus.CONFLICT)["detail"]
    assert done(send(api, people(7), "?complete=true&dryRun=true"))["deactivated"] == 3
    assert len(api.get("/users").json()["items"]) == 10
    report = done(send(api, people(7), "?complete=true&confirm=3"))
    assert (report["deactivated"], report["unchanged"]) == (3, 7)
    assert len(api.get("/users").json()["items"]) == 7
    assert done(api.post(f"/imports/{report['importId']}/undo"))["undone"] == 3
    assert len(api.get("/users").json()["items"]) == 10
