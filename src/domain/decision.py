"""What an operator decided, about a message or a channel, and why."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from domain.errors import InvalidField
from domain.message import TRANSITIONS, Action, MessageKey, Status

REASON_LENGTH_MAX = 500
RESUME = "resume"
"""What an operator does to a channel; what to a message is an Action."""
_OF_OPERATORS = (Action.RETRY, Action.MARK_SENT, Action.CANCEL, Action.LEAVE)


def allowed_to_operators(status: Status) -> Sequence[Action]:
    """Return what an operator may do with a message of that status."""
    return [action for action in _OF_OPERATORS if (status, action) in TRANSITIONS]


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _validate_reason(_: object, __: object, reason: str) -> None:
    if not reason:
        raise InvalidField("reason", "Say why, in a few words.")
    if len(reason) > REASON_LENGTH_MAX:
        raise InvalidField("reason", f"Say it in {REASON_LENGTH_MAX} characters at most.")
    if not reason.isprintable():
        raise InvalidField("reason", "Only characters that can be printed, please.")


@attrs.frozen(kw_only=True)
class Decision:
    """*action* was done to *about*, a message or the channel of that name, because of *reason*."""

    about: MessageKey | str
    action: str
    reason: str = attrs.field(converter=_in_one_line, validator=_validate_reason)
    decided_at: datetime
