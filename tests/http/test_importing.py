"""POST /users/import."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar.types import ASGIApp
from structlog.typing import EventDict

from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.errors import CommitOutcomeUnknown, StoreUnavailable
from application.statistics import SchedulerState
from tests.http.world import AS_ADMIN, Api, app_of, problem, reasons, use_cases_of
from tests.use_cases.service import Service

HEADER = "email,first_name,last_name,timezone,birthday,department"
ADA = "ada@example.com,Ada,Lovelace,Europe/Berlin,1990-03-14,Engines"
GRACE = "grace@example.com,Grace,Hopper,America/New_York,--12-09,Compilers"
NDJSON = "application/x-ndjson"


def send(api: Api, *rows: str, query: str = "", **headers: str) -> httpx.Response:
    text = "\r\n".join([HEADER, *rows])
    headers = {"content-type": "text/csv", **headers}
    return api("POST", f"/users/import{query}", content=text.encode(), headers=headers)


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert (answer.status_code, answer.headers["content-type"]) == (HTTPStatus.OK, NDJSON)
    return [json.loads(line) for line in answer.text.splitlines()]


def many(number: int) -> list[str]:
    return [f"p{count}@example.com,P,L,UTC,," for count in range(number)]


def test_a_file_is_told_row_by_row(api: Api, ada: str) -> None:
    bad = "charles@example.com,,Babbage,Europe/Lndon,1791-02-30,Engines"
    answer = send(api, ADA, GRACE, bad, ADA.replace("Ada", "Augusta").replace("ada", "x"), ADA)
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert UUID(found.pop("importId")).version == 4
    assert found == {
        "rows": 5,
        "created": 2,
        "updated": 0,
        "unchanged": 1,
        "deactivated": 0,
        "failed": 2,
        "warned": 0,
        "warnings": [],
        "dryRun": False,
        "recognised": {
            "format": "csv",
            "layout": "plain",
            "encoding": "utf-8",
            "delimiter": ",",
            "dateOrder": None,
            "columns": {name: name for name in ("email", "first_name", "last_name", "timezone", "birthday")},
        },
        "ignoredColumns": ["department"],
        "errors": [
            {
                "line": 4,
                "field": "timezone",
                "reason": "This is not an IANA time zone, written exactly. Did you mean Europe/London?",
            },
            {"line": 4, "field": "birthday", "reason": "There is no such day in the calendar."},
            {"line": 6, "field": "email", "reason": "The same address as in line 2."},
        ],
    }
    assert len(api.get("/users").json()["items"]) == 3


def test_a_second_time_nothing_changes(api: Api) -> None:
    send(api, ADA, GRACE)
    before = api.service.store.committed
    told = send(api, ADA, GRACE).json()
    assert (told["created"], told["updated"], told["unchanged"]) == (0, 0, 2)
    after = api.service.store.committed
    assert (after.users, after.messages) == (before.users, before.messages)


def test_a_dry_run_tells_the_same_and_keeps_nothing(api: Api) -> None:
    tried = send(api, ADA, GRACE, query="?dryRun=true").json()
    assert not api.service.store.committed.users
    assert tried.pop("dryRun") is True
    assert tried.pop("importId") is None
    done = send(api, ADA, GRACE, query="?dryRun=false").json()
    assert done.pop("dryRun") is False
    assert done.pop("importId")
    assert tried == done
    assert len(api.service.store.committed.users) == 2


def test_rows_without_a_zone_take_the_one_of_the_request(api: Api) -> None:
    row = "ada@example.com,Ada,Lovelace,,,"
    assert send(api, row).json()["errors"] == [{"line": 2, "field": "timezone", "reason": "This is needed."}]
    assert send(api, row, query="?defaultTimezone=Asia%2FTokyo").json()["created"] == 1
    assert api.get("/users?email=ada@example.com").json()["timezone"] == "Asia/Tokyo"


def test_the_zone_of_the_request_is_checked_before_the_file(api: Api) -> None:
    answer = send(api, ADA, query="?defaultTimezone=Mars%2FOlympus")
    assert reasons(answer).keys() == {"defaultTimezone"}
    assert reasons(send(api, ADA, query="?dryRun=maybe")) == {"dryRun": "Give true or false."}
    assert not api.service.store.committed.users


@pytest.mark.parametrize(
    ("data", "told"),
    (
        (b"", "The file is empty; its first line must name the columns."),
        (
            b"Zo\x81,1",
            "The file is neither UTF-8 nor Windows-1252 (byte 2); save it as UTF-8, or say its encoding.",
        ),
        (
            b"name,birthday\nAda,1990-03-14",
            "No column is called 'email'; the first line must name the columns.",
        ),
    ),
)
def test_what_is_no_file_of_people_is_unprocessable(api: Api, data: bytes, told: str) -> None:
    for accept in ("*/*", NDJSON):
        headers = {"content-type": "text/csv", "accept": accept}
        answer = api("POST", "/users/import", content=data, headers=headers)
        assert problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY)["detail"] == told


@pytest.mark.parametrize(
    "content_type", ("text/plain", "application/json", "multipart/form-data", "", "text/csv; charset=latin-1")
)
def test_a_file_comes_as_csv_in_utf_8(api: Api, content_type: str) -> None:
    problem(send(api, ADA, **{"content-type": content_type}), HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def test_a_byte_order_mark_and_a_charset_do_no_harm(api: Api) -> None:
    headers = {"content-type": "text/csv; charset=UTF-8; header=present"}
    data = b"\xef\xbb\xbf" + f"{HEADER}\n{ADA}\n".encode()
    assert api("POST", "/users/import", content=data, headers=headers).json()["created"] == 1


@pytest.mark.slow
def test_a_file_may_have_twenty_mebibytes(api: Api) -> None:
    row = f"{ADA}{'x' * 100_000}\n".encode()
    data = f"{HEADER}\n".encode() + row * (20 * 1024 * 1024 // len(row))
    data += b"#" * (20 * 1024 * 1024 - len(data))
    headers = {"content-type": "text/csv"}
    assert api("POST", "/users/import", content=data, headers=headers).json()["created"] == 1
    answer = api("POST", "/users/import", content=data + b"#", headers=headers)
    found = problem(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    assert found["detail"] == "The body may have at most 20,971,520 bytes."


@pytest.mark.parametrize("end", (b"\n", b"\r", b"\r\n"))
def test_a_file_may_have_half_a_million_lines(api: Api, end: bytes) -> None:
    headers = {"content-type": "text/csv"}
    answer = api("POST", "/users/import", content=b"email" + end * 500_001, headers=headers)
    found = problem(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    assert found["detail"] == "The file may have at most 500,000 lines; send it in parts."


@pytest.mark.parametrize(
    "accept", (NDJSON, f"{NDJSON}, application/json;q=0.5", f"text/html, {NDJSON};q=0.1")
)
def test_who_wants_lines_gets_the_progress_and_then_the_report(api: Api, accept: str) -> None:
    told = lines(send(api, *many(1100), accept=accept))
    assert [(line["rows"], line.get("done")) for line in told] == [
        (1100, 0),
        (1100, 500),
        (1100, 1000),
        (1100, 1100),
        (1100, None),
    ]
    assert told[-1]["created"] == 1100


@pytest.mark.parametrize(
    "accept", ("*/*", "application/json", "text/html", f"{NDJSON};q=0.1, */*", ";;", "a;q=x")
)
def test_everybody_else_gets_one_report(api: Api, accept: str) -> None:
    answer = send(api, ADA, accept=accept)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    assert answer.json()["created"] == 1


def test_a_file_without_rows_is_told_as_such(api: Api) -> None:
    assert send(api).json()["rows"] == 0
    assert lines(send(api, accept=NDJSON))[-1]["rows"] == 0


class Breaking(MemoryUnitOfWork):
    """A unit of work whose commits fail after the first."""

    error: Exception
    commits = 0

    async def commit(self) -> None:
        type(self).commits += 1
        if self.commits > 2:  # the first remembers the import
            raise self.error
        await super().commit()


@pytest.fixture
def breaking(service: Service, state: SchedulerState) -> type[Breaking]:
    class OfThisTest(Breaking):
        error = StoreUnavailable()

    return OfThisTest


@pytest.fixture
def app(service: Service, state: SchedulerState, breaking: type[Breaking]) -> ASGIApp:
    return app_of(use_cases_of(service, state, unit_of_work=lambda: breaking(service.store)))


async def answers(app: ASGIApp, data: str, accept: str) -> tuple[int, Mapping[bytes, bytes], Sequence[bytes]]:
    """Send a file, and return the status, the headers, and the parts of the body as they were sent."""
    sent: list[Any] = []
    complete = asyncio.Event()
    to_come: list[Any] = [{"type": "http.request", "body": data.encode(), "more_body": False}]

    async def receive() -> Any:
        if to_come:
            return to_come.pop()
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send_(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            complete.set()

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/users/import",
        "raw_path": b"/users/import",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", AS_ADMIN["Authorization"].encode()),
            (b"content-type", b"text/csv"),
            (b"accept", accept.encode()),
        ],
    }
    await app(scope, receive, send_)
    return sent[0]["status"], dict(sent[0]["headers"]), [message["body"] for message in sent[1:]]


async def test_progress_is_sent_while_the_import_runs(service: Service, state: SchedulerState) -> None:
    app = app_of(use_cases_of(service, state))
    _, _, parts = await answers(app, "\n".join([HEADER, *many(1100)]), NDJSON)
    assert [part.count(b"\n") for part in parts if part] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("error", (StoreUnavailable(), CommitOutcomeUnknown()))
async def test_an_import_that_breaks_off_says_that_some_rows_may_be_in(
    app: ASGIApp, breaking: type[Breaking], error: Exception, service: Service, logged: list[EventDict]
) -> None:
    breaking.error = error
    status, headers, parts = await answers(app, "\n".join([HEADER, *many(1100)]), "*/*")
    told = json.loads(b"".join(parts))
    assert (status, told["status"], headers[b"retry-after"]) == (503, 503, b"2")
    assert told["detail"].startswith("The import broke off in the middle: some rows may be in.")
    assert len(service.store.committed.users) == 500
    assert [line["event"] for line in logged] == ["request_served"]


async def test_a_stream_that_breaks_off_ends_with_the_problem(
    app: ASGIApp, breaking: type[Breaking], logged: list[EventDict]
) -> None:
    status, _, parts = await answers(app, "\n".join([HEADER, *many(1100)]), NDJSON)
    told = [json.loads(line) for line in b"".join(parts).splitlines()]
    assert (status, [line.get("done") for line in told]) == (200, [0, 500, None])
    assert told[-1]["status"] == 503
    assert [line["event"] for line in logged] == ["request_served"]


async def test_a_stream_that_cannot_begin_is_told_by_the_status(
    app: ASGIApp, breaking: type[Breaking]
) -> None:
    breaking.commits = 2
    status, headers, _ = await answers(app, "\n".join([HEADER, *many(10)]), NDJSON)
    assert (status, headers[b"content-type"]) == (503, b"application/problem+json")


async def test_a_defect_in_the_middle_of_a_stream_is_told_and_logged_without_a_row(
    app: ASGIApp, breaking: type[Breaking], logged: list[EventDict]
) -> None:
    breaking.error = RuntimeError("p700@example.com")
    _, _, parts = await answers(app, "\n".join([HEADER, *many(1100)]), NDJSON)
    assert json.loads(parts[-2] or parts[-1])["status"] == 500
    [broken, _] = logged
    assert (broken["event"], broken["error"]) == ("import_broken_off", "builtins.RuntimeError")
    assert any(line.endswith("in commit") for line in broken["traceback"])
    assert "example.com" not in repr((parts, logged))
