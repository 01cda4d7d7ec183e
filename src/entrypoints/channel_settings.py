"""The settings of the channels that reach people; what is wrong with one is said without repeating it."""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

_DEFAULT_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_SECRET_LENGTHS = range(24, 65)
_SECRET_PREFIX = "whsec_"  # noqa: S105  # it marks a secret and is none
_SMTP_HELP = "write it as smtp://user:password@host:587?tls=starttls, or smtps://user:password@host."
_WEBHOOK_HELP = "write it as https://host/path."


@attrs.frozen(kw_only=True)
class SmtpSettings:
    """A mail server, and how it is talked to: *tls* is starttls, implicit or none."""

    host: str
    port: int
    tls: str
    user: str | None
    password: str | None = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class WebhookSettings:
    """Where messages are posted to, and for how long one that comes again under its key counts once there."""

    url: str = attrs.field(repr=False)  # many hold a token
    secrets: Sequence[bytes] = attrs.field(repr=False)
    allows_private: bool
    remembers: timedelta


def smtp_settings(text: str) -> SmtpSettings:
    """Read BIRTHDAYS_SMTP_URL. Raises ValueError."""
    url, port = _parts(text, _SMTP_HELP)
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    tls = options.pop("tls", "implicit" if url.scheme == "smtps" else "starttls")
    if url.scheme not in {"smtp", "smtps"} or url.path not in {"", "/"} or url.fragment or options:
        raise ValueError(_SMTP_HELP)
    if tls not in _DEFAULT_PORTS or (url.scheme == "smtps" and tls != "implicit"):
        raise ValueError("tls is one of starttls, implicit and none, and implicit with smtps.")
    if (url.username is None) != (url.password is None):
        raise ValueError("give a user and a password, or neither.")
    if tls == "none" and url.password is not None:
        raise ValueError("a password is not sent without TLS.")
    return SmtpSettings(
        host=url.hostname or "",
        port=port or _DEFAULT_PORTS[tls],
        tls=tls,
        user=None if url.username is None else unquote(url.username),
        password=None if url.password is None else unquote(url.password),
    )


def webhook_url(text: str, *, allows_plain: bool) -> str:
    """Read BIRTHDAYS_WEBHOOK_URL. Raises ValueError."""
    url, _ = _parts(text, _WEBHOOK_HELP)
    if url.scheme not in {"https", "http"} or url.fragment or not text.isascii():
        raise ValueError(_WEBHOOK_HELP)
    if url.username is not None or url.password is not None:
        raise ValueError("a user or a password does not belong into it: messages are signed.")
    if url.scheme == "http" and not allows_plain:
        raise ValueError(
            "use https; http is for your own network, with BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE=true."
        )
    return text


def webhook_secrets(text: str) -> Sequence[bytes]:
    """Read BIRTHDAYS_WEBHOOK_SECRET: one, or several with blanks between while one follows another.

    Raises ValueError.
    """
    return [_secret(one) for one in text.split() or [text]]


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) not in _SECRET_LENGTHS:
        raise ValueError(f"write {_SECRET_PREFIX} and then 24 to 64 random bytes in base64.")
    return secret


def _parts(text: str, help_text: str) -> tuple[SplitResult, int | None]:
    """Split an address; what the standard library says of a bad one may repeat a password."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(help_text) from None
    if not url.hostname or port == 0 or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError(help_text)
    return url, port
