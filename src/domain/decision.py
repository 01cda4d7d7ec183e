"""What an operator may decide, about a message or a channel, and how they say why."""

from collections.abc import Sequence

from domain.errors import InvalidField
from domain.message import TRANSITIONS, Action, Status

REASON_LENGTH_MAX = 500
RESUME = "resume"
"""What an operator does to a channel; what to a message is an Action."""
_OF_OPERATORS = (Action.RETRY, Action.MARK_SENT, Action.CANCEL, Action.LEAVE)


def allowed_to_operators(status: Status) -> Sequence[Action]:
    """Return what an operator may do with a message of that status."""
    return [action for action in _OF_OPERATORS if (status, action) in TRANSITIONS]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def validate_reason(_: object, __: object, reason: str) -> None:
    """Raise InvalidField for a reason that says nothing, or too much."""
    if not reason:
        raise InvalidField("reason", "Say why, in a few words.")
    if len(reason) > REASON_LENGTH_MAX:
        raise InvalidField("reason", f"Say it in {REASON_LENGTH_MAX} characters at most.")
    if not reason.isprintable():
        raise InvalidField("reason", "Only characters that can be printed, please.")
