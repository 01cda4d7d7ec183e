"""What the tests of the channels let them say."""

from datetime import UTC, datetime

from adapters.delivery.texts import JinjaTexts
from application.texts import WriteText
from domain.due import SendPolicy

SENDER = "birthdays@example.org"
ENGLISH = JinjaTexts(None, "en")


def in_time() -> datetime:
    """Return an instant at which nothing is belated."""
    return datetime(1970, 1, 1, tzinfo=UTC)


WRITE = WriteText(ENGLISH, SendPolicy(), in_time)
