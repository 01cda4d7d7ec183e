"""What the domain refuses.

DomainError
├── InvalidField            a value that a person gave is not one
├── InvalidFields           several of them, all at once
└── IllegalTransition       a message cannot go from its state to that one
"""

from collections.abc import Sequence


class DomainError(Exception):
    """The domain refuses; the text may be shown to a person and names no one."""


class InvalidField(DomainError):
    """A value is not acceptable; *field* is the attribute's name, the text says what is wrong and what helps.

    The text never repeats the value: it may be somebody's name or address.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class InvalidFields(DomainError):
    """Several values are not acceptable; *problems* holds each."""

    def __init__(self, problems: Sequence[InvalidField]) -> None:
        super().__init__("; ".join(f"{one.field}: {one.reason}" for one in problems))
        self.problems = tuple(problems)


class IllegalTransition(DomainError):
    """A message in this state does not allow that."""

    def __init__(self, action: str, status: str) -> None:
        super().__init__(f"A message that is {status} does not allow '{action}'.")
        self.action = action
        self.status = status
