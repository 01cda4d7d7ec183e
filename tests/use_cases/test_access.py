"""Recognising keys: seldom by the store, and without anybody waiting for what is only noted."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from secrets import compare_digest

import pytest

from adapters.memory.api_keys import MemoryApiKeys
from application.access import BELIEVED_FOR, BELIEVED_MAX, LOOKED_UP_MAX, Access
from application.errors import StoreUnavailable
from application.key_texts import KeyText, new_key_text, read_key_text
from domain.access import ApiKey, KeyKind, Scope
from domain.errors import InvalidField
from tests.contract.adapters import START
from tests.use_cases.service import Service


class Counted(MemoryApiKeys):
    """Counts what is read, which takes a moment, and how often that is done at once."""

    __slots__ = ("begun", "reading", "reads", "together_max", "writes")

    def __init__(self, service: Service) -> None:
        super().__init__(service.store)
        self.reads = self.writes = self.reading = self.together_max = 0
        self.begun = asyncio.Event()

    async def find(self, key_ids: Sequence[str]) -> Sequence[ApiKey]:
        self.reads += 1
        self.reading += 1
        self.begun.set()
        self.together_max = max(self.together_max, self.reading)
        for _ in range(3):
            await asyncio.sleep(0)
        self.reading -= 1
        return await super().find(key_ids)

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
    assert len(access.authenticate._missing) == BELIEVED_MAX


async def test_many_keys_that_are_made_up_are_looked_up_together_and_never_two_at_once(
    access: Access, keys: Counted
) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    forged = [new_key_text().text for _ in range(2 * LOOKED_UP_MAX)]
    found = await asyncio.gather(*(access.authenticate(text) for text in [*forged, made.text]))
    assert [key and key.id for key in found] == [*[None] * len(forged), made.key.id]
    assert (keys.reads, keys.together_max) == (3, 1)


async def test_who_comes_while_a_look_up_runs_is_in_the_next(access: Access, keys: Counted) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    first = asyncio.create_task(access.authenticate(new_key_text().text))
    await keys.begun.wait()
    others = [access.authenticate(text) for text in (made.text, made.text, new_key_text().text)]
    assert [key and key.id for key in await asyncio.gather(first, *others)] == [
        None,
        made.key.id,
        made.key.id,
        None,
    ]
    assert (keys.reads, keys.together_max) == (2, 1)


async def test_that_a_key_is_not_there_is_believed_for_as_long_as_that_it_is(
    access: Access, keys: Counted, service: Service
) -> None:
    forged = new_key_text().text
    for instant, reads in ((START, 1), (START + BELIEVED_FOR - timedelta(milliseconds=1), 1)):
        service.at(instant)
        assert await access.authenticate(forged) is None
        assert await access.log_in(forged) is None
        assert keys.reads == reads
    service.at(START + BELIEVED_FOR)
    assert await access.authenticate(forged) is None
    assert keys.reads == 2


async def test_a_store_that_is_away_is_told_to_everybody_who_waits_and_to_nobody_afterwards(
    access: Access, service: Service
) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    service.store.is_reachable = False
    texts = (made.text, made.text, new_key_text().text)
    found = await asyncio.gather(*map(access.authenticate, texts), return_exceptions=True)
    assert [type(one) for one in found] == [StoreUnavailable] * 3
    service.store.is_reachable = True
    assert await access.authenticate(made.text) == made.key


async def test_who_goes_away_takes_nobody_along(access: Access, keys: Counted) -> None:
    made = await access.make_key("one", {Scope.ADMIN})
    asking = [asyncio.create_task(access.authenticate(made.text)) for _ in range(2)]
    await keys.begun.wait()
    asking[0].cancel()
    assert await asking[1] == made.key
    assert keys.reads == 1


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


async def test_a_secret_is_compared_in_constant_time_whether_its_key_is_there_or_not(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare_digest(one, other)

    monkeypatch.setattr("application.access.secrets.compare_digest", compare)
    made = await access.make_key("one", {Scope.ADMIN})
    rotated = await access.rotate_key(made.key.id, overlap=timedelta(hours=1))
    for text, good, times in (
        (rotated.text, True, 2),
        (made.text, True, 2),  # the same number, whichever it was
        (new_key_text(made.key.id).text, False, 2),
        (new_key_text().text, False, 1),
    ):
        compared.clear()
        access.authenticate.forget(made.key.id)
        assert (await access.authenticate(text) is not None) == good
        assert compared == [(90, 90)] + [(32, 32)] * times, "the checksum, and the digests"


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


async def test_a_text_that_was_good_is_recognised_for_as_long_as_its_key_is_believed(
    access: Access, service: Service
) -> None:
    made = await access.make_key("one", {Scope.USERS_READ})
    shown = made.text.encode()
    assert access.authenticate.recognised(shown) is None
    assert await access.authenticate(made.text) == made.key
    assert access.authenticate.recognised(shown) == made.key
    for other in (
        b"",
        shown[:-1],
        shown + b" ",
        shown.upper(),
        b"\xff",
        new_key_text(made.key.id).text.encode(),
    ):
        assert access.authenticate.recognised(other) is None
    service.clock.move_to(service.clock.now() + BELIEVED_FOR)
    assert access.authenticate.recognised(shown) is None
    await access.authenticate(made.text)
    assert access.authenticate.recognised(shown) == made.key
    assert access.authenticate.uses == {made.key.id: service.clock.now()}


async def test_what_this_process_has_changed_of_a_key_is_believed_no_more(access: Access) -> None:
    made = await access.make_key("one", {Scope.USERS_READ})
    await access.authenticate(made.text)
    await access.revoke_key(made.key.id)
    access.authenticate.forget(made.key.id)
    assert access.authenticate.recognised(made.text.encode()) is None
    assert await access.authenticate(made.text) is None
    assert access.authenticate.recognised(made.text.encode()) is None


async def test_a_secret_from_before_a_rotation_is_recognised_as_long_as_it_is_good(
    access: Access, service: Service
) -> None:
    overlap = BELIEVED_FOR / 3
    made = await access.make_key("one", {Scope.USERS_READ})
    await access.authenticate(made.text)
    rotated = await access.rotate_key(made.key.id, overlap=overlap)
    access.authenticate.forget(made.key.id)
    for text in (made.text, rotated.text):
        assert await access.authenticate(text) == rotated.key
        assert access.authenticate.recognised(text.encode()) == rotated.key
    service.clock.move_to(service.clock.now() + overlap)
    assert access.authenticate.recognised(made.text.encode()) is None
    assert access.authenticate.recognised(rotated.text.encode()) == rotated.key


async def test_only_a_key_is_recognised_and_no_session(access: Access) -> None:
    session = await access.make_key("one", {Scope.ADMIN}, kind=KeyKind.SESSION)
    assert await access.authenticate(session.text, KeyKind.SESSION) == session.key
    assert access.authenticate.recognised(session.text.encode()) is None


async def test_a_key_that_has_run_out_is_not_recognised(access: Access, service: Service) -> None:
    made = await access.make_key("one", {Scope.USERS_READ}, lasts=BELIEVED_FOR / 3)
    await access.authenticate(made.text)
    service.clock.move_to(service.clock.now() + BELIEVED_FOR / 3)
    assert access.authenticate.recognised(made.text.encode()) is None
