"""What the environment says, checked at start: every mistake is one sentence that names its variable."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

import attrs

from application.limiting import LIMITS, RequestClass
from domain.due import NINE, SendPolicy
from domain.message import RetryPolicy
from domain.occasion import LeapDayRule

T = TypeVar("T")

CHANNELS = ("maildir", "console")
_PORT_MAX = 65_535


class InvalidSetting(ValueError):
    """A variable's value cannot be used; the text names it and says what can."""


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
    database_url: str | None
    redis_url: str | None
    channel: str
    sender: str
    policy: SendPolicy
    retry_policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    lease: timedelta
    audits_per_s: float = 1.0
    log_format: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables; those that are not set, or empty, have their defaults. Raises InvalidSetting."""
        read = _Reader(os.environ if environment is None else environment)
        host, is_open = read("BIRTHDAYS_HOST", "127.0.0.1", _host), read("BIRTHDAYS_AUTH", "on", _on_or_off)
        if is_open and not ip_address(host).is_loopback:
            raise InvalidSetting(
                f"BIRTHDAYS_AUTH cannot be used: without keys it serves this machine alone, and not {host}: "
                "leave it on, or BIRTHDAYS_HOST at 127.0.0.1."
            )
        return cls(
            host=host,
            is_open=is_open,
            limits=LIMITS | read("BIRTHDAYS_LIMITS", "", _limits),
            data_dir=read("BIRTHDAYS_DATA_DIR", "var", Path).absolute(),
            port=read("BIRTHDAYS_PORT", "8000", _port),
            database_url=read("DATABASE_URL", "", str) or None,
            redis_url=read("REDIS_URL", "", str) or None,
            channel=read("BIRTHDAYS_CHANNEL", "maildir", _one_of(*CHANNELS)),
            sender=read("BIRTHDAYS_SENDER", "birthdays@localhost", _address),
            policy=SendPolicy(
                send_time=read("BIRTHDAYS_SEND_TIME", f"{NINE:%H:%M}", _wall_time),
                leap_day_rule=LeapDayRule(
                    read("BIRTHDAYS_LEAP_DAY_RULE", LeapDayRule.FEB28.value, _one_of(*LeapDayRule))
                ),
                window=timedelta(hours=read("BIRTHDAYS_WINDOW_HOURS", "24", _whole(1, 24 * 14))),
            ),
            lease=timedelta(seconds=read("BIRTHDAYS_LEASE_S", "15", _whole(1, 3600))),
            audits_per_s=float(read("BIRTHDAYS_CACHE_AUDITS_PER_S", "1", _whole(0, 1000))),
            log_format=read("BIRTHDAYS_LOG_FORMAT", "auto", _one_of("auto", "json", "console")),
        )


@attrs.frozen
class _Reader:
    environment: Mapping[str, str]

    def __call__(self, name: str, default: str, convert: Callable[[str], T]) -> T:
        text = self.environment.get(name, "").strip() or default
        try:
            return convert(text)
        except ValueError as error:
            raise InvalidSetting(f"{name} cannot be used: {error}") from None


def _port(text: str) -> int:
    return _whole(0, _PORT_MAX)(text)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"give a whole number from {least} to {most}.")
        return int(text)

    return convert


def _host(text: str) -> str:
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


def _one_of(*choices: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}.")
        return text

    return convert


def _address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", text):
        raise ValueError("give an address such as birthdays@example.com.")
    return text


def _wall_time(text: str) -> time:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if match is None:
        raise ValueError("give a time of day such as 09:00.")
    return time(int(match[1]), int(match[2]))
