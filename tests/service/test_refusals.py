"""What a far side says of whom it refuses is written nowhere, whichever way it says it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.canaries import (
    LOGS,
    PERSON,
    QUOTED,
    dumped_beside_people,
    execute,
    planted,
    written,
)
from tests.service.refusing import refusing_mail_server, refusing_web_server
from tests.service.running import RunningService, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

WITHIN_S = 20
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # a receiver of this test's own
TEXT = """Subject: Good morning

{% if first_name == "Zyxwunwritable" %}{{ {}["zyxwtyped " ~ last_name] }}{% endif %}Good morning.
"""


# However the channel was paused.
DUE_NOW = """
    UPDATE channels SET paused_until = NULL;
    UPDATE messages SET due_at = now() - interval '1 s',
        retry_at = CASE WHEN status = 'RETRYING' THEN now() - interval '1 s' END
    WHERE user_id = '{}' AND status IN ('SCHEDULED', 'RETRYING')
"""


def let_be_refused(
    service: RunningService, api: httpx.Client, user_id: str, until: Callable[[], bool]
) -> str:
    """Let the message of the person be due now; return what it has become."""
    deadline = time.monotonic() + WITHIN_S
    while not until() and time.monotonic() < deadline:
        assert execute(service, DUE_NOW.format(user_id)) is None
        # Which wakes the scheduler.
        api.post("/users", json={**PERSON, "email": f"wake{time.monotonic_ns()}@canary-domain.example"})
        time.sleep(0.2)
    assert until()
    return str(message_of(api, user_id)["status"])


def message_of(api: httpx.Client, user_id: str) -> Mapping[str, Any]:
    """Return the message of the birthday, once it is not on its way."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = api.get("/messages", params={"userId": user_id}).json()["items"]
        [message] = [one for one in found if one["kind"] == "BIRTHDAY"]
        if message["status"] != "SENDING":
            break
        time.sleep(0.05)
    told: Mapping[str, Any] = message
    return told


def registered(api: httpx.Client, **more: str) -> str:
    answer = api.post("/users", json={**PERSON, "anniversaryDate": None, **more})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


def see_nothing_told(api: httpx.Client, user_id: str) -> None:
    key = message_of(api, user_id)["key"]
    for path in (
        f"/messages/{key}",
        "/messages?limit=1000",
        "/scheduler/stats",
        "/audit",
        "/metrics",
    ):
        answer = api.get(path)
        assert answer.status_code == httpx.codes.OK, path
        assert planted(answer.content) == [], path


def see_nothing_kept(service: RunningService) -> None:
    """Look at what the database keeps of messages, channels and what was done."""
    beside = dumped_beside_people(service)
    assert b"INSERT INTO public.messages" in beside
    assert planted(beside) == []


def see_nothing_written(service: RunningService, *events: str) -> None:
    told = written(service)
    log = told["service.log"].decode()
    for event in events:
        assert f'"{event}"' in log, "it did go wrong"
    for name in (*LOGS, "service.log"):
        assert planted(told[name]) == [], name


def test_a_mail_server_that_repeats_whom_it_refuses(tmp_path: Path) -> None:
    ways = (b"RCPT", b"MAIL", b"DATA", b"", b"421")
    with (
        refusing_mail_server(*ways) as far,
        running(
            tmp_path / "data",
            BIRTHDAYS_CHANNEL="smtp",
            BIRTHDAYS_SENDER="birthdays@example.com",
            BIRTHDAYS_SMTP_URL=f"smtp://127.0.0.1:{far.port}?tls=none",
        ) as service,
        service.api as api,
    ):
        user_id = registered(api)
        for count in range(1, len(ways)):
            status = let_be_refused(service, api, user_id, far.has_refused(count))
            assert status == "FAILED", ways[count - 1]
            see_nothing_told(api, user_id)
            assert api.post(f"/messages/{message_of(api, user_id)['key']}/retry").is_success
        let_be_refused(service, api, user_id, far.has_refused(len(ways)))
        trial = api.post("/channel/test", json={"email": PERSON["email"]})
        assert trial.json()["outcome"] != "sent"
        assert planted(trial.content) == []
        see_nothing_told(api, user_id)
        see_nothing_kept(service)
    see_nothing_written(service, "deliveries_failed", "channel_paused")


def test_a_webhook_that_repeats_what_it_was_sent(tmp_path: Path) -> None:
    ways = (
        b"422 " + QUOTED,
        b"302 Found\r\nLocation: https://canary-domain.example/?email=zyxw.mail",
        b"503 Zyxwfirst\r\nRetry-After: Zyxwfirst Zyxwlast",
        b"401 Zyxwfirst\r\nWWW-Authenticate: Basic realm=zyxw.mail@canary-domain.example",
        b"409 Zyxwlast",
        b"Zyxwfirst Zyxwlast",
        b"200 ok\r\n" + QUOTED + b"\x00: Zyxwfirst",
    )
    folder = tmp_path / "data"
    texts = tmp_path / "texts" / "en"
    texts.mkdir(parents=True)
    for kind in ("birthday", "anniversary"):
        (texts / f"{kind}.txt").write_text(TEXT)
    with (
        refusing_web_server(*ways) as far,
        running(
            folder,
            BIRTHDAYS_CHANNEL="webhook",
            BIRTHDAYS_WEBHOOK_URL=f"http://127.0.0.1:{far.port}/hook",
            BIRTHDAYS_WEBHOOK_SECRET=SECRET,
            BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE="true",
            BIRTHDAYS_TEMPLATES=str(texts.parent),
        ) as service,
        service.api as api,
    ):
        user_id = registered(api)
        assert let_be_refused(service, api, user_id, far.has_refused(1)) == "FAILED"
        assert api.post(f"/messages/{message_of(api, user_id)['key']}/retry").is_success
        for count in range(2, len(ways) + 1):
            let_be_refused(service, api, user_id, far.has_refused(count))
            see_nothing_told(api, user_id)
        trial = api.post("/channel/test", json={"email": PERSON["email"]})
        assert trial.json()["outcome"] != "sent"
        assert planted(trial.content) == []

        broken = registered(api, firstName="Zyxwunwritable", email="zyxw.mail2@canary-domain.example")
        let_be_refused(service, api, broken, lambda: message_of(api, broken)["status"] == "FAILED")
        see_nothing_told(api, broken)
        see_nothing_kept(service)
    see_nothing_written(service, "deliveries_failed", "channel_paused")
