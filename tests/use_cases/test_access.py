"""Recognising keys: seldom by the store, and without anybody waiting for what is only noted."""

import asyncio
from datetime import timedelta

import pytest

from adapters.memory.api_keys import MemoryApiKeys
from application.access import BELIEVED_FOR, BELIEVED_MAX, Access
from application.key_texts import KeyText, new_key_text, read_key_text
from domain.access import ApiKey, KeyKind, Scope
from domain.errors import InvalidField
from tests.contract.adapters import START
from tests.use_cases.service import Service


class Counted(MemoryApiKeys):
    """Counts what is read, which takes a moment."""

    __slots__ = ("reads", "writes")

    def __init__(self, service: Service) -> None:
        super().__init__(service.store)
        self.reads = self.writes = 0

    async def find(self, key_id: str) -> ApiKey | None:
        self.reads += 1
        await asyncio.sleep(0)
        return await super().find(key_id)

    async def note_uses(self, uses: object) -> None:
        self.writes += 1
        await super().note_uses(uses)  # type: ignore[arg-type]  # passed on as it is


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def keys(service: Service) -> Counted:
    return Counted(service)


@pytest.fixture
def access(keys: Counted, service: Service) -> Access:
    return Access.over(keys, service.clock)


async def test_a_key_is_read_once_while_it_is_believed(
    access: Access, keys: Counted, service: Service
) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    found = await asyncio.gather(*(access.authenticate(made.text) for _ in range(50)))
    assert {key and key.id for key in found} == {made.key.id}
    assert keys.reads == 1
    service.at(START + BELIEVED_FOR - timedelta(milliseconds=1))
    await access.authenticate(made.text)
    assert keys.reads == 1
    service.at(START + BELIEVED_FOR)
    await access.authenticate(made.text)
    assert keys.reads == 2


async def test_a_clock_that_is_set_back_makes_nothing_believed_for_longer(
    access: Access, keys: Counted, service: Service
) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    await access.authenticate(made.text)
    service.at(START - timedelta(days=1))
    await access.authenticate(made.text)
    assert keys.reads == 2


async def test_strangers_do_not_crowd_out_who_is_known(access: Access, keys: Counted) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    await access.authenticate(made.text)
    for _ in range(BELIEVED_MAX + 1):
        assert await access.authenticate(new_key_text().text) is None
    reads = keys.reads
    await access.authenticate(made.text)
    assert keys.reads == reads
    assert len(access.authenticate._believed) == 1


async def test_what_cannot_be_a_key_asks_no_store(access: Access, keys: Counted) -> None:
    good = new_key_text().text
    for text in (
        "",
        "bday_",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good + "0",
        good.upper(),
        "é" * 90,
    ):
        assert await access.authenticate(text) is None
    assert keys.reads == 0


async def test_uses_are_written_many_at_once_and_not_by_who_asks(access: Access, keys: Counted) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    for _ in range(10):
        await access.authenticate(made.text)
    assert keys.writes == 0
    await access.note_uses()
    await access.note_uses()
    assert keys.writes == 1
    [key] = await access.list_keys()
    assert key.last_used_at == START


async def test_a_refused_secret_is_no_use(access: Access) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    assert await access.authenticate(new_key_text(made.key.id).text) is None
    assert await access.authenticate(made.text, KeyKind.SESSION) is None
    assert access.authenticate.uses == {}


async def test_of_many_who_follow_one_link_one_gets_a_session(access: Access) -> None:
    link = await access.log_in.link()
    sessions = await asyncio.gather(*(access.log_in(link) for _ in range(8)))
    assert len([one for one in sessions if one is not None]) == 1


@pytest.mark.parametrize("name", ("", "  ", "x" * 101, "a\nb", "a\x00"))
async def test_a_name_is_one_printable_line(access: Access, name: str) -> None:
    with pytest.raises(InvalidField):
        await access.make_key(name, {Scope.ADMIN})


def test_a_key_is_read_as_it_is_written_and_says_nothing_when_it_is_shown() -> None:
    key = new_key_text()
    assert read_key_text(key.text) == key
    assert len({new_key_text().text for _ in range(100)}) == 100
    assert key.text not in repr(key)
    assert isinstance(key, KeyText)
    assert len(key.text) == len("bday_") + 12 + 1 + 64 + 8
