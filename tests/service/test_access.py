"""Keys as people come by them: at the first start, by the command line, and never from another account."""

import json
import os
import pwd
import re
import stat
from pathlib import Path

import httpx
import pytest

from tests.service.canaries import dump
from tests.service.running import (
    RunningService,
    free_port,
    run_command,
    running,
    running_from_nothing,
)

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FIRST = re.compile(r"^  your key  (bday_\w+)$", re.MULTILINE)
LINK = re.compile(r"(http://\S+/login\?token=bday_\w+)")


def status(service: RunningService, text: str, path: str = "/users") -> int:
    url = f"http://127.0.0.1:{service.port}{path}"
    return httpx.get(url, headers={"Authorization": f"Bearer {text}"}, timeout=20).status_code


def test_the_first_start_shows_a_key_once_and_every_start_a_link_for_the_browser(tmp_path: Path) -> None:
    with running_from_nothing(tmp_path / "var") as service:
        printed = service.log.read_text()
        [first], [link] = FIRST.findall(printed), LINK.findall(printed)
        assert f"curl -H 'Authorization: Bearer {first}' http://127.0.0.1:{service.port}/users" in printed
        assert status(service, first) == httpx.codes.OK
        assert httpx.get(f"http://127.0.0.1:{service.port}/users").status_code == httpx.codes.UNAUTHORIZED
        with httpx.Client() as browser:
            assert browser.get(link).status_code == httpx.codes.SEE_OTHER
            assert browser.get(f"http://127.0.0.1:{service.port}/users").status_code == httpx.codes.OK
        own = service.folder / "local.key"
        assert stat.S_IMODE(own.stat().st_mode) == 0o600
        kept = own.read_text()

        held = dump(service).decode()
        assert "first key" in held
        for text in (first, kept.strip()):
            secret = text.split("_")[2]
            assert secret[:32] not in held, "a digest is kept, and not the key"

        made = service.command("keys", "make", "payroll", "--scope", "users:read")
        text = made.stdout.strip()
        assert status(service, text) == httpx.codes.OK
        assert status(service, text, "/messages") == httpx.codes.FORBIDDEN
        listed = json.loads(service.command("keys", "list", "--json").stdout)
        assert {key["name"] for key in listed} >= {"first key", "payroll", "browser"}
        [id_] = [key["id"] for key in listed if key["name"] == "payroll"]
        assert "payroll" in service.command("keys", "list").stdout
        rotated = service.command("keys", "rotate", id_).stdout.strip()
        assert status(service, rotated) in {httpx.codes.OK, httpx.codes.UNAUTHORIZED}, (
            "believed a little longer"
        )
        assert service.command("keys", "revoke", id_).exit_code == 0
        assert service.command("keys", "revoke", "0" * 12).exit_code == 1
        assert "/login?token=bday_" in service.command("login").stdout
        done = json.loads(service.command("audit", "--json").stdout)
        account = pwd.getpwuid(os.getuid()).pw_name
        assert [(one["action"], one["keyId"], one["actorKind"], one["actorName"]) for one in done[1:4]] == [
            (action, id_, "command", account) for action in ("revoke-key", "rotate-key", "make-key")
        ]
        assert done[0]["action"] == "make-link"
        assert text not in str(done)
    printed = service.log.read_text()
    assert printed.count(first) == 2, "the key and the line to paste, and no log"
    with running(tmp_path / "var") as service:
        again = service.log.read_text().removeprefix(printed)
        assert FIRST.findall(again) == []
        assert len(LINK.findall(again)) == 1
        assert own.read_text() == kept
        assert status(service, first) == httpx.codes.OK
        used = json.loads(service.command("keys", "list", "--json").stdout)
        assert {key["name"]: key["lastUsedAt"] for key in used}["first key"] is not None, "written at the end"


def test_without_keys_it_serves_this_machine_alone_and_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "var", BIRTHDAYS_AUTH="off") as service:
        assert "BIRTHDAYS_AUTH=off" in service.log.read_text()
        assert httpx.get(f"http://127.0.0.1:{service.port}/users").status_code == httpx.codes.OK
        assert not (service.folder / "local.key").exists()
    refused = run_command(
        ["serve"], tmp_path / "other", free_port(), BIRTHDAYS_AUTH="off", BIRTHDAYS_HOST="192.0.2.1"
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: BIRTHDAYS_AUTH cannot be used")
