"""Which cached keys an event makes wrong: one pure function, and the keys and lifetimes of every class."""

from uuid import UUID

from domain.email import email_key
from domain.events import Event, MessagesChanged, UserChanged, UserCreated, UserDeleted
from domain.user import User

# v1 is the version of the stored shape: a class that changes its shape changes its key, so that old and
# new releases can share one server.
BIRTHDAYS_TODAY = "birthdays:today:v1"
ANNIVERSARIES_TODAY = "anniversaries:today:v1"
SCHEDULER_STATISTICS = "scheduler:stats:v1"
LISTS = frozenset({BIRTHDAYS_TODAY, ANNIVERSARIES_TODAY})

USER_TTL_S = 3600
STATISTICS_TTL_S = 300


USER_PREFIX = "user:v1:"


def user_key(user_id: UUID) -> str:
    return f"{USER_PREFIX}{user_id}"


def email_reference_key(email: str) -> str:
    """Return the key of the reference from an address to the id of who has it."""
    return f"user:email:v1:{email_key(email)}"


def keys_of(event: Event) -> frozenset[str]:
    """Return the keys whose values *event* has made wrong."""
    match event:
        case UserCreated(user):
            # Nobody has cached a person who is new; but one who came back may be in the lists, or come into them.
            return LISTS if _has_occasions(user) else frozenset()
        case UserChanged(before, after):
            keys = frozenset(
                {user_key(after.id), email_reference_key(before.email), email_reference_key(after.email)}
            )
            return keys | LISTS if after.moves_messages(before) else keys
        case UserDeleted(user):
            return LISTS | {user_key(user.id), email_reference_key(user.email)}
        case MessagesChanged():
            return frozenset({SCHEDULER_STATISTICS})


def _has_occasions(user: User) -> bool:
    return user.birthday is not None or user.anniversary is not None
