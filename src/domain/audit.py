"""What was done, by whom and when: ids and names of fields, and no value of anybody's."""

from datetime import datetime
from enum import StrEnum

import attrs

from domain.decision import in_one_line, validate_reason
from domain.message import MessageKey
from domain.user import UserId


class ActorKind(StrEnum):
    """As whom somebody acts."""

    KEY = "key"
    SESSION = "session"
    COMMAND = "command"
    PERSON = "person"  # by the link in a message to them
    SERVICE = "service"
    UNKNOWN = "unknown"  # before it was noted


class Deed(StrEnum):
    """What is done to a person's record; what is done to a message is an Action."""

    REGISTER = "register"
    CHANGE = "change"
    REMOVE = "remove"
    RESTORE = "restore"
    ERASE = "erase"
    EXPORT = "export"


class KeyDeed(StrEnum):
    """What is done to a key, and to what else opens the door: a session, a link, a feed."""

    MAKE = "make"
    ROTATE = "rotate"
    REVOKE = "revoke"


@attrs.frozen
class Actor:
    """Who acts: *id* and *name* are those of the key, where it is one; of a command, the account that runs it."""

    kind: ActorKind
    id: str | None = None
    name: str | None = None


@attrs.frozen(kw_only=True)
class Entry:
    """*action* was done by *actor*: to a person, a message of theirs, a key, or the *subject* of that name.

    *fields* are the names of what was changed. *reason* is what an operator wrote, and goes when the person is
    erased. *number* is its place in the trail, once it has one.
    """

    at: datetime
    actor: Actor
    action: str
    user_id: UserId | None = None
    message: MessageKey | None = None
    subject: str | None = None
    key_id: str | None = None
    fields: tuple[str, ...] = ()
    reason: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(in_one_line),
        validator=attrs.validators.optional(validate_reason),
    )
    number: int | None = attrs.field(default=None, eq=False)
