"""Variables of the environment: each is read once, and has a default."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from entrypoints.secret_settings import SecretUnreadable, with_secrets_of_files

T = TypeVar("T")


class InvalidSetting(ValueError):
    """A variable's value cannot be used; the text names it and says what can."""


@attrs.frozen
class Variables:
    """The variables as they are, or as files hold them."""

    environment: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    def over(cls, environment: Mapping[str, str]) -> "Variables":
        """Read the files that are named instead of secrets. Raises InvalidSetting."""
        try:
            return cls(with_secrets_of_files(environment))
        except SecretUnreadable as error:
            raise InvalidSetting(str(error)) from None

    def __call__(self, name: str, default: str, convert: Callable[[str], T]) -> T:
        text = self.environment.get(name, "").strip() or default
        try:
            return convert(text)
        except ValueError as error:
            raise InvalidSetting(f"{name} cannot be used: {error}") from None
