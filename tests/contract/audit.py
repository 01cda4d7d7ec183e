"""What every audit trail keeps to: who did what, in the transaction that did it, and nobody's values."""

import attrs
import pytest

from application.audit_ports import KEPT_AT_LEAST
from application.trail import acting_as
from domain.audit import Actor, ActorKind, Deed, Entry
from domain.message import MessageKey
from domain.occasion import Kind
from domain.user import particulars_of, remove, restore
from tests.contract.adapters import START, Adapters
from tests.contract.people import message, person

PAYROLL = Actor(ActorKind.KEY, "5f1d7e84a9c0", "payroll")


def entry(about: MessageKey | str = "smtp", days: float = 0, **values: str) -> Entry:
    key = about if isinstance(about, MessageKey) else None
    return Entry(
        **{
            "at": START + days * KEPT_AT_LEAST / 30,
            "actor": PAYROLL,
            "action": "retry",
            "user_id": None if key is None else key.user_id,
            "message": key,
            "subject": None if key is not None else about,
            "reason": "The server is back.",
            **values,
        }  # type: ignore[arg-type]  # the values of a test
    )


async def note(adapters: Adapters, *entries: Entry) -> None:
    async with adapters.unit_of_work() as uow:
        await uow.audit.note(entries)
        await uow.commit()


class AuditContract:
    """AuditTrail, AuditReader, and what a unit of work notes by itself."""

    async def test_what_happens_to_a_person_is_noted_with_the_names_of_what_changed(
        self, adapters: Adapters
    ) -> None:
        ada = person("Ada")
        moved = attrs.evolve(ada, timezone="Asia/Tokyo", email="king@example.com", version=2)
        gone = remove(moved, START)
        with acting_as(PAYROLL):
            await adapters.add(ada)
            await adapters.save(ada, moved)
            await adapters.save(moved, gone)
        await adapters.save(gone, restore(gone, particulars_of(gone), START))
        async with adapters.unit_of_work() as uow:
            user = await uow.users.get(ada.id)
            assert user is not None
            await uow.users.erase(user)
            await uow.commit()
        page = await adapters.audit_reader.page(None, 10, ada.id)
        told = [(one.actor.name, one.action) for one in reversed(page.items)]
        assert told == [
            ("payroll", Deed.REGISTER),
            ("payroll", Deed.CHANGE),
            ("payroll", Deed.REMOVE),
            (None, Deed.RESTORE),
            (None, Deed.ERASE),
        ]
        assert [one.fields for one in page.items if one.action == Deed.CHANGE] == [("email", "timezone")]
        assert {one.at for one in page.items} == {START}
        for value in ("Ada", "Lovelace", "king@example.com", "Asia/Tokyo", ada.email):
            assert value not in str(page.items)

    async def test_what_is_not_committed_was_not_done(self, adapters: Adapters) -> None:
        async with adapters.unit_of_work() as uow:
            await uow.users.add([person("Ada")])
            await uow.audit.note([entry()])
        assert (await adapters.audit_reader.page(None, 10)).items == []

    async def test_nothing_is_noted_of_a_savepoint_that_was_undone(self, adapters: Adapters) -> None:
        bob = person("Bob")
        async with adapters.unit_of_work() as uow:
            with pytest.raises(LookupError):
                async with uow.savepoint():
                    await uow.users.add([person("Ada")])
                    raise LookupError
            await uow.users.add([bob])
            await uow.commit()
        assert [one.user_id for one in (await adapters.audit_reader.page(None, 10)).items] == [bob.id]

    async def test_the_trail_is_read_in_pages_the_last_first(self, adapters: Adapters) -> None:
        told = [entry(f"channel-{number}") for number in range(5)]
        await note(adapters, *told)
        first = await adapters.audit_reader.page(None, 2)
        assert (first.items, first.more) == ([told[4], told[3]], True)
        rest = await adapters.audit_reader.page(first.items[-1].number, 3)
        assert (rest.items, rest.more) == ([told[2], told[1], told[0]], False)
        assert len({one.number for one in (*first.items, *rest.items)}) == 5

    async def test_what_was_decided_is_told_apart_from_what_was_changed(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        of_ada, of_bob = message(ada), message(bob, kind=Kind.ANNIVERSARY)
        await adapters.add(ada, bob)
        await adapters.keep(of_ada, of_bob)
        told = [
            entry(of_ada.key),
            entry(of_bob.key, reason="  They  rang\nus. "),
            entry("smtp", action="resume"),
            entry(of_ada.key, action="leave"),
        ]
        await note(adapters, *told)
        assert await adapters.audit_reader.decided(10) == list(reversed(told))
        assert await adapters.audit_reader.decided(2) == [told[3], told[2]]
        assert await adapters.audit_reader.decided(10, ada.id) == [told[3], told[0]]
        assert (await adapters.audit_reader.decided(1, bob.id))[0].reason == "They rang us."

    async def test_of_who_is_erased_the_reasons_go_and_what_was_done_stays(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        await note(adapters, entry(message(ada).key), entry(message(bob).key))
        async with adapters.unit_of_work() as uow:
            user = await uow.users.get(ada.id)
            assert user is not None
            await uow.users.erase(user)
            await uow.commit()
        assert [(one.user_id, one.reason) for one in await adapters.audit_reader.decided(10)] == [
            (bob.id, "The server is back."),
            (ada.id, None),
        ]

    async def test_the_retention_takes_what_is_old_and_nothing_that_is_not(self, adapters: Adapters) -> None:
        await note(adapters, entry("a", -100), entry("b", -40), entry("c", -20), entry("d"))
        async with adapters.unit_of_work() as uow:
            assert await uow.audit.forget_before(START - 2 * KEPT_AT_LEAST) == 1
            assert await uow.audit.forget_before(START) == 1
            await uow.commit()
        assert [one.subject for one in (await adapters.audit_reader.page(None, 10)).items] == ["d", "c"]
