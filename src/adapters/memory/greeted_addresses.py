"""What is remembered of who is erased, in memory."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from adapters.memory.store import Transaction
from application.traces import Greeted, GreetedAddresses
from domain.message import Message, Status
from domain.occasion import Kind


def digest(secret: bytes, email_key: str, kind: Kind) -> bytes:
    return hmac.digest(secret, f"{kind} {email_key}".encode(), "sha256")


def traces(secret: bytes, email_key: str, messages: Iterable[Message]) -> Iterable[tuple[bytes, date]]:
    """Return what is kept of *messages* when their person is erased."""
    for one in messages:
        if one.has_greeted or one.status is Status.SENDING:
            yield digest(secret, email_key, one.key.kind), one.key.occasion_on


class MemoryGreetedAddresses(GreetedAddresses):
    """The memory of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def of(self, emails: Sequence[str]) -> Mapping[str, Sequence[Greeted]]:
        state = self._transaction.state
        found: dict[str, Sequence[Greeted]] = {}
        for email in emails:
            by_digest = {digest(state.secret, email, kind): kind for kind in Kind}
            greeted = sorted(Greeted(by_digest[one], on) for one, on in state.greeted if one in by_digest)
            if greeted:
                found[email] = greeted
        return found

    async def forget_before(self, day: date) -> int:
        state = self._transaction.state
        kept = frozenset((one, on) for one, on in state.greeted if on >= day)
        forgotten = len(state.greeted) - len(kept)
        state.greeted = kept
        return forgotten
