"""Links by which people get out of messages (RFC 8058): signed, of no use to guess, and revocable."""

import base64
import binascii
import hmac
import struct
from collections.abc import Callable
from uuid import UUID

import attrs

from application.errors import LinkUnknown, UserNotFound
from application.ports import UnitOfWorkFactory
from application.trail import acting_as
from application.users import replan
from application.views import UserView
from domain.audit import Actor, ActorKind
from domain.due import SendPolicy
from domain.occasion import Kind
from domain.user import User, UserId, change, particulars_of, revoke_links

PATH = "/unsubscribe/"
_SIGNED = struct.Struct(">16sc")
_MAC_LENGTH = 20
_LETTERS = {Kind.BIRTHDAY: b"B", Kind.ANNIVERSARY: b"A"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_PERSON = Actor(ActorKind.PERSON)


@attrs.define
class ServiceSecret:
    """What links are signed with; read from the store when the service opens."""

    value: bytes | None = attrs.field(default=None, repr=False)

    def __call__(self) -> bytes:
        if self.value is None:
            raise RuntimeError("The secret was not read yet.")
        return self.value


@attrs.frozen
class Links:
    """Makes links, and knows its own again. *secret* is read when the service opens; *public_url* is where it is."""

    secret: Callable[[], bytes]
    public_url: str | None

    def url(self, user_id: UserId, kind: Kind, nonce: int) -> str | None:
        """Return the address that a message tells; None where nobody outside could reach it."""
        return (
            None if self.public_url is None else f"{self.public_url}{PATH}{self.token(user_id, kind, nonce)}"
        )

    def token(self, user_id: UserId, kind: Kind, nonce: int) -> str:
        signed = _SIGNED.pack(user_id.bytes, _LETTERS[kind])
        return base64.urlsafe_b64encode(signed + self._mac(signed, nonce)).decode().rstrip("=")

    def read(self, token: str) -> tuple[UserId, Kind]:
        """Return of whom and of what a token speaks, true or not. Raises LinkUnknown."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            user_id, letter = _SIGNED.unpack(raw[:-_MAC_LENGTH])
            return UserId(UUID(bytes=user_id)), _KINDS[letter]
        except (binascii.Error, ValueError, struct.error, KeyError):
            raise LinkUnknown from None

    def is_good(self, token: str, user: User, kind: Kind) -> bool:
        return hmac.compare_digest(self.token(user.id, kind, user.link_nonce).encode(), token.encode())

    def _mac(self, signed: bytes, nonce: int) -> bytes:
        said = b"unsubscribe" + signed + nonce.to_bytes(8, "big")
        return hmac.digest(self.secret(), said, "sha256")[:_MAC_LENGTH]


@attrs.frozen
class LookAtLink:
    """Of what a link would get its person out; nothing is changed, and nobody is named."""

    unit_of_work: UnitOfWorkFactory
    links: Links

    async def __call__(self, token: str) -> tuple[Kind, frozenset[Kind]]:
        """Return its kind, and what the person wants no messages of already. Raises LinkUnknown."""
        user_id, kind = self.links.read(token)
        async with self.unit_of_work() as uow:
            user = await uow.users.get(user_id)
        if user is None or not self.links.is_good(token, user, kind):
            raise LinkUnknown
        return kind, user.opted_out


@attrs.frozen
class Unsubscribe:
    """A person wants no more messages of a link's kind, or none at all; what waits for them is skipped."""

    unit_of_work: UnitOfWorkFactory
    links: Links
    policy: SendPolicy

    async def __call__(self, token: str, *, of_all: bool = False) -> frozenset[Kind]:
        """Return what they want no messages of. A repeat changes nothing. Raises LinkUnknown."""
        user_id, kind = self.links.read(token)
        with acting_as(_PERSON):
            async with self.unit_of_work() as uow:
                user = await uow.users.get(user_id)
                if user is None or not self.links.is_good(token, user, kind):
                    raise LinkUnknown
                now = await uow.now()
                opted_out = frozenset(Kind) if of_all else user.opted_out | {kind}
                changed = change(user, particulars_of(user), now, opted_out)
                if changed is not user:
                    await uow.users.save([(user, changed)])
                    await replan(uow, [changed], self.policy, now)
                    await uow.commit()
        return changed.opted_out


@attrs.frozen
class RevokeLinks:
    """The links in all messages to a person so far are good for nothing any more."""

    unit_of_work: UnitOfWorkFactory

    async def __call__(self, user_id: UserId) -> UserView:
        """Raises UserNotFound."""
        async with self.unit_of_work() as uow:
            user = await uow.users.get(user_id)
            if user is None or user.deleted_at is not None:
                raise UserNotFound
            changed = revoke_links(user, await uow.now())
            await uow.users.save([(user, changed)])
            await uow.commit()
        return UserView.of(changed)
