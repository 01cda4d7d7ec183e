"""Keys are made, listed, rotated, revoked, and recognised."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import TypeVar

import attrs

from application.access_ports import ApiKeys
from application.errors import KeyNotFound
from application.key_texts import new_key_text, read_key_text
from application.ports import Clock
from application.trail import acting_as
from domain.access import ApiKey, KeyKind, Scope
from domain.audit import Actor, ActorKind, KeyDeed
from domain.errors import InvalidField

K = TypeVar("K")
T = TypeVar("T")

BELIEVED_FOR = timedelta(seconds=3)
"""For how long a process believes what it has read of a key: so late at most does a revocation bite."""
BELIEVED_MAX = 4096
LOOKED_UP_MAX = 1000
"""How many keys one look-up asks for."""
SESSION_LASTS = timedelta(hours=12)
LINK_LASTS = timedelta(hours=1)
_NO_DIGEST = bytes(32)


@attrs.frozen
class NewKey:
    """A key, and its text, which is told this once."""

    key: ApiKey
    text: str = attrs.field(repr=False)


@attrs.frozen
class MakeKey:
    """A key with a name and scopes, good for ever or until an instant."""

    keys: ApiKeys
    clock: Clock

    async def __call__(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        lasts: timedelta | None = None,
        kind: KeyKind = KeyKind.KEY,
        tells_years: bool = False,
    ) -> NewKey:
        """Raises InvalidField."""
        if lasts is not None and lasts <= timedelta(0):
            raise InvalidField("expires", "A key lasts for some time.")
        text, now = new_key_text(), self.clock.now()
        key = ApiKey(
            id=text.id,
            kind=kind,
            name=name,
            scopes=frozenset(scopes),
            tells_years=tells_years,
            digest=text.digest,
            created_at=now,
            expires_at=None if lasts is None else now + lasts,
        )
        await self.keys.add(key)
        return NewKey(key, text.text)


@attrs.frozen
class ListKeys:
    """All keys and sessions, the oldest first, without their secrets."""

    keys: ApiKeys

    async def __call__(self) -> Sequence[ApiKey]:
        return [key for key in await self.keys.list() if key.kind is not KeyKind.FEED]


@attrs.frozen
class RotateKey:
    """A key gets another secret; the one before stays good for a while, if that is wanted."""

    keys: ApiKeys
    clock: Clock

    async def __call__(self, key_id: str, *, overlap: timedelta = timedelta(0)) -> NewKey:
        """Raises KeyNotFound, also where the key is good for nothing any more; InvalidField."""
        text, now = new_key_text(key_id), self.clock.now()

        def rotate(key: ApiKey) -> ApiKey:
            if key.kind is not KeyKind.KEY or not key.is_good_at(now):
                raise KeyNotFound
            return key.rotated(text.digest, now, overlap)

        key = await self.keys.change(key_id, rotate, KeyDeed.ROTATE, now)
        if key is None:
            raise KeyNotFound
        return NewKey(key, text.text)


@attrs.frozen
class RevokeKey:
    """A key is good for nothing any more, everywhere within ``BELIEVED_FOR``."""

    keys: ApiKeys
    clock: Clock

    async def __call__(self, key_id: str) -> None:
        """Raises KeyNotFound; a repeat does nothing."""
        now = self.clock.now()
        if await self.keys.change(key_id, lambda key: key.revoked(now), KeyDeed.REVOKE, now) is None:
            raise KeyNotFound


@attrs.define(eq=False)
class Authenticate:
    """Whose key a text is, by what this process has read of the key within ``BELIEVED_FOR``.

    That a key is not there is believed as long, and remembered apart, so that strangers cannot crowd out who
    is known. One look-up runs at a time, and the next one asks for all keys that were shown meanwhile: who
    makes keys up keeps one connection busy, and no more. When each key was last used is remembered too, and
    written down by ``NoteUses``: nobody waits for that.
    """

    keys: ApiKeys
    clock: Clock
    uses: dict[str, datetime] = attrs.field(factory=dict, init=False)
    _believed: dict[str, tuple[ApiKey, datetime]] = attrs.field(factory=dict, init=False)
    _recognised: dict[bytes, str] = attrs.field(factory=dict, init=False)
    """The ids of keys, by the digests of texts that were good."""
    _missing: dict[str, tuple[None, datetime]] = attrs.field(factory=dict, init=False)
    _wanted: dict[str, asyncio.Future[ApiKey | None]] = attrs.field(factory=dict, init=False)
    _looking: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def __call__(self, text: str, kind: KeyKind = KeyKind.KEY) -> ApiKey | None:
        """Return the key if *text* is a good one of this *kind*. Raises StoreUnavailable."""
        given = read_key_text(text)
        if given is None:
            return None
        key, now = await self._known(given.id), self.clock.now()
        digests = () if key is None else key.digests_at(now)
        # A key that is not there is compared as well, with what is nobody's: both take as long.
        same = [secrets.compare_digest(given.digest, digest) for digest in digests or (_NO_DIGEST,)]
        if key is None or not any(same) or key.kind is not kind:
            return None
        self.uses[key.id] = now
        if kind is KeyKind.KEY:
            _remember(self._recognised, given.digest, key.id)
        return key

    def recognised(self, text: bytes) -> ApiKey | None:
        """Return the key of a text that was good before, and is so by what is believed now; it waits for nobody.

        None says nothing.
        """
        digest = sha256(text).digest()
        key_id = self._recognised.get(digest)
        known = None if key_id is None else self._believed.get(key_id)
        if known is None:
            return None
        (key, asked_at), now = known, self.clock.now()
        if not timedelta(0) <= now - asked_at < BELIEVED_FOR or digest not in key.digests_at(now):
            return None
        self.uses[key.id] = now
        return key

    def forget(self, key_id: str) -> None:
        """Read the key again when it is next shown: this process has changed it."""
        self._believed.pop(key_id, None)

    async def _known(self, key_id: str) -> ApiKey | None:
        # An id is drawn at random when its key is made: none that was shown before that turns up later.
        known = self._believed.get(key_id) or self._missing.get(key_id)
        if known is not None and timedelta(0) <= self.clock.now() - known[1] < BELIEVED_FOR:
            return known[0]
        waiting = self._wanted.get(key_id)
        if waiting is None:
            waiting = self._wanted[key_id] = asyncio.get_running_loop().create_future()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_up())
        return await asyncio.shield(waiting)

    async def _look_up(self) -> None:
        try:
            while self._wanted:
                asked = dict(islice(self._wanted.items(), LOOKED_UP_MAX))
                for key_id in asked:
                    del self._wanted[key_id]
                await self._answer(asked)
        finally:
            self._looking = None

    async def _answer(self, asked: Mapping[str, asyncio.Future[ApiKey | None]]) -> None:
        asked_at = self.clock.now()
        try:
            found = {key.id: key for key in await self.keys.find(list(asked))}
        except Exception as error:  # noqa: BLE001  # everybody who waits hears of it, whatever it is
            for waiting in asked.values():
                waiting.set_exception(error)
                waiting.exception()  # nobody may be left who waits
            return
        for key_id, waiting in asked.items():
            self._believed.pop(key_id, None)
            self._missing.pop(key_id, None)
            key = found.get(key_id)
            if key is None:
                _remember(self._missing, key_id, (None, asked_at))
            else:
                _remember(self._believed, key_id, (key, asked_at))
            waiting.set_result(key)


def _remember(memory: dict[K, T], key: K, what: T) -> None:
    while len(memory) >= BELIEVED_MAX:
        memory.pop(next(iter(memory)))
    memory[key] = what


@attrs.frozen
class NoteUses:
    """Writes down when keys were last used, many at once; and forgets sessions that are over."""

    keys: ApiKeys
    authenticate: Authenticate
    clock: Clock

    async def __call__(self) -> None:
        uses: Mapping[str, datetime] = dict(self.authenticate.uses)
        if uses:
            await self.keys.note_uses(uses)
            for key_id, at in uses.items():
                if self.authenticate.uses.get(key_id) == at:
                    del self.authenticate.uses[key_id]
        await self.keys.forget_expired(self.clock.now())


@attrs.frozen
class LogIn:
    """A link that somebody got on the terminal is exchanged, once, for a session of the browser."""

    keys: ApiKeys
    make_key: MakeKey
    authenticate: Authenticate

    async def link(self) -> str:
        """Return the text of a new link, good once within ``LINK_LASTS``."""
        made = await self.make_key("login link", {Scope.ADMIN}, lasts=LINK_LASTS, kind=KeyKind.LINK)
        return made.text

    async def __call__(self, text: str) -> NewKey | None:
        """Return a session for the link; None if it is none, was used, or is too old."""
        key = await self.authenticate(text, KeyKind.LINK)
        if key is None:
            return None
        taken = await self.keys.take(key.id)  # whose text is right, and nobody else's
        if taken is None:
            return None
        with acting_as(Actor(ActorKind.KEY, taken.id, taken.name)):
            return await self.make_key("browser", taken.scopes, lasts=SESSION_LASTS, kind=KeyKind.SESSION)


@attrs.frozen(kw_only=True)
class Access:
    """All that the entrypoints need to know who somebody is; without it nobody is asked (*is_required*)."""

    is_required: bool = True
    authenticate: Authenticate
    make_key: MakeKey
    list_keys: ListKeys
    rotate_key: RotateKey
    revoke_key: RevokeKey
    log_in: LogIn
    note_uses: NoteUses

    @classmethod
    def over(cls, keys: ApiKeys, clock: Clock, *, is_required: bool = True) -> "Access":
        """Return the use cases over *keys*; *clock* is of real time, whatever the service's shows."""
        authenticate, make_key = Authenticate(keys, clock), MakeKey(keys, clock)
        return cls(
            is_required=is_required,
            authenticate=authenticate,
            make_key=make_key,
            list_keys=ListKeys(keys),
            rotate_key=RotateKey(keys, clock),
            revoke_key=RevokeKey(keys, clock),
            log_in=LogIn(keys, make_key, authenticate),
            note_uses=NoteUses(keys, authenticate, clock),
        )
