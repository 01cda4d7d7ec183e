"""What a message is about, and what a person reads."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import attrs

from application.deliveries import Delivery
from application.errors import ApplicationError
from domain.due import SendPolicy
from domain.occasion import Kind

YEARS_SHOWN = 37
TRIAL_MARK = "[Test]"


class TextUnwritable(ApplicationError):
    """The template cannot be filled in for this message."""


class LanguageUnknown(ApplicationError):
    """There are no templates in this language."""


@attrs.frozen(kw_only=True)
class Greeting:
    """All that a template may speak of; *years* is None where the first one is not known."""

    kind: Kind
    first_name: str
    last_name: str
    years: int | None
    is_belated: bool = False


SAMPLE = Greeting(kind=Kind.BIRTHDAY, first_name="Ada", last_name="Lovelace", years=YEARS_SHOWN)
"""Somebody to show templates with."""


@attrs.frozen
class Text:
    """What a person reads; *html* says the same as *body*, where a template for it exists."""

    subject: str
    body: str
    html: str | None = None


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

        The subject is one line and not empty. Raises TextUnwritable.
        """


@attrs.frozen
class WriteText:
    """The text of a message as it leaves now; belated if its day is over where the person lives."""

    texts: Texts
    policy: SendPolicy
    now: Callable[[], datetime]

    def __call__(self, delivery: Delivery) -> Text:
        """Return the text. Raises TextUnwritable."""
        text = self.texts.write(
            Greeting(
                kind=delivery.key.kind,
                first_name=delivery.recipient.first_name,
                last_name=delivery.recipient.last_name,
                years=delivery.years,
                is_belated=self.policy.is_belated(delivery.due_at, self.now()),
            )
        )
        return attrs.evolve(text, subject=f"{TRIAL_MARK} {text.subject}") if delivery.is_trial else text


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
        return self.texts.write(attrs.evolve(SAMPLE, kind=kind, years=years, is_belated=is_belated), language)
