"""The settings that keep people from being written to by mistake, and what is held of them from staying for ever."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import attrs
import idna

from domain.brake import Brake

T = TypeVar("T")

_TIMES_MAX = 1000


class Read(Protocol):
    """Reads a variable."""

    def __call__(self, name: str, default: str, convert: Callable[[str], T]) -> T: ...


@attrs.frozen(kw_only=True)
class SafetySettings:
    """What may leave, how people get out, and for how long something is kept.

    *allowed_domains* is None where mail may go anywhere; *public_url* where nobody outside can reach the service.
    """

    brake: Brake | None = attrs.field(factory=Brake)
    allowed_domains: frozenset[str] | None = None
    public_url: str | None = None
    forget_deleted: timedelta | None = timedelta(days=400)
    keep_audit: timedelta = timedelta(days=1098)


def safety_settings(read: Read) -> SafetySettings:
    """Read the variables. Raises what *read* raises."""
    days = read("BIRTHDAYS_FORGET_DELETED_DAYS", "400", _whole(0, 36_600))
    return SafetySettings(
        brake=read("BIRTHDAYS_BRAKE", "5", _brake),
        allowed_domains=read("MAIL_ALLOW_DOMAINS", "", _domains),
        public_url=read("BIRTHDAYS_PUBLIC_URL", "", _public_url),
        forget_deleted=timedelta(days=days) if days else None,
        keep_audit=timedelta(days=read("BIRTHDAYS_AUDIT_DAYS", "1098", _whole(90, 36_600))),
    )


def _brake(text: str) -> Brake | None:
    """Read ``off`` or 0, a factor, or a factor and the number that is always allowed, as in ``5,200``."""
    if text == "off":
        return None
    match = re.fullmatch(r"(\d{1,4})(?:,(\d{1,9}))?", text, re.ASCII)
    if match is None or int(match[1]) > _TIMES_MAX:
        raise ValueError(
            f"give off, or how many times the busiest hour of late may be due in one, up to {_TIMES_MAX}, such as 5; "
            "and after a comma how many are always allowed, as in 10,5000."
        )
    if int(match[1]) == 0:
        return None
    return Brake(factor=int(match[1])) if match[2] is None else Brake(int(match[1]), int(match[2]))


def _domains(text: str) -> frozenset[str] | None:
    """Read domains with commas between, each in both of the ways in which an address may have it.

    Only nothing at all allows every domain: who wrote something meant to keep mail in.
    """
    named = [one.strip().lower().removeprefix("@") for one in text.split(",") if one.strip()]
    domains: set[str] = set()
    try:
        for part in named:
            ascii_domain = idna.encode(part, uts46=True).decode()
            domains |= {part, ascii_domain, idna.decode(ascii_domain)}
    except idna.IDNAError:
        domains.clear()
    if text and not domains:
        raise ValueError("give domains such as example.com, with commas between.")
    return frozenset(domains) or None


def _public_url(text: str) -> str | None:
    try:
        url = urlsplit(text)
        is_good = url.scheme in {"https", "http"} and bool(url.hostname) and text.isascii()
        is_good = is_good and not (url.query or url.fragment or url.username or url.password)
        is_good = is_good and url.port != 0 and not re.search(r"[\s<>\"\\]", text)
    except ValueError:
        is_good = False
    if text and not is_good:
        raise ValueError(
            "give the address at which people reach the service, such as https://birthdays.example.com."
        )
    return text.rstrip("/") or None


def _whole(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"give a whole number from {least} to {most}.")
        return int(text)

    return convert
