"""What an operator does at the command line of a running service."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.running import (
    COMMAND,
    RunningService,
    call_command,
    environment,
    free_port,
    running,
)

pytestmark = pytest.mark.servers

ADA = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthdayDate": "1990-03-04",
    "anniversaryDate": "2019-03-05",
}
IN_SHELLS = {
    "bash": (
        'source "$0"; COMP_WORDS=(birthdays mess); COMP_CWORD=1; _birthdays_completion birthdays; echo "${COMPREPLY[@]}"',
        "messages",
    ),
    "zsh": (
        'autoload -Uz compinit; compinit -D -u; source "$0"; echo "$_comps[birthdays]"',
        "_birthdays_completion",
    ),
    "fish": ('source $argv[1]; complete -C "birthdays mess"', "messages"),
}
"""How a shell takes in what completes, and the first word that it then says."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("operating") / "var"
    with running(folder, "--clock-start", "2027-03-03T12:00:00Z") as service:
        yield service


@pytest.fixture(scope="module")
def ada(service: RunningService) -> str:
    with service.api as api:
        answer = api.post("/users", json=ADA)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])


def told(service: RunningService, *arguments: str) -> Any:
    done = service.command(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_service_in_order_passes_its_checkup(service: RunningService, ada: str) -> None:
    found = {one["check"]: one for one in json.loads(service.command("doctor", "--json").stdout)}
    assert {name: one["verdict"] for name, one in found.items()} == {
        "settings": "ok",
        "data folder": "ok",
        "database": "ok",
        "migrations": "ok",
        "clock": "ok",
        "service clock": "warning",
        "processes": "ok",
        "plan": "ok",
        "partitions": "ok",
        "time zones": "ok",
        "messages": "ok",
        "zone data": "ok",
        "cache": "ok",
        "templates": "ok",
        "channel": "ok",
        "service": "ok",
    }
    assert found["processes"]["text"].startswith("1 process, of version ")


def test_without_a_service_a_checkup_changes_nothing_and_says_what_it_could_not_see(tmp_path: Path) -> None:
    done = call_command(["doctor", "--json"], tmp_path / "var", free_port())
    found = {one["check"]: one["verdict"] for one in json.loads(done.stdout)}
    assert (found["database"], found["cache"], found["service"]) == ("unchecked", "unchecked", "warning")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert not (tmp_path / "var" / "postgres").exists()


def test_what_is_broken_fails_with_what_to_do(tmp_path: Path) -> None:
    done = call_command(
        ["doctor", "--json"],
        tmp_path / "var",
        free_port(),
        DATABASE_URL="postgresql://ada:s3cret@127.0.0.1:1/x",
        REDIS_URL="redis://:s3cret@127.0.0.1:1",
        BIRTHDAYS_CHANNEL="smtp",
        BIRTHDAYS_SENDER="hr@example.com",
        BIRTHDAYS_SMTP_URL="smtp://ada:s3cret@127.0.0.1:1",
    )
    assert done.exit_code == 1
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    found = {one["check"]: one for one in json.loads(done.stdout)}
    failed = {name for name, one in found.items() if one["verdict"] == "failed"}
    assert failed == {"database", "cache", "channel"}
    assert all(found[name]["advice"] for name in failed)
    assert found["sender"]["verdict"] == "unchecked"
    wrong = call_command(["doctor"], tmp_path / "var", free_port(), BIRTHDAYS_SEND_TIME="9")
    assert wrong.exit_code == 1
    assert "failed     settings: BIRTHDAYS_SEND_TIME" in wrong.stdout


def test_a_person_is_explained_by_id_by_address_and_from_standard_input(
    service: RunningService, ada: str
) -> None:
    found = told(service, "explain", ada)
    assert [one["occasionDate"] for one in found["upcoming"][:2]] == ["2027-03-04", "2027-03-05"]
    assert told(service, "explain", "ada@example.com") == found
    text = service.command("explain", "-", typed="ada@example.com\n").stdout
    assert "Ada Lovelace, Europe/London" in text
    assert "BIRTHDAY (37 years) of 2027-03-04: leaves 2027-03-04T09:00:00+00:00" in text
    assert "why:   09:00 there" in text
    for unknown in ("nobody@example.com", "01900000-0000-7000-8000-000000000000", "abc/../x"):
        refused = service.command("explain", unknown)
        assert (refused.exit_code, "Error: " in refused.stderr) == (1, True)
        assert "nobody@example.com" not in refused.stderr


def test_messages_are_listed_page_by_page_and_decided_on(service: RunningService, ada: str) -> None:
    listed = told(service, "messages", "--user", ada)
    assert [(one["kind"], one["status"]) for one in listed] == [
        ("ANNIVERSARY", "SCHEDULED"),
        ("BIRTHDAY", "SCHEDULED"),
    ]
    first = service.command("messages", "--limit", "1", "--json")
    cursor = first.stderr.split()[-1]
    assert json.loads(first.stdout) == listed[:1]
    assert told(service, "messages", "--after", cursor) == listed[1:]
    key = listed[1]["key"]
    assert key in service.command("messages").stdout
    cancelled = service.command("cancel", key, "--reason", "She is on leave.")
    assert cancelled.stdout == f"The message {key} is CANCELLED.\n", cancelled.stderr
    assert [one["key"] for one in told(service, "messages", "--status", "cancelled")] == [key]
    again = service.command("cancel", key)
    assert (again.exit_code, again.stderr) == (
        1,
        "Error: A message that is CANCELLED does not allow 'cancel'.\n",
    )
    assert service.command("mark-sent", key).exit_code == 2
    refused = service.command("mark-sent", key, "--reason", "She said so.")
    assert "does not allow 'mark-sent'" in refused.stderr
    assert told(service, "retry", key)["status"] == "SCHEDULED"
    assert told(service, "messages", "--in-need") == []
    with service.api as api:
        assert "She is on leave." in api.get(f"/page/messages/{key}").text


def test_the_trail_is_shown_of_all_and_of_one_person_without_values(
    service: RunningService, ada: str
) -> None:
    with service.api as api:
        bob = api.post("/users", json={**ADA, "email": "bob@example.com"}).json()["id"]
        api.patch(f"/users/{ada}", json={"timezone": "Europe/Paris"})
        api.patch(f"/users/{ada}", json={"timezone": "Europe/London"})
        [key] = [one["key"] for one in told(service, "messages", "--user", bob) if one["kind"] == "BIRTHDAY"]
    assert service.command("cancel", key, "--reason", "He asked for it.").exit_code == 0
    done = told(service, "audit", "--user", bob)
    assert [(one["action"], one["messageKey"], one["reason"]) for one in done] == [
        ("cancel", key, "He asked for it."),
        ("register", None, None),
    ]
    assert {one["userId"] for one in done} == {bob}
    assert {(one["actorKind"], one["actorName"].partition(" in ")[0]) for one in done} == {
        ("key", "command line")
    }
    assert len(told(service, "audit", "--limit", "3")) == 3
    shown = service.command("audit").stdout
    assert "key command line in" in shown
    assert "change" in shown
    assert "timezone" in shown
    for value in ("Ada", "Lovelace", "example.com", "Europe/", "1990"):
        assert value not in shown


def test_a_test_message_arrives_marked(service: RunningService) -> None:
    done = service.command("test-send", "-", typed="operator@example.com\n")
    assert done.stdout == "The channel maildir has taken it over.\n", done.stderr
    [mail] = [
        text
        for name in service.mails()
        if "[Test]" in (text := (service.folder / "maildir" / "new" / name).read_text())
    ]
    assert "To: Ada Lovelace <operator@example.com>" in mail
    refused = service.command("test-send", "operator")
    assert (refused.exit_code, "e-mail address" in refused.stderr) == (1, True)
    assert "operator@example.com" not in service.log.read_text()


def test_settings_are_shown_and_shells_helped(service: RunningService) -> None:
    shown = service.command("config").stdout
    assert "BIRTHDAYS_SEND_TIME" in shown
    for shell, (load, completed) in IN_SHELLS.items():
        script = service.folder / f"completion.{shell}"
        script.write_text(service.command("completion", shell).stdout, encoding="utf-8")
        assert "_BIRTHDAYS_COMPLETE" in script.read_text(encoding="utf-8")
        if shutil.which(shell):
            path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                [shell, "-c", load, str(script)],
                env=environment(service.folder, service.port, PATH=path),
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.stdout.split()[:1], done.stderr) == ([completed], "")
