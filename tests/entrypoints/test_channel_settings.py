"""The settings of the channels: what is meant, and that mistakes are told without secrets."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from entrypoints.channel_settings import SmtpSettings
from entrypoints.environment import InvalidSetting
from entrypoints.settings import Settings

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
SMTP = {"BIRTHDAYS_CHANNEL": "smtp", "BIRTHDAYS_SENDER": "hr@example.com"}
WEBHOOK = {
    "BIRTHDAYS_CHANNEL": "webhook",
    "BIRTHDAYS_WEBHOOK_URL": "https://hooks.example.com/x?y=z",
    "BIRTHDAYS_WEBHOOK_SECRET": SECRET,
}


def read(values: dict[str, str], **more: str) -> Settings:
    return Settings.from_environment({**values, **more})


def refusal(values: dict[str, str], **more: str) -> str:
    with pytest.raises(InvalidSetting) as caught:
        read(values, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    (
        ("smtp://mail.example.com", ("mail.example.com", 587, "starttls", None, None)),
        (
            "smtp://ada:p%40ss%2F@mail.example.com:2525",
            ("mail.example.com", 2525, "starttls", "ada", "p@ss/"),
        ),
        ("smtp://a%40b:x@[::1]/?tls=implicit", ("::1", 465, "implicit", "a@b", "x")),
        ("smtps://mail.example.com", ("mail.example.com", 465, "implicit", None, None)),
        ("smtp://localhost?tls=none", ("localhost", 25, "none", None, None)),
    ),
)
def test_a_mail_server_is_one_address(url: str, told: tuple[str, int, str, str | None, str | None]) -> None:
    host, port, tls, user, password = told
    expected = SmtpSettings(host=host, port=port, tls=tls, user=user, password=password)
    assert read(SMTP, BIRTHDAYS_SMTP_URL=url).smtp == expected


@pytest.mark.parametrize(
    "url",
    (
        "",
        "mail.example.com",
        "http://ada:s3cret@mail.example.com",
        "smtp://ada:s3cret@",
        "smtp://ada:s3cret@mail.example.com:70000",
        "smtp://ada:s3cret@mail.example.com:0",
        "smtp://ada:s3cret/x@mail.example.com",
        "smtp://ada:s3cret@mail.example.com/inbox",
        "smtp://ada:s3cret@mail.example.com?tls=maybe",
        "smtp://ada:s3cret@mail.example.com?ssl=true",
        "smtps://ada:s3cret@mail.example.com?tls=starttls",
        "smtp://ada:s3cret@mail.example.com?tls=none",
        "smtp://s3cret@mail.example.com",
        "smtp://[s3cret",
        "smtp://ada:s3cret@mail example.com",
    ),
)
def test_a_mistake_in_it_is_told_without_the_password(url: str) -> None:
    text = refusal(SMTP, BIRTHDAYS_SMTP_URL=url)
    assert text.startswith("BIRTHDAYS_SMTP_URL cannot be used: ")
    assert "s3cret" not in text


def test_mail_needs_a_sender() -> None:
    text = refusal({"BIRTHDAYS_CHANNEL": "smtp", "BIRTHDAYS_SMTP_URL": "smtp://localhost"})
    assert text.startswith("BIRTHDAYS_SENDER cannot be used: ")


def test_a_webhook() -> None:
    told = read(WEBHOOK).webhook
    assert told is not None
    assert (told.url, told.secrets) == ("https://hooks.example.com/x?y=z", [b"s" * 24])
    assert (told.allows_private, told.remembers) == (False, timedelta(hours=24))
    plain = {
        "BIRTHDAYS_WEBHOOK_URL": "http://10.0.0.1:8080/",
        "BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE": "true",
        "BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS": "0",
        "BIRTHDAYS_WEBHOOK_SECRET": f"{SECRET} {SECRET}",
    }
    told = read(WEBHOOK, **plain).webhook
    assert told is not None
    assert (told.allows_private, told.remembers, len(told.secrets)) == (True, timedelta(0), 2)


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("BIRTHDAYS_WEBHOOK_URL", ""),
        ("BIRTHDAYS_WEBHOOK_URL", "hooks.example.com"),
        ("BIRTHDAYS_WEBHOOK_URL", "http://hooks.example.com/s3cret"),
        ("BIRTHDAYS_WEBHOOK_URL", "https://ada:s3cret@hooks.example.com"),
        ("BIRTHDAYS_WEBHOOK_URL", "https://hooks.example.com/#s3cret"),
        ("BIRTHDAYS_WEBHOOK_URL", "file:///etc/s3cret"),
        ("BIRTHDAYS_WEBHOOK_SECRET", ""),
        ("BIRTHDAYS_WEBHOOK_SECRET", "s3cret"),
        ("BIRTHDAYS_WEBHOOK_SECRET", "whsec_czNjcmV0"),
        ("BIRTHDAYS_WEBHOOK_SECRET", f"{SECRET} whsec_s3cret!"),
        ("BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE", "perhaps"),
        ("BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS", "true"),
    ),
)
def test_a_mistake_in_a_webhook_is_told_without_secrets(name: str, value: str) -> None:
    text = refusal(WEBHOOK, **{name: value})
    assert text.startswith(f"{name} cannot be used: ")
    assert "s3cret" not in text
    assert SECRET not in text


def test_secrets_are_not_shown() -> None:
    shown = repr(read(SMTP, BIRTHDAYS_SMTP_URL="smtp://ada:s3cret@localhost")) + repr(read(WEBHOOK))
    assert "s3cret" not in shown
    assert "ssss" not in shown


def test_what_leaves_the_machine_has_more_time() -> None:
    assert read({}).lease.total_seconds() == 15
    settings = read(WEBHOOK)
    assert settings.lease.total_seconds() == 60
    assert 2 * settings.message_s < 0.8 * settings.lease.total_seconds()


def test_a_language_and_a_folder(tmp_path: Path) -> None:
    assert read({}).templates is None
    settings = read({}, BIRTHDAYS_LANGUAGE="de-AT", BIRTHDAYS_TEMPLATES=str(tmp_path))
    assert (settings.language, settings.templates) == ("de-AT", tmp_path)
    assert "BIRTHDAYS_LANGUAGE" in refusal({}, BIRTHDAYS_LANGUAGE="German")
    assert "BIRTHDAYS_TEMPLATES" in refusal({}, BIRTHDAYS_TEMPLATES=str(tmp_path / "none"))
