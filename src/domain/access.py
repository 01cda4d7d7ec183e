"""Who may do what: keys, their scopes, and until when they are good for anything."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from domain.errors import InvalidField

NAME_MAX = 100
OVERLAP_MAX = timedelta(days=7)


class Scope(StrEnum):
    """What a key may do; ``admin`` may do everything, and alone makes and revokes keys."""

    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_ACT = "messages:act"
    ADMIN = "admin"


class KeyKind(StrEnum):
    """Where a secret is good: a key in ``Authorization``, a session in a cookie, a link once, for a session.

    That of a feed is good in the address of a calendar, for the programs that can send no header.
    """

    KEY = "key"
    SESSION = "session"
    LINK = "link"
    FEED = "feed"


def scopes_of(names: Iterable[str]) -> frozenset[Scope]:
    """Read scopes. Raises InvalidField."""
    try:
        scopes = frozenset(Scope(name) for name in names)
    except ValueError:
        raise InvalidField("scopes", f"Choose from {', '.join(Scope)}.") from None
    if not scopes:
        raise InvalidField("scopes", "At least one is needed.")
    return scopes


def _as_name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > NAME_MAX or not name.isprintable():
        raise InvalidField("name", f"Give a name of at most {NAME_MAX} printable characters.")
    return name


@attrs.frozen(kw_only=True)
class ApiKey:
    """What is kept of a key: never its secret, only the digest of that.

    After a rotation the digest before is accepted until *previous_until*, so that nobody has to stop.
    """

    id: str
    kind: KeyKind = KeyKind.KEY
    name: str = attrs.field(converter=_as_name)
    scopes: frozenset[Scope]
    tells_years: bool = False
    """Whether a feed tells the years of birth and of hiring."""
    digest: bytes = attrs.field(repr=False)
    previous_digest: bytes | None = attrs.field(default=None, repr=False)
    previous_until: datetime | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_good_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def digests_at(self, now: datetime) -> tuple[bytes, ...]:
        """Return the digests of the secrets that are accepted at *now*."""
        if not self.is_good_at(now):
            return ()
        if self.previous_digest is None or self.previous_until is None or now >= self.previous_until:
            return (self.digest,)
        return self.digest, self.previous_digest

    def rotated(self, digest: bytes, now: datetime, overlap: timedelta) -> "ApiKey":
        """Return the key with another secret; the one before stays good for *overlap*. Raises InvalidField."""
        if not timedelta(0) <= overlap <= OVERLAP_MAX:
            raise InvalidField("overlap", f"At most {OVERLAP_MAX.days} days.")
        previous = self.digest if overlap else None
        return attrs.evolve(
            self, digest=digest, previous_digest=previous, previous_until=now + overlap if overlap else None
        )

    def revoked(self, now: datetime) -> "ApiKey":
        """Return the key as good for nothing from *now* on; one that was revoked before stays as it is."""
        return self if self.revoked_at is not None else attrs.evolve(self, revoked_at=now)
