"""What the environment says, checked at start: every mistake is one sentence that names its variable."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

import attrs

from application.limiting import LIMITS, RequestClass
from domain.due import NINE, SendPolicy
from domain.message import RetryPolicy
from domain.occasion import LeapDayRule
from entrypoints.channel_settings import (
    SmtpSettings,
    WebhookSettings,
    smtp_settings,
    webhook_secrets,
    webhook_url,
)
from entrypoints.environment import InvalidSetting, Variables
from entrypoints.safety_settings import SafetySettings, safety_settings

CHANNELS = ("maildir", "console", "smtp", "webhook")
_FAR = ("smtp", "webhook")
_MESSAGE_PART = 0.35  # of the lease; see message_s
_PORT_MAX = 65_535
_REDIS_OPTIONS = frozenset(
    {
        "cluster",
        "db",
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
    }
)
"""No time-outs: those are the service's own, and its promises rest on them."""


@attrs.frozen(kw_only=True)
class Settings:
    """The service's settings. Durations come in the unit that the variable's name ends with."""

    data_dir: Path
    host: str = "127.0.0.1"
    is_open: bool = False
    """Whether nobody is asked for a key."""
    limits: Mapping[RequestClass, int] = attrs.field(factory=lambda: LIMITS)
    """How many requests a key has per minute."""
    port: int
    database_url: str | None = attrs.field(repr=False)
    replica_url: str | None = attrs.field(repr=False, default=None)
    redis_url: str | None = attrs.field(repr=False)
    channel: str
    connections: int = 4
    sender: str
    smtp: SmtpSettings | None = None
    webhook: WebhookSettings | None = None
    language: str = "en"
    templates: Path | None = None
    policy: SendPolicy
    retry_policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    retries_unknown: bool = False
    retention: timedelta = timedelta(days=400)
    rate_per_s: float | None = None
    burst: int = 100
    lease: timedelta
    audits_per_s: float = 1.0
    drain_s: float = 0.0
    """How long it still serves, and is not ready, once it is told to stop."""
    safety: SafetySettings = attrs.field(factory=SafetySettings)
    log_format: str

    @property
    def message_s(self) -> float:
        """How long one message may take; a batch takes up to twice that, well within the lease."""
        return self.lease.total_seconds() * _MESSAGE_PART

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables; those that are not set, or empty, have their defaults. Raises InvalidSetting."""
        read = Variables.over(os.environ if environment is None else environment)
        host, is_open = (
            read("BIRTHDAYS_HOST", "127.0.0.1", _own_address),
            read("BIRTHDAYS_AUTH", "on", _on_or_off),
        )
        if is_open and not ip_address(host).is_loopback:
            raise InvalidSetting(
                f"BIRTHDAYS_AUTH cannot be used: without keys it serves this machine alone, and not {host}: "
                "leave it on, or BIRTHDAYS_HOST at 127.0.0.1."
            )
        channel = read("BIRTHDAYS_CHANNEL", "maildir", _one_of(*CHANNELS))
        return cls(
            host=host,
            is_open=is_open,
            limits=LIMITS | read("BIRTHDAYS_LIMITS", "", _limits),
            data_dir=read("BIRTHDAYS_DATA_DIR", "var", Path).absolute(),
            port=read("BIRTHDAYS_PORT", "8000", _port),
            database_url=read("DATABASE_URL", "", str) or None,
            replica_url=read("BIRTHDAYS_REPLICA_URL", "", str) or None,
            redis_url=_redis(read),
            channel=channel,
            connections=read("BIRTHDAYS_CHANNEL_CONNECTIONS", "4", _whole(1, 64)),
            sender=read("BIRTHDAYS_SENDER", "" if channel == "smtp" else "birthdays@localhost", _address),
            smtp=read("BIRTHDAYS_SMTP_URL", "", smtp_settings) if channel == "smtp" else None,
            webhook=_webhook(read) if channel == "webhook" else None,
            language=read("BIRTHDAYS_LANGUAGE", "en", _language),
            templates=read("BIRTHDAYS_TEMPLATES", "", _folder),
            policy=SendPolicy(
                send_time=read("BIRTHDAYS_SEND_TIME", f"{NINE:%H:%M}", _wall_time),
                leap_day_rule=LeapDayRule(
                    read("BIRTHDAYS_LEAP_DAY_RULE", LeapDayRule.FEB28.value, _one_of(*LeapDayRule))
                ),
                window=timedelta(hours=read("BIRTHDAYS_WINDOW_HOURS", "24", _whole(1, 24 * 14))),
            ),
            # The guard against a second greeting looks back 300 days.
            retention=timedelta(days=read("BIRTHDAYS_RETENTION_DAYS", "400", _whole(400, 36_600))),
            rate_per_s=read("BIRTHDAYS_RATE_PER_S", "0", _number(0, 100_000)) or None,
            burst=read("BIRTHDAYS_BURST", "100", _whole(1, 100_000)),
            retries_unknown=read("BIRTHDAYS_UNKNOWN", "hold", _one_of("hold", "retry")) == "retry",
            lease=timedelta(
                seconds=read("BIRTHDAYS_LEASE_S", "60" if channel in _FAR else "15", _whole(1, 3600))
            ),
            audits_per_s=float(read("BIRTHDAYS_CACHE_AUDITS_PER_S", "1", _whole(0, 1000))),
            drain_s=float(read("BIRTHDAYS_DRAIN_S", "0", _whole(0, 600))),
            safety=safety_settings(read),
            log_format=read("BIRTHDAYS_LOG_FORMAT", "auto", _one_of("auto", "json", "console")),
        )


def _redis(read: Variables) -> str | None:
    """Return the address of the cache, from REDIS_URL or put together from REDIS_HOST and the others."""
    given = {
        name for name in ("REDIS_URL", "REDIS_HOST", "REDIS_PASSWORD", "REDIS_DB") if read(name, "", str)
    }
    if {"REDIS_URL", "REDIS_HOST"} <= given:
        raise InvalidSetting("REDIS_URL and REDIS_HOST are both set: set one of them.")
    if "REDIS_HOST" not in given:
        # REDIS_PORT alone says nothing: Kubernetes sets it for whoever has a service called redis.
        for name in sorted(given - {"REDIS_URL"}):
            raise InvalidSetting(
                f"{name} goes with REDIS_HOST, which is not set; REDIS_URL holds all in one."
            )
        return read("REDIS_URL", "", _redis_url) or None
    host = read("REDIS_HOST", "", _host)
    port = read("REDIS_PORT", "6379", _whole(1, _PORT_MAX))
    password = read.environment.get("REDIS_PASSWORD", "")  # as it is: it may begin with a blank
    user = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{user}{host}:{port}/{read('REDIS_DB', '0', _whole(0, 9999))}"


def _redis_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = not text or _is_redis_address(parts)
    except ValueError:  # whose text may quote the password
        is_good = False
    if not is_good:
        raise ValueError(
            "give an address such as redis://:password@host:6379/0, rediss://host:6380?cluster=true or "
            "unix:///path/to/socket; in a password, special characters are written as %23 and the like."
        )
    unknown = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - _REDIS_OPTIONS
    if unknown:
        raise ValueError(f"after the question mark it takes only {', '.join(sorted(_REDIS_OPTIONS))}.")
    return text


def _is_redis_address(parts: SplitResult) -> bool:
    is_cluster = "cluster" in dict(parse_qsl(parts.query))
    if parts.fragment:
        return False
    if parts.scheme == "unix":
        return not parts.hostname and len(parts.path) > 1 and not is_cluster
    is_network = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    return is_network and bool(re.fullmatch(r"/?0?" if is_cluster else r"/?\d{0,4}", parts.path, re.ASCII))


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text, re.ASCII):
        raise ValueError("give the name or the address of a host, and its port as REDIS_PORT.")
    return f"[{text}]" if ":" in text else text


def _yes_or_no(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _webhook(read: Variables) -> WebhookSettings:
    allows_private = read("BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE", "false", _yes_or_no)
    return WebhookSettings(
        url=read("BIRTHDAYS_WEBHOOK_URL", "", partial(webhook_url, allows_plain=allows_private)),
        secrets=read("BIRTHDAYS_WEBHOOK_SECRET", "", webhook_secrets),
        allows_private=allows_private,
        remembers=timedelta(hours=read("BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS", "24", _whole(0, 24 * 365))),
    )


def _language(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", text, re.ASCII):
        raise ValueError("give the tag of a language such as en or de-AT.")
    return text


def _folder(text: str) -> Path | None:
    if text and not Path(text).is_dir():
        raise ValueError("there is no such folder.")
    return Path(text).absolute() if text else None


def _port(text: str) -> int:
    return _whole(0, _PORT_MAX)(text)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"give a whole number from {least} to {most}.")
        return int(text)

    return convert


def _own_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("give an address of this machine, such as 127.0.0.1 or 0.0.0.0.") from None


def _on_or_off(text: str) -> bool:
    """Return whether it is off."""
    return _one_of("on", "off")(text) == "off"


def _limits(text: str) -> dict[RequestClass, int]:
    limits: dict[RequestClass, int] = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name.strip() not in set(RequestClass):
            raise ValueError(
                f"give requests per minute, as read=1000,write=100, of {', '.join(RequestClass)}."
            )
        limits[RequestClass(name.strip())] = _whole(1, 100_000_000)(number.strip())
    return limits


def _number(least: float, most: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII) or not least <= float(text) <= most:
            raise ValueError(f"give a number from {least:g} to {most:g}.")
        return float(text)

    return convert


def _one_of(*choices: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}.")
        return text

    return convert


def _address(text: str) -> str:
    if not text.isascii() or not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", text):
        raise ValueError("give an address such as birthdays@example.com.")
    return text


def _wall_time(text: str) -> time:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if match is None:
        raise ValueError("give a time of day such as 09:00.")
    return time(int(match[1]), int(match[2]))
