"""Many messages due at one instant leave then, each once, whatever is killed meanwhile."""

import mailbox
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import Message
from pathlib import Path

import pytest

from tests.service.running import RunningService, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

IN_NEW_YORK = 130
START = "2027-01-03T13:59:51Z"
"""Nine seconds before it is nine in New York."""


def people() -> str:
    """Return a file: a crowd due at 14:00 UTC, two whose nine o'clock has passed, and two of a later one."""
    rows = ["email,first_name,last_name,timezone,birthday,work_anniversary"]
    rows += [
        f"due{number}@example.com,Zoë,Due,America/New_York,,2021-01-03" for number in range(IN_NEW_YORK - 1)
    ]
    rows += [
        "born@example.com,Ada,Born,America/New_York,--01-03,",
        "past1@example.com,Bo,Past,Europe/Berlin,1980-01-03,",
        "past2@example.com,Cy,Past,America/Puerto_Rico,,2021-01-03",
        "later1@example.com,Di,Later,America/Chicago,,2021-01-03",
        "later2@example.com,Ed,Later,Pacific/Honolulu,1990-01-03,2021-01-03",
        "none@example.com,Flo,None,America/New_York,1980-07-01,2027-01-03",
    ]
    return "\n".join(rows) + "\n"


def import_people(service: RunningService, folder: Path) -> None:
    file = folder / "people.csv"
    file.write_text(people(), encoding="utf-8")
    done = service.command("import", str(file))
    assert done.exit_code == 0, done.stderr
    assert f"{IN_NEW_YORK + 5} created" in done.stdout


def addresses(folder: Path) -> list[str]:
    box = mailbox.Maildir(folder / "maildir", create=False)
    return sorted(_address(mail) for mail in box)


def _address(mail: Message) -> str:
    assert mail["Auto-Submitted"] == "auto-generated"
    return str(mail["To"]).rpartition("<")[2].rstrip(">")


def lateness(message: Mapping[str, str]) -> timedelta:
    return datetime.fromisoformat(message["sentAt"]) - datetime.fromisoformat(message["dueAt"])


EXPECTED = sorted(["born@example.com", *(f"due{number}@example.com" for number in range(IN_NEW_YORK - 1))])


def test_everybody_due_at_an_instant_and_nobody_else_gets_a_mail_then(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with a space"
    with running(folder, "--clock-start", START) as service:
        import_people(service, tmp_path)
        assert service.mails() == []
        service.wait_for_mails(IN_NEW_YORK)
        with service.api as api:
            page = api.get("/messages", params={"limit": 1000}).json()
        sent = [message for message in page["items"] if message["status"] == "SENT"]
        assert {message["dueAt"] for message in sent} == {"2027-01-03T14:00:00Z"}
        assert all(lateness(message) >= timedelta() for message in sent)
        with service.api as api:
            told = api.get("/metrics").text
        assert f'messages_lateness_seconds_count{{kind="ANNIVERSARY"}} {IN_NEW_YORK - 1}.0' in told
        assert "tick_failed" not in service.log.read_text(encoding="utf-8")
    assert addresses(folder) == EXPECTED


def test_killed_in_the_middle_of_the_burst_it_goes_on_and_greets_nobody_twice(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with running(folder, "--clock-start", START, BIRTHDAYS_LEASE_S="3") as service:
        import_people(service, tmp_path)
        before = service.wait_for_mails(20)
        service.kill_everything()
    assert len(before) < IN_NEW_YORK, "the burst was over before the kill"
    with running(folder, "--clock-start", "2027-01-03T14:00:01Z", BIRTHDAYS_LEASE_S="3") as service:
        service.wait_for_mails(IN_NEW_YORK)
        with service.api as api:
            stats = api.get("/scheduler/stats").json()
            while stats["counts"]["SENT"] < IN_NEW_YORK:
                stats = api.get("/scheduler/stats").json()
        assert stats["counts"]["SENT"] == IN_NEW_YORK
        assert stats["counts"]["SENDING"] == stats["counts"]["UNKNOWN"] == stats["counts"]["FAILED"] == 0
        assert service.stop() == 0
    assert addresses(folder) == EXPECTED


def test_a_clock_that_runs_fast_carries_the_database_along(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with running(folder, "--clock-start", "2027-01-03T11:00:00Z", "--clock-speed", "1200") as service:
        import_people(service, tmp_path)
        assert len(service.wait_for_mails(IN_NEW_YORK + 1, within_s=40)) > IN_NEW_YORK
        with service.api as api:
            page = api.get("/messages", params={"limit": 1000, "status": "SENT"}).json()
    assert all(lateness(message) >= timedelta() for message in page["items"])
