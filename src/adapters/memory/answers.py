"""The answers to requests that may be repeated, in memory."""

from datetime import timedelta
from uuid import uuid4

from adapters.memory.store import KeptAnswer, MemoryStore
from application.access_ports import (
    Answer,
    Answers,
    Claim,
    Claimed,
    Erased,
    InFlight,
    OtherRequest,
    Repeatable,
)
from application.errors import StoreUnavailable
from domain.user import UserId


class MemoryAnswers(Answers):
    """The answers of a MemoryStore; no method waits, so that each is a transaction."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def claim(self, request: Repeatable, *, lease: timedelta, keep: timedelta) -> Claim:
        held, now_s = self._held(request), self._store.monotonic()
        if held is not None and now_s < held.forget_s:
            if held.fingerprint is None:
                return Erased()
            if held.fingerprint != request.fingerprint:
                return OtherRequest()
            if held.answer is not None:
                return held.answer
            if now_s < held.claimed_until_s:
                return InFlight()
        token = uuid4().hex
        self._store.answers[request.caller, request.key] = KeptAnswer(
            request.fingerprint, token, now_s + lease.total_seconds(), now_s + keep.total_seconds()
        )
        return Claimed(token)

    async def keep(self, request: Repeatable, claimed: Claimed, answer: Answer) -> None:
        held = self._mine(request, claimed)
        if held is None:
            return
        if any(UserId(user_id) not in self._store.committed.users for user_id in answer.about):
            held.fingerprint = None
        else:
            held.answer = answer

    async def drop(self, request: Repeatable, claimed: Claimed) -> None:
        if self._mine(request, claimed) is not None:
            del self._store.answers[request.caller, request.key]

    async def forget_old(self) -> int:
        self._refuse_if_away()
        now_s = self._store.monotonic()
        old = [key for key, held in self._store.answers.items() if held.forget_s < now_s]
        for key in old:
            del self._store.answers[key]
        return len(old)

    def _held(self, request: Repeatable) -> KeptAnswer | None:
        self._refuse_if_away()
        return self._store.answers.get((request.caller, request.key))

    def _mine(self, request: Repeatable, claimed: Claimed) -> KeptAnswer | None:
        held = self._held(request)
        is_mine = held is not None and held.token == claimed.token and held.fingerprint is not None
        return held if is_mine and held is not None and held.answer is None else None

    def _refuse_if_away(self) -> None:
        if not self._store.is_reachable:
            raise StoreUnavailable
