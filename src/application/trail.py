"""Who acts, and what of that is noted when it is committed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

import attrs

from domain.access import ApiKey
from domain.audit import Actor, ActorKind, Deed, Entry, KeyDeed
from domain.events import Event, UserChanged, UserCreated, UserDeleted
from domain.user import User

SERVICE = Actor(ActorKind.SERVICE)
"""Who acts where nobody asked for it."""
_actor: ContextVar[Actor] = ContextVar("actor", default=SERVICE)
_NOT_TOLD = frozenset(
    {"id", "version", "created_at", "updated_at", "birthday_known_at", "anniversary_known_at", "deleted_at"}
)
"""What nobody sets themselves."""


def current_actor() -> Actor:
    return _actor.get()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Let what is committed inside be done by *actor*; for the edges, where it is known who asks."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def entries_of(events: Sequence[Event], at: datetime) -> Sequence[Entry]:
    """Return what the audit trail keeps of *events*, which are about to be committed."""
    actor = current_actor()
    entries: list[Entry] = []
    for event in events:
        match event:
            case UserCreated(user):
                deed, fields = (Deed.REGISTER if user.version == 1 else Deed.RESTORE), _told(user)
            case UserChanged(before, user):
                deed, fields = Deed.CHANGE, _changed(before, user)
            case UserDeleted(user, erased):
                deed, fields = (Deed.ERASE if erased else Deed.REMOVE), ()
            case _:
                continue
        entries.append(Entry(at=at, actor=actor, action=deed, user_id=user.id, fields=fields))
    return entries


def entry_of(deed: KeyDeed, key: ApiKey, at: datetime) -> Entry:
    """Return what the audit trail keeps of what is about to be done to *key*: never its secret."""
    return Entry(at=at, actor=current_actor(), action=f"{deed}-{key.kind}", key_id=key.id)


def _told(user: User) -> tuple[str, ...]:
    return tuple(name for name in _names() if getattr(user, name))


def _changed(before: User, after: User) -> tuple[str, ...]:
    return tuple(name for name in _names() if getattr(before, name) != getattr(after, name))


def _names() -> Iterator[str]:
    return (field.name for field in attrs.fields(User) if field.name not in _NOT_TOLD)
