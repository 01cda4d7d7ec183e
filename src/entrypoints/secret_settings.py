"""Secrets among the settings: read from files where these are named, and masked wherever a setting is shown."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

SECRETS = (
    "DATABASE_URL",
    "BIRTHDAYS_REPLICA_URL",
    "REDIS_URL",
    "REDIS_PASSWORD",
    "BIRTHDAYS_SMTP_URL",
    "BIRTHDAYS_WEBHOOK_URL",
    "BIRTHDAYS_WEBHOOK_SECRET",
    "BIRTHDAYS_KEY",
)
"""Each may be given as a file instead, by its name with ``_FILE``; an address may hold a password or a token."""

FILE_BYTES_MAX = 64 * 1024
_MASK = "***"
_OPTIONS_SHOWN = frozenset({"cluster", "db", "host", "pgbouncer", "port", "tls"})


class SecretUnreadable(ValueError):
    """A secret is given twice, or its file cannot be used; the text repeats neither the secret nor the path.

    Not the path: who mistakes the one for the other has put the secret there.
    """


def with_secrets_of_files(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return *environment* with what the files hold that it names. Raises SecretUnreadable."""
    found = dict(environment)
    for name in SECRETS:
        path = environment.get(f"{name}_FILE", "").strip()
        if path:
            if environment.get(name, "").strip():
                raise SecretUnreadable(f"{name} and {name}_FILE are both set: set one of them.")
            found[name] = _content(f"{name}_FILE", Path(path))
    return found


def masked(name: str, text: str) -> str:
    """Return the value of a setting as it may be shown to anybody: a secret's address without what is secret."""
    if name.removesuffix("_FILE") not in SECRETS or name.endswith("_FILE") or not text:
        return text
    return (
        _masked_address(text, shows_path=name != "BIRTHDAYS_WEBHOOK_URL") if name.endswith("_URL") else _MASK
    )


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        text = data.decode()
    except (OSError, ValueError):  # ValueError: not UTF-8, or a path that cannot be one
        raise SecretUnreadable(f"{name} cannot be used: name a file in UTF-8 that can be read.") from None
    if len(data) > FILE_BYTES_MAX or "\0" in text:
        raise SecretUnreadable(f"{name} cannot be used: the file holds more than a secret.")
    text = re.sub(r"\r?\n\Z", "", text)  # the one that editors and echo put there
    if not text.strip():
        raise SecretUnreadable(f"{name} cannot be used: the file is empty.")
    return text


def _masked_address(text: str, *, shows_path: bool) -> str:
    try:
        url = urlsplit(text)
        port = "" if url.port is None else f":{url.port}"
        host = url.hostname or ""
    except ValueError:
        return _MASK
    # A password with a slash or the like in it ends the host before its time, and stands in what follows.
    if "://" not in text or not (host or url.path) or "@" in url.path + url.query + url.fragment:
        return _MASK
    who = ""
    if "@" in url.netloc:
        # A user without a password may be a token that was put there.
        who = f"{url.username or ''}:{_MASK}@" if url.password else f"{_MASK}@"
    place = f"[{host}]" if ":" in host else host
    path = url.path if shows_path or url.path in {"", "/"} else f"/{_MASK}"
    options = "&".join(
        f"{option}={value if option in _OPTIONS_SHOWN or option.startswith('ssl') else _MASK}"
        for option, value in parse_qsl(url.query, keep_blank_values=True)
    )
    return f"{url.scheme}://{who}{place}{port}{path}" + (f"?{options}" if options and shows_path else "")
