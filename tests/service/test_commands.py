"""The command line beside a running service, and without one."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.running import RunningService, call_command, free_port, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

GOOD = (
    "email,first_name,last_name,timezone,birthday,work_anniversary,shoe_size\n"
    "ada@example.com,Ada,Lovelace,Europe/London,1990-03-04,2019-03-03,38\n"
    "bob@example.com,Bob,Hope,Asia/Tokyo,--03-05,,44\n"
)
BAD = GOOD + "no-address,Cy,Coleman,Europe/Berlin,1980-02-30,,\ndi@example.com,Di,,Mars/Olympus_Mons,,,\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service") / "var"
    with running(folder, "--clock-start", "2027-03-03T06:00:00Z") as service:
        yield service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def test_importing_tells_rows_and_problems_and_changes_nothing_twice(
    service: RunningService, file: Path
) -> None:
    file.write_text(BAD, encoding="utf-8")
    dry = service.command("import", "--dry-run", str(file))
    assert (dry.exit_code, dry.stdout) == (
        3,
        "4 rows: would be 2 created, 0 updated, 0 unchanged, 2 left out\n",
    )
    told = ["read as", "columns that say nothing here", "line 4", "line 4", "line 5"]
    assert [line.partition(":")[0] for line in dry.stderr.splitlines()] == told
    assert "no-address" not in dry.stderr
    first = service.command("import", str(file))
    assert "2 created" in first.stdout
    second = service.command("import", "--json", str(file))
    report = json.loads(second.stdout)
    assert (report["created"], report["updated"], report["unchanged"], report["failed"]) == (0, 0, 2, 2)
    assert report["ignoredColumns"] == ["shoe_size"]

    shown = service.command("upcoming", "--days", "5", "--json")
    assert shown.exit_code == 0, shown.stderr
    assert [(row["dueAt"], row["kind"], row["years"]) for row in json.loads(shown.stdout)] == [
        ("2027-03-03T09:00:00Z", "ANNIVERSARY", 8),
        ("2027-03-04T09:00:00Z", "BIRTHDAY", 37),
        ("2027-03-05T00:00:00Z", "BIRTHDAY", None),
    ]
    table = service.command("upcoming", "--days", "5")
    assert "3 messages in the next 5 days" in table.stdout

    days = ("--from", "2028-03-01", "--to", "2028-03-10")  # a whole year takes as long as all the rest here
    planned = service.command("plan", *days, "--dry-run", "--json")
    assert json.loads(planned.stdout) == [{"scheduled": 3, "skipped": 0, "expired": 0, "dryRun": True}]
    assert "3 messages planned" in service.command("plan", *days).stdout
    assert "0 messages planned" in service.command("plan", *days).stdout


def test_an_import_of_another_program_s_file_is_undone(service: RunningService, file: Path) -> None:
    text = "Vorname;Nachname;E-Mail;Geburtstag\r\nJörg;Müller;joerg@example.com;07.04.1992\r\n"
    file.write_bytes(text.encode("cp1252"))
    turned = service.command("import", "--dry-run", "--date-order", "month-first", str(file))
    assert "dates month-first" in turned.stderr
    done = service.command("import", "--timezone", "Europe/Berlin", str(file))
    assert done.stderr.startswith("read as: csv, german, windows-1252, semicolons, dates day-first\n")
    assert "1 created" in done.stdout
    import_id = done.stderr.split()[-1]
    undone = service.command("undo", import_id)
    assert undone.stdout.startswith("1 person as before"), undone.stderr
    again = service.command("undo", import_id)
    assert (again.exit_code, "no such import" in again.stderr) == (1, True)


def test_everybody_leaves_as_a_file(service: RunningService, file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    service.command("import", str(file))
    exported = service.command("export", "--output", str(file))
    assert exported.exit_code == 0, exported.stderr
    assert "unchanged, 0 left out" in service.command("import", str(file)).stdout
    calendar = service.command("export", "--format", "calendar").stdout
    assert calendar.startswith("BEGIN:VCALENDAR")
    assert calendar.rstrip().endswith("END:VCALENDAR")


def test_a_calendar_is_subscribed_to_until_its_address_is_taken_back(
    service: RunningService, file: Path
) -> None:
    file.write_text(GOOD, encoding="utf-8")
    service.command("import", str(file))
    made = service.command("feeds", "make", "team", "--years")
    address = made.stdout.strip()
    assert address.startswith(f"http://127.0.0.1:{service.port}/calendar/bday_"), made.stderr
    assert "(born 1990)" in httpx.get(address, timeout=20).text
    [feed] = json.loads(service.command("feeds", "list", "--json").stdout)
    assert (feed["name"], feed["tellsYears"], feed["revokedAt"]) == ("team", True, None)
    assert "team" in service.command("feeds", "list").stdout
    assert service.command("feeds", "revoke", feed["id"]).exit_code == 0
    deadline = time.monotonic() + 10
    while httpx.get(address, timeout=20).status_code != httpx.codes.NOT_FOUND:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "bday_" not in service.log.read_text().partition("Stop it with")[2]


def test_a_complete_list_that_lacks_many_must_be_confirmed(service: RunningService, file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    service.command("import", str(file))
    file.write_text("email\nnobody@example.com\n", encoding="utf-8")
    refused = service.command("import", "--complete", str(file))
    assert (refused.exit_code, "confirm the number" in refused.stderr) == (1, True)


def test_who_calls_from_another_folder_is_told_where_a_key_was_looked_for(
    service: RunningService, file: Path, tmp_path: Path
) -> None:
    file.write_text("email\n", encoding="utf-8")
    refused = call_command(["import", str(file), "--dry-run"], tmp_path / "elsewhere", service.port)
    assert refused.exit_code == 1
    assert f"no service has left one in {tmp_path / 'elsewhere'}." in refused.stderr


def test_the_schema_is_up_to_date_beside_a_running_service(service: RunningService) -> None:
    done = service.command("migrate")
    assert done.exit_code == 0, done.stderr
    assert "up to date" in done.stdout


def test_an_import_without_a_service_says_how_to_start_one(tmp_path: Path, file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    refused = call_command(["import", str(file)], tmp_path / "var", free_port())
    assert refused.exit_code == 1
    assert "birthdays serve" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("content", (b"", b"name\nAda\n", b"\xff\xfe\x00", b"email,email\na@example.com,b\n"))
def test_a_file_that_is_none_of_people_is_one_sentence(
    service: RunningService, file: Path, content: bytes
) -> None:
    file.write_bytes(content)
    for arguments in (["import"], ["simulate", "--from", "2027-01-01", "--to", "2027-01-02"]):
        refused = service.command(*arguments, str(file))
        assert refused.exit_code == 1
        assert "Error: " in refused.stderr
        assert "Traceback" not in refused.stderr


def test_without_a_service_the_commands_start_the_database_for_themselves(tmp_path: Path) -> None:
    made = call_command(["migrate"], tmp_path / "var", free_port())
    assert "from nothing to revision" in made.stdout, made.stderr
    assert json.loads(call_command(["upcoming", "--json"], tmp_path / "var", free_port()).stdout) == []
