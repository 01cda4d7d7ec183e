"""What has happened, told after the commit to whom it concerns."""

import attrs

from domain.user import User


@attrs.frozen
class UserCreated:
    """A person is registered, for the first time or again."""

    user: User


@attrs.frozen
class UserChanged:
    """A person's record is another."""

    before: User
    after: User


@attrs.frozen
class UserDeleted:
    """A person gets nothing any more; *erased* if their record is gone for good."""

    user: User
    erased: bool = False


@attrs.frozen
class MessagesChanged:
    """Messages were planned, moved or settled; told once per transaction, however many they were."""


Event = UserCreated | UserChanged | UserDeleted | MessagesChanged
