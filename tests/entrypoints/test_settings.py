"""What the environment says of the cache: one address in the end, or one sentence that names the variable."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from adapters.redis.client import open_client
from entrypoints.environment import InvalidSetting
from entrypoints.settings import Settings

SECRET = "s3cr#t:/@?%"


def redis_url(**environment: str) -> str | None:
    return Settings.from_environment(environment).redis_url


def refusal(**environment: str) -> str:
    with capture_logs() as lines, pytest.raises(InvalidSetting) as raised:
        Settings.from_environment(environment)
    assert lines == []
    assert raised.value.__cause__ is None
    return str(raised.value)


@pytest.mark.parametrize(
    "url",
    (
        "redis://localhost",
        "redis://localhost:6379/",
        "redis://:secret@10.0.0.1:6380/2",
        "redis://user:secret@[::1]:6379/0",
        "redis://cache?cluster=true",
        "redis://cache:7000/0?cluster=true",
        "rediss://user:p%23ss@cache.example.org:6380/0?ssl_cert_reqs=none&ssl_ca_certs=/etc/ca.pem",
        "unix:///run/valkey.sock",
        "unix:///run/valkey.sock?db=3",
        "unix://user:secret@/run/valkey.sock",
    ),
)
def test_an_address_is_taken_as_it_is(url: str) -> None:
    assert redis_url(REDIS_URL=f" {url} ") == url
    open_client(url, connections_max=1)


@pytest.mark.parametrize(
    "environment", ({}, {"REDIS_URL": ""}, {"REDIS_HOST": " "}, {"REDIS_PORT": "tcp://10.0.0.1:6379"})
)
def test_without_an_address_there_is_none(environment: dict[str, str]) -> None:
    assert redis_url(**environment) is None


@pytest.mark.parametrize(
    ("environment", "url"),
    (
        ({"REDIS_HOST": "cache"}, "redis://cache:6379/0"),
        ({"REDIS_HOST": "cache", "REDIS_PORT": "7000", "REDIS_DB": "3"}, "redis://cache:7000/3"),
        ({"REDIS_HOST": "::1"}, "redis://[::1]:6379/0"),
        ({"REDIS_HOST": "10.0.0.1", "REDIS_PASSWORD": "x"}, "redis://:x@10.0.0.1:6379/0"),
    ),
)
def test_an_address_is_put_together_from_its_parts(environment: dict[str, str], url: str) -> None:
    assert redis_url(**environment) == url


@pytest.mark.parametrize("password", (SECRET, " blank ", "пароль", "a+b c", "%41", "[::1]"))
def test_the_server_is_told_the_password_as_it_was_given(password: str) -> None:
    url = redis_url(REDIS_HOST="cache", REDIS_PASSWORD=password)
    assert url is not None
    client = open_client(url, connections_max=1)
    assert isinstance(client, Redis)
    assert client.connection_pool.connection_kwargs["password"] == password
    assert client.connection_pool.connection_kwargs["host"] == "cache"


@pytest.mark.parametrize(
    "url",
    (
        f"redis://:{SECRET}@host:6379/0",
        f"redis://:{SECRET}@host",
        "redis://:secret@host:port",
        "redis://:secret@host:99999",
        "redis://:secret@host:0",
        "redis://:secret@host/database",
        "redis://:secret@[::1",
        "redis://:secret@host:6379/1?cluster=true",
        "redis://:secret@",
        "redis:secret",
        "http://:secret@host",
        "valkey://:secret@host",
        "memcached://:secret@host:11211",
        "secret@host:6379",
        "unix://:secret@run/valkey.sock",
        "unix://",
        "unix:///",
        "unix:///run/valkey.sock?cluster=true",
        "redis://secret\u2100host",
    ),
)
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(url: str) -> None:
    text = refusal(REDIS_URL=url)
    assert text.startswith("REDIS_URL cannot be used: give an address such as redis://")
    assert "\n" not in text
    for part in ("secret", "s3cr", "t:/"):
        assert part not in text


def test_an_option_that_is_not_known_is_refused() -> None:
    """A time-out would undo what the service promises, and anything else would fail at the first connection."""
    for option in ("socket_timeout=10", "timeout=secret", "health_check_interval", "secret=1"):
        text = refusal(REDIS_URL=f"redis://host?{option}")
        assert text.startswith("REDIS_URL cannot be used: after the question mark it takes only cluster, db,")
        assert "secret" not in text


@pytest.mark.parametrize(
    ("environment", "text"),
    (
        (
            {"REDIS_URL": "redis://host", "REDIS_HOST": "host"},
            "REDIS_URL and REDIS_HOST are both set: set one of them.",
        ),
        ({"REDIS_HOST": "a b"}, "REDIS_HOST cannot be used: give the name"),
        ({"REDIS_HOST": "host:6379"}, "REDIS_HOST cannot be used: give the name"),
        ({"REDIS_HOST": "redis://host"}, "REDIS_HOST cannot be used: give the name"),
        (
            {"REDIS_HOST": "h", "REDIS_PORT": "tcp://h:1"},
            "REDIS_PORT cannot be used: give a whole number from 1",
        ),
        ({"REDIS_HOST": "h", "REDIS_PORT": "0"}, "REDIS_PORT cannot be used: give a whole number from 1"),
        ({"REDIS_HOST": "h", "REDIS_DB": "-1"}, "REDIS_DB cannot be used: give a whole number from 0"),
        ({"REDIS_PASSWORD": "secret"}, "REDIS_PASSWORD goes with REDIS_HOST"),
        ({"REDIS_URL": "redis://h", "REDIS_PASSWORD": "secret"}, "REDIS_PASSWORD goes with REDIS_HOST"),
        ({"REDIS_DB": "1"}, "REDIS_DB goes with REDIS_HOST"),
    ),
)
def test_parts_that_do_not_go_together_are_refused(environment: dict[str, str], text: str) -> None:
    said = refusal(**environment)
    assert said.startswith(text)
    assert "secret" not in said


def test_no_password_is_shown() -> None:
    settings = Settings.from_environment(
        {"REDIS_URL": "redis://:secret@host", "DATABASE_URL": "postgresql://u:secret@host/name"}
    )
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings)


def test_a_ledger_that_would_forget_who_was_greeted_is_refused() -> None:
    said = refusal(BIRTHDAYS_RETENTION_DAYS="399")
    assert said.startswith("BIRTHDAYS_RETENTION_DAYS cannot be used: give a whole number from 400")
    assert Settings.from_environment({"BIRTHDAYS_RETENTION_DAYS": "400"}).retention == timedelta(days=400)
