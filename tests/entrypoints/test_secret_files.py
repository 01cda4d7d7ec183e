"""A secret may lie in a file: what stands in it counts, and nothing of it is told when it does not."""

from pathlib import Path

import pytest

from entrypoints.environment import SECRETS, InvalidSetting, Variables
from entrypoints.settings import Settings


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(InvalidSetting) as raised:
        Settings.from_environment(environment)
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_what_stands_in_the_file_is_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://birthdays:s3cret@db/birthdays\n")
    found = Settings.from_environment({"DATABASE_URL_FILE": f" {file} "})
    assert found.database_url == "postgresql://birthdays:s3cret@db/birthdays"
    assert "s3cret" not in repr(found)


def test_a_password_keeps_its_blanks_and_its_letters(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" pässword \r\n", encoding="utf-8")
    found = Settings.from_environment({"REDIS_HOST": "cache", "REDIS_PASSWORD_FILE": str(file)})
    assert found.redis_url == "redis://:%20p%C3%A4ssword%20@cache:6379/0"


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_given_once(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("x")
    told = refusal({name: "x", f"{name}_FILE": str(file)})
    assert told == f"{name} and {name}_FILE are both set: set one of them."


@pytest.mark.parametrize("name", SECRETS)
def test_a_file_that_cannot_be_read_is_one_sentence(name: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(b"\xff\xfe\x00secret")
    for path in (tmp_path / "nowhere", tmp_path, picture):
        told = refusal({f"{name}_FILE": str(path)})
        assert told == f"{name}_FILE cannot be used: there is no file of text that can be read."


def test_only_secrets_lie_in_files() -> None:
    assert Variables.over({"BIRTHDAYS_PORT_FILE": "/nowhere"})("BIRTHDAYS_PORT", "8000", int) == 8000
