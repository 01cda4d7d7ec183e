"""Variables of the environment: each is read once, has a default, and a secret may lie in a file instead."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import attrs

T = TypeVar("T")

SECRETS = (
    "BIRTHDAYS_SMTP_URL",
    "BIRTHDAYS_WEBHOOK_SECRET",
    "DATABASE_URL",
    "REDIS_PASSWORD",
    "REDIS_URL",
)
"""Each may be given as NAME_FILE, the path of a file that holds it: a file is not shown beside the process."""


class InvalidSetting(ValueError):
    """A variable's value cannot be used; the text names it and says what can."""


@attrs.frozen
class Variables:
    """The variables as they are, or as files hold them."""

    environment: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    def over(cls, environment: Mapping[str, str]) -> "Variables":
        """Read the files that are named instead of secrets. Raises InvalidSetting."""
        held = {
            name: _held(name, path, environment)
            for name in SECRETS
            if (path := environment.get(f"{name}_FILE", "").strip())
        }
        return cls({**environment, **held})

    def __call__(self, name: str, default: str, convert: Callable[[str], T]) -> T:
        text = self.environment.get(name, "").strip() or default
        try:
            return convert(text)
        except ValueError as error:
            raise InvalidSetting(f"{name} cannot be used: {error}") from None


def _held(name: str, path: str, environment: Mapping[str, str]) -> str:
    if environment.get(name, "").strip():
        raise InvalidSetting(f"{name} and {name}_FILE are both set: set one of them.")
    try:
        # Editors end a file with a line break; a password may begin or end with a blank.
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        raise InvalidSetting(
            f"{name}_FILE cannot be used: there is no file of text that can be read."
        ) from None
