"""Secrets come from files as well, are given once, and are shown to nobody."""

import base64
from pathlib import Path

import pytest

from entrypoints.secret_settings import FILE_BYTES_MAX, SECRETS, masked, with_secrets_of_files
from entrypoints.settings import InvalidSetting, Settings

WEBHOOK = {"BIRTHDAYS_CHANNEL": "webhook", "BIRTHDAYS_WEBHOOK_URL": "https://hooks.example.com/s3cret"}
SIGNING = "whsec_" + base64.b64encode(b"s" * 24).decode()


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(InvalidSetting) as raised:
        Settings.from_environment(environment)
    assert raised.value.__cause__ is None
    return str(raised.value)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "s3cret"


def test_every_secret_may_be_a_file(secret: Path) -> None:
    for name in SECRETS:
        secret.write_text(f"value of {name}\n")
        assert with_secrets_of_files({f"{name}_FILE": f" {secret} "})[name] == f"value of {name}"


def test_what_the_service_needs_it_finds_in_files(tmp_path: Path) -> None:
    files = {
        "DATABASE_URL": "postgresql://u:s3cret@db/name",
        "REDIS_URL": "redis://:s3cret@cache:6379/0",
        "BIRTHDAYS_WEBHOOK_SECRET": SIGNING,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    settings = Settings.from_environment({**WEBHOOK, **{f"{n}_FILE": str(tmp_path / n) for n in files}})
    assert (settings.database_url, settings.redis_url) == (files["DATABASE_URL"], files["REDIS_URL"])
    assert settings.webhook is not None
    assert settings.webhook.secrets == [b"s" * 24]
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("content", "password"), (("p\n", "p"), ("p\r\n", "p"), ("p", "p"), (" p \n\n", " p \n"))
)
def test_a_password_is_as_it_stands_but_for_the_last_line_break(
    secret: Path, content: str, password: str
) -> None:
    secret.write_bytes(content.encode())
    assert with_secrets_of_files({"REDIS_PASSWORD_FILE": str(secret)})["REDIS_PASSWORD"] == password


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_given_once(secret: Path, name: str) -> None:
    secret.write_text("s3cret")
    text = refusal({name: "s3cret", f"{name}_FILE": str(secret)})
    assert text == f"{name} and {name}_FILE are both set: set one of them."


def test_an_empty_variable_is_one_that_is_not_set(secret: Path) -> None:
    secret.write_text("postgresql://u:s3cret@db/name")
    settings = Settings.from_environment({"DATABASE_URL": "", "DATABASE_URL_FILE": str(secret)})
    assert settings.database_url == "postgresql://u:s3cret@db/name"
    assert Settings.from_environment({"DATABASE_URL_FILE": " "}).database_url is None


@pytest.mark.parametrize(
    "content", (None, b"", b" \n", b"\xff\xfes3cret", b"s3cret\x00", b"x" * (FILE_BYTES_MAX + 1))
)
def test_a_file_that_cannot_be_used_is_refused_without_being_repeated(
    secret: Path, content: bytes | None
) -> None:
    if content is not None:
        secret.write_bytes(content)
    text = refusal({"DATABASE_URL_FILE": str(secret)})
    assert text.startswith("DATABASE_URL_FILE cannot be used: ")
    assert "s3cret" not in text


@pytest.mark.parametrize("path", ("postgresql://u:s3cret@db/name", "s3cret\x00", "/", "s3cret" * 1000))
def test_who_gives_the_secret_for_its_file_does_not_read_it_on_the_screen(path: str) -> None:
    assert "s3cret" not in refusal({"DATABASE_URL_FILE": path})


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    (
        (
            "DATABASE_URL",
            "postgresql://u:s3cret@db:5432/n?sslmode=verify-full",
            "postgresql://u:***@db:5432/n?sslmode=verify-full",
        ),
        ("DATABASE_URL", "postgresql://u@db/n?password=s3cret", "postgresql://***@db/n?password=***"),
        (
            "DATABASE_URL",
            "postgresql:///n?host=/run&passfile=s3cret",
            "postgresql:///n?host=/run&passfile=***",
        ),
        ("DATABASE_URL", "s3cret", "***"),
        ("DATABASE_URL", "postgresql://u:s3cret@db:port/n", "***"),
        ("DATABASE_URL", "postgresql://u:s3cret@[::1/n", "***"),
        (
            "REDIS_URL",
            "rediss://:s3cret@[::1]:6380/0?cluster=true",
            "rediss://:***@[::1]:6380/0?cluster=true",
        ),
        ("REDIS_URL", "redis://s3cret@cache", "redis://***@cache"),
        ("REDIS_URL", "unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("REDIS_URL", "s3cret@host:6379", "***"),
        ("REDIS_URL", "redis:s3cret", "***"),
        ("REDIS_URL", "redis://:12#s3cret@host", "***"),
        ("REDIS_URL", "redis://user:12/s3cret@host", "***"),
        ("REDIS_URL", "redis://user:12?s3cret@host", "***"),
        ("REDIS_PASSWORD", "s3cret", "***"),
        ("BIRTHDAYS_SMTP_URL", "smtp://a%40b:s3cret@mail:587?tls=none", "smtp://a%40b:***@mail:587?tls=none"),
        ("BIRTHDAYS_WEBHOOK_URL", "https://h.example/s3cret?k=s3cret", "https://h.example/***"),
        ("BIRTHDAYS_WEBHOOK_URL", "https://h.example/", "https://h.example/"),
        ("BIRTHDAYS_WEBHOOK_SECRET", "s3cret s3cret", "***"),
        ("BIRTHDAYS_KEY", "bday_s3cret", "***"),
        ("DATABASE_URL", "", ""),
        ("DATABASE_URL_FILE", "/run/secrets/db", "/run/secrets/db"),
        ("BIRTHDAYS_CHANNEL", "smtp", "smtp"),
    ),
)
def test_what_is_shown_of_a_setting_is_no_secret(name: str, text: str, shown: str) -> None:
    assert masked(name, text) == shown
