"""What a message is about, and what a person reads."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import attrs

from application.deliveries import Delivery
from application.errors import ApplicationError
from domain.due import SendPolicy
from domain.occasion import Kind
from domain.user import UserId

YEARS_SHOWN = 37
TRIAL_MARK = "[Test]"


class TextUnwritable(ApplicationError):
    """The template cannot be filled in for this message."""


class LanguageUnknown(ApplicationError):
    """There are no templates in this language."""


# Tuples, as deliveries are: both are made for each message that leaves.
class Greeting(NamedTuple):
    """All that a template may speak of; *years* is None where the first one is not known.

    *unsubscribe_url* is None where nobody outside can reach the service.
    """

    kind: Kind
    first_name: str
    last_name: str
    years: int | None
    is_belated: bool = False
    unsubscribe_url: str | None = None


SAMPLE = Greeting(kind=Kind.BIRTHDAY, first_name="Ada", last_name="Lovelace", years=YEARS_SHOWN)
"""Somebody to show templates with."""


class Text(NamedTuple):
    """What a person reads; *html* says the same as *body*, where a template for it exists."""

    subject: str
    body: str
    html: str | None = None
    unsubscribe_url: str | None = None
    """Where the person gets out of messages of this kind with one click (RFC 8058)."""


class Texts(Protocol):
    """The templates, which were checked when they were loaded."""

    __slots__ = ()

    @property
    @abstractmethod
    def languages(self) -> Sequence[str]:
        """Return the tags of the languages that there are templates in, sorted."""

    @abstractmethod
    def write(self, greeting: Greeting, language: str | None = None) -> Text:
        """Return the text in *language*, or in the nearest one: de-AT, then de, then the service's own.

        The subject is one line and not empty, and the link is that of the greeting. Raises TextUnwritable.
        """


def _no_link(_user_id: UserId, _kind: Kind, _nonce: int) -> str | None:
    return None


@attrs.frozen
class WriteText:
    """The text of a message as it leaves now; belated if its day is over where the person lives."""

    texts: Texts
    policy: SendPolicy
    now: Callable[[], datetime]
    link: Callable[[UserId, Kind, int], str | None] = _no_link

    def __call__(self, delivery: Delivery) -> Text:
        """Return the text. Raises TextUnwritable."""
        key, recipient = delivery.key, delivery.recipient
        text = self.texts.write(
            Greeting(
                kind=key.kind,
                first_name=recipient.first_name,
                last_name=recipient.last_name,
                years=delivery.years,
                is_belated=self.policy.is_belated(delivery.due_at, self.now()),
                unsubscribe_url=self.link(key.user_id, key.kind, recipient.link_nonce),
            )
        )
        return text._replace(subject=f"{TRIAL_MARK} {text.subject}") if delivery.is_trial else text


@attrs.frozen
class PreviewText:
    """The text that somebody made up would get; no real person is shown."""

    texts: Texts

    def __call__(
        self,
        kind: Kind,
        *,
        years: int | None = YEARS_SHOWN,
        is_belated: bool = False,
        language: str | None = None,
    ) -> Text:
        """Return the text. Raises LanguageUnknown for a language that there are no templates in."""
        if language is not None and language not in self.texts.languages:
            raise LanguageUnknown
        return self.texts.write(SAMPLE._replace(kind=kind, years=years, is_belated=is_belated), language)
