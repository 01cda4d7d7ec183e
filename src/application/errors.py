"""What the use cases refuse or cannot do.

ApplicationError
├── UserNotFound
├── MessageNotFound
├── KeyNotFound
├── ChannelNotStopped       nothing keeps the channel of that name
├── LinkUnknown             a link out of messages that is not, or no longer, good
├── EmailTaken              somebody else has this address
├── ExternalIdTaken         somebody else has this id of another system
├── ImportNotFound          nobody remembers such an import
├── TooManyDeactivations    a complete list lacks so many people that it must be confirmed
├── VersionMismatch         the record changed since the caller read it
├── StoreUnavailable        the database cannot be reached or is too busy; nothing was changed
└── CommitOutcomeUnknown    the connection broke during the commit; it may or may not have happened
"""


class ApplicationError(Exception):
    """A use case cannot do what was asked; the docstring is the text for a person and names no one."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or (type(self).__doc__ or "").strip())


class UserNotFound(ApplicationError):
    """There is no such user."""


class MessageNotFound(ApplicationError):
    """There is no such message."""


class KeyNotFound(ApplicationError):
    """There is no such key."""


class ChannelNotStopped(ApplicationError):
    """No such channel is paused, or stopped by the brake."""


class LinkUnknown(ApplicationError):
    """The link is not, or no longer, good."""


class EmailTaken(ApplicationError):
    """Another user has this e-mail address."""


class ExternalIdTaken(ApplicationError):
    """Another user has this external id."""


class ImportNotFound(ApplicationError):
    """There is no such import: it was undone, or it is too long ago."""


class TooManyDeactivations(ApplicationError):
    """Somebody should look at how many people a complete list would deactivate."""

    def __init__(self, deactivated: int, of: int) -> None:
        super().__init__(
            f"The list lacks {deactivated} of {of} people, who would get no more messages. Nothing was changed. "
            f"If that is right, confirm the number {deactivated}."
        )


class VersionMismatch(ApplicationError):
    """The record has changed since you read it: read it again, then repeat the change."""


class StoreUnavailable(ApplicationError):
    """The database cannot be reached or is too busy. Nothing was changed; try again."""


class CommitOutcomeUnknown(ApplicationError):
    """The connection to the database broke during the commit, so the change may or may not have happened.

    Read the record before you repeat the change.
    """
