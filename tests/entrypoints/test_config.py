"""birthdays config: every setting is shown, and no secret."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrypoints.cli.config import IN_FORCE, show_config
from entrypoints.cli.main import main
from entrypoints.secret_settings import SECRETS
from entrypoints.settings import Settings

ENTRYPOINTS = Path(__file__).parents[2] / "src" / "entrypoints"
READERS = (*ENTRYPOINTS.glob("*settings.py"), ENTRYPOINTS / "environment.py")
README = Path(__file__).parents[2] / "README.md"
SECRET = "whsec_" + "QUJD" * 10
WEBHOOK = {"BIRTHDAYS_CHANNEL": "webhook", "BIRTHDAYS_WEBHOOK_URL": "https://h.example/t0ken"}


def shown(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, tuple[str, str]]:
    for name in (*IN_FORCE, *(f"{name}_FILE" for name in SECRETS)):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(show_config, ["--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return {one["name"]: (one["value"], one["source"]) for one in json.loads(answer.output)}


def test_every_setting_of_the_readme_is_shown() -> None:
    told = re.findall(r"^\| (`[A-Z_`, ]+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for cell in told for name in re.findall(r"[A-Z_]+", cell) if not name.endswith("_FILE")}
    assert names == IN_FORCE.keys()


def test_defaults_and_what_is_given_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shown(monkeypatch, BIRTHDAYS_PORT="9000", BIRTHDAYS_WINDOW_HOURS="12")
    assert found["BIRTHDAYS_PORT"] == ("9000", "environment")
    assert found["BIRTHDAYS_WINDOW_HOURS"] == ("12", "environment")
    assert found["BIRTHDAYS_SEND_TIME"] == ("09:00", "default")
    assert found["BIRTHDAYS_LEASE_S"] == ("15", "default")
    assert found["BIRTHDAYS_UNKNOWN"] == ("hold", "default")
    assert shown(monkeypatch, BIRTHDAYS_WEBHOOK_SECRET=SECRET, **WEBHOOK)["BIRTHDAYS_LEASE_S"] == (
        "60",
        "default",
    )


def test_a_default_that_is_shown_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: value for name, (value, _) in shown(monkeypatch).items() if value}
    assert Settings.from_environment(found) == Settings.from_environment({})


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "s3cret-file"
    file.write_text(SECRET, encoding="utf-8")
    found = shown(
        monkeypatch,
        DATABASE_URL="postgresql://ada:s3cret@db.example/birthdays",
        REDIS_HOST="cache.example",
        REDIS_PASSWORD="s3cret",
        BIRTHDAYS_KEY="bday_s3cret",
        BIRTHDAYS_WEBHOOK_SECRET_FILE=str(file),
        **WEBHOOK,
    )
    assert "s3cret" not in str(found)
    assert "t0ken" not in str(found)
    assert SECRET not in str(found)
    assert found["BIRTHDAYS_WEBHOOK_SECRET"] == ("***", "BIRTHDAYS_WEBHOOK_SECRET_FILE")
    assert found["DATABASE_URL"] == ("postgresql://ada:***@db.example/birthdays", "environment")
    assert found["REDIS_URL"][1] == "REDIS_HOST and the others"


def test_a_file_that_nobody_reads_is_not_shown_as_what_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRTHDAYS_PORT_FILE", "/run/secrets/port")
    assert shown(monkeypatch)["BIRTHDAYS_PORT"] == ("8000", "default")


def test_what_is_read_is_shown() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in READERS)
    assert set(re.findall(r'"((?:BIRTHDAYS|DATABASE|MAIL|REDIS)_[A-Z_]+)"', text)) == IN_FORCE.keys()


def test_what_is_read_is_named_in_the_help() -> None:
    told = CliRunner().invoke(main, ["--help"], catch_exceptions=False).output
    named = set(re.findall(r"\b(?:BIRTHDAYS|DATABASE|MAIL|REDIS)_[A-Z_]+[A-Z]\b", told))
    assert {name for name in named if not name.endswith("_FILE")} == IN_FORCE.keys()
