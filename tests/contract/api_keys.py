"""What any ApiKeys has to do."""

import asyncio
from datetime import timedelta

import attrs
import pytest

from application.access_ports import ApiKeys
from application.audit_ports import AuditReader
from application.key_texts import new_key_text
from application.trail import acting_as
from domain.access import ApiKey, KeyKind, Scope
from domain.audit import Actor, ActorKind, Entry, KeyDeed
from tests.contract.adapters import START

ADA = Actor(ActorKind.COMMAND, name="ada")


def new_key(**more: object) -> ApiKey:
    text = new_key_text()
    told = {"name": "payroll", "scopes": frozenset({Scope.USERS_READ}), "created_at": START, **more}
    return ApiKey(id=text.id, digest=text.digest, **told)  # type: ignore[arg-type]  # a test's own shorthand


class ApiKeysContract:
    """Binds with the fixtures *keys* and *trail* on an empty store."""

    async def test_a_key_is_found_as_it_was_added(self, keys: ApiKeys) -> None:
        key = new_key(
            expires_at=START + timedelta(days=1),
            scopes=frozenset({Scope.USERS_READ, Scope.MESSAGES_ACT}),
            previous_digest=bytes(32),
            previous_until=START + timedelta(hours=1),
        )
        await keys.add(key)
        assert await keys.find([key.id]) == [key]
        assert await keys.find(["0" * 12]) == []

    async def test_many_keys_are_found_at_once_without_those_that_are_not_there(self, keys: ApiKeys) -> None:
        held = {key.id: key for key in (new_key(), new_key(kind=KeyKind.LINK), new_key())}
        for key in held.values():
            await keys.add(key)
        found = await keys.find([*list(held)[:2], "0" * 12])
        assert {key.id: key for key in found} == {key_id: held[key_id] for key_id in list(held)[:2]}
        assert await keys.find([]) == []

    async def test_keys_sessions_and_feeds_are_listed_and_links_are_not(self, keys: ApiKeys) -> None:
        later = new_key(created_at=START + timedelta(seconds=1))
        latest = new_key(
            kind=KeyKind.FEED, scopes=frozenset(), tells_years=True, created_at=START + timedelta(seconds=2)
        )
        session, link = new_key(kind=KeyKind.SESSION), new_key(kind=KeyKind.LINK)
        for key in (latest, later, session, link):
            await keys.add(key)
        assert await keys.list() == [session, later, latest]

    async def test_a_change_is_stored_and_one_that_is_refused_is_not(self, keys: ApiKeys) -> None:
        key = new_key()
        await keys.add(key)
        changed = await keys.change(key.id, lambda found: found.revoked(START), KeyDeed.REVOKE, START)
        assert changed == attrs.evolve(key, revoked_at=START)
        assert await keys.find([key.id]) == [changed]

        def refuse(found: ApiKey) -> ApiKey:
            raise ValueError(found.id)

        with pytest.raises(ValueError, match=key.id):
            await keys.change(key.id, refuse, KeyDeed.REVOKE, START)
        assert await keys.find([key.id]) == [changed]
        assert await keys.change("0" * 12, refuse, KeyDeed.REVOKE, START) is None

    async def test_what_is_done_to_a_key_is_noted_with_who_did_it_and_nothing_else_is(
        self, keys: ApiKeys, trail: AuditReader
    ) -> None:
        key, session = new_key(), new_key(kind=KeyKind.SESSION)
        later = START + timedelta(seconds=5)
        with acting_as(ADA):
            await keys.add(key)
            await keys.change(
                key.id, lambda found: found.rotated(bytes(32), later, later - START), KeyDeed.ROTATE, later
            )
        await keys.add(session)
        for _ in range(2):
            await keys.change(session.id, lambda found: found.revoked(later), KeyDeed.REVOKE, later)

        def refuse(found: ApiKey) -> ApiKey:
            raise ValueError(found.id)

        with pytest.raises(ValueError, match=key.id):
            await keys.change(key.id, refuse, KeyDeed.REVOKE, later)
        await keys.note_uses({key.id: later})
        told = list(reversed((await trail.page(None, 10)).items))
        service = Actor(ActorKind.SERVICE)
        assert told == [
            Entry(at=START, actor=ADA, action="make-key", key_id=key.id),
            Entry(at=later, actor=ADA, action="rotate-key", key_id=key.id),
            Entry(at=START, actor=service, action="make-session", key_id=session.id),
            Entry(at=later, actor=service, action="revoke-session", key_id=session.id),
        ]
        assert await trail.decided(10) == [], "nothing was decided on messages or channels"

    async def test_of_many_who_take_a_key_one_gets_it(self, keys: ApiKeys) -> None:
        key = new_key(kind=KeyKind.LINK)
        await keys.add(key)
        taken = await asyncio.gather(*(keys.take(key.id) for _ in range(8)))
        assert [one for one in taken if one is not None] == [key]
        assert await keys.find([key.id]) == []

    async def test_the_last_use_never_goes_back_and_other_changes_keep_it(self, keys: ApiKeys) -> None:
        one, other = new_key(), new_key()
        await keys.add(one)
        await keys.add(other)
        later = START + timedelta(seconds=5)
        await keys.note_uses({one.id: later, other.id: START, "0" * 12: START})
        await keys.note_uses({one.id: START})
        await keys.note_uses({})
        await keys.change(one.id, lambda found: found.revoked(START), KeyDeed.REVOKE, START)
        assert {key.id: key.last_used_at for key in await keys.list()} == {one.id: later, other.id: START}

    async def test_what_is_over_is_forgotten_but_for_keys_and_feeds(self, keys: ApiKeys) -> None:
        over = START + timedelta(hours=1)
        kept = [
            new_key(expires_at=over),
            new_key(kind=KeyKind.FEED, expires_at=over),
            new_key(kind=KeyKind.SESSION, expires_at=over + timedelta(hours=1)),
        ]
        for key in (
            *kept,
            new_key(kind=KeyKind.SESSION, expires_at=over),
            new_key(kind=KeyKind.LINK, expires_at=over),
        ):
            await keys.add(key)
        assert await keys.forget_expired(over + timedelta(seconds=1)) == 2
        assert {key.id for key in await keys.list()} == {key.id for key in kept}
