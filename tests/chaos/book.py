"""The provider's book: one line per request that it has got, appended before anybody is answered."""

import enum
from collections.abc import Sequence
from pathlib import Path

import attrs


class Fate(enum.StrEnum):
    """What became of a request, as the provider alone knows."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """Its key was accepted before: it counts once. Only a provider that de-duplicates says so."""
    REFUSED = "refused"
    """Not accepted, and whoever asked was told that it is not."""
    IN_DOUBT = "in-doubt"
    """Not accepted, and whoever asked was told nothing: they cannot know."""


@attrs.frozen
class Entry:
    """One request. *occasion* is the message it carried, *key* its idempotency key."""

    at: float
    """Seconds since the epoch."""
    key: str
    occasion: str
    whim: str
    fate: Fate

    def line(self) -> str:
        return f"{self.at:.6f} {self.key} {self.occasion} {self.whim} {self.fate.value}\n"

    @classmethod
    def parse(cls, line: str) -> "Entry":
        at, key, occasion, whim, fate = line.split()
        return cls(float(at), key, occasion, whim, Fate(fate))


def read_book(path: Path) -> Sequence[Entry]:
    """Return the entries in the order in which they were made."""
    if not path.exists():
        return []
    return [Entry.parse(line) for line in path.read_text(encoding="ascii").splitlines()]
