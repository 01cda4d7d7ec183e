"""A read is answered by the cache where that may be believed, and by the store everywhere else."""

import pytest

from application import cached_values
from application.cache_ports import Lease
from application.cached_values import CachedValues
from application.errors import StoreUnavailable
from application.invalidation import email_reference_key, user_key
from application.observing import Bypass, Source
from application.trust import OVERDUE_S, TRUSTED_FOR_S
from application.views import UserView
from domain.user import UserId
from tests.cache.intercepting import InterceptedCache, InterceptedLog
from tests.cache.stopping import Counting, Failing, Stop
from tests.cache.world import ADA, GARBAGE, Process, World, tell_nobody

HIT, MISS, BYPASS = Source.HIT, Source.MISS, Source.BYPASS


async def test_the_first_read_is_a_miss_and_the_next_a_hit_for_everybody(
    process: Process, other: Process, ada: UserView
) -> None:
    assert await process.name(ada) == ("Ada", MISS)
    assert await process.name(ada) == ("Ada", HIT)
    assert (await other.get(ada)).value == ada
    assert await other.name(ada) == ("Ada", HIT)
    assert process.told.fills == [True]


async def test_by_the_address_too_however_it_is_written(
    process: Process, other: Process, ada: UserView
) -> None:
    first = await process.reader.find_by_email("ADA@example.com")
    assert (first.value, first.source) == (ada, MISS)
    second = await other.reader.find_by_email("ada@EXAMPLE.com")
    assert (second.value, second.source) == (ada, MISS)  # the reference was there, the person not yet
    third = await process.reader.find_by_email(ada.email)
    assert (third.value, third.source) == (ada, HIT)


async def test_a_hit_is_one_call_of_the_cache_by_the_address_too(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    await process.reader.find_by_email(ada.email)
    calls = Counting()
    counted = await world.started(cache=InterceptedCache(world.cache, calls))
    assert await counted.name(ada) == ("Ada", HIT)
    assert calls.calls == {"look": 1}
    found = await counted.reader.find_by_email(ada.email)
    assert (found.value, found.source) == (ada, HIT)
    assert calls.calls == {"look": 1, "follow": 1}


async def test_who_is_not_there_is_not_stored(world: World, process: Process, ada: UserView) -> None:
    await process.remove(UserId(ada.id))
    for _ in range(2):
        read = await process.get(ada)
        assert (read.value, read.source) == (None, MISS)
        found = await process.reader.find_by_email(ada.email)
        assert (found.value, found.source) == (None, MISS)
    assert await world.held(user_key(ada.id)) is None
    assert await world.held(email_reference_key(ada.email)) is None


async def test_a_value_that_cannot_be_read_is_counted_removed_and_loaded(
    world: World, process: Process, ada: UserView
) -> None:
    await world.put(user_key(ada.id), GARBAGE)
    await world.put(email_reference_key(ada.email), GARBAGE)
    found = await process.reader.find_by_email(ada.email)
    assert (found.value, found.source) == (ada, MISS)
    assert await process.name(ada) == ("Ada", MISS)
    assert process.told.undecodable == 2
    assert await process.name(ada) == ("Ada", HIT)


async def test_a_reference_leads_only_to_who_has_that_address_now(
    world: World, process: Process, ada: UserView
) -> None:
    bob = await process.register({**ADA, "first_name": "Bob", "email": "bob@example.com"})
    await process.warm_up(ada, bob)
    unheard = world.process(begin=lambda _: world.begin(tell_nobody))
    await unheard.change(UserId(ada.id), {"email": "third@example.com"})
    await unheard.change(UserId(bob.id), {"email": ada.email})
    await unheard.change(UserId(ada.id), {"email": bob.email})
    # The users are swept away, the references are not: they are crossed now.
    for user in (ada, bob):
        await world.cache.invalidate([(await world.placed(), user_key(user.id))])
    for email, name in ((ada.email, "Bob"), (bob.email, "Ada")):
        found = await process.reader.find_by_email(email)
        assert found.value is not None
        assert (found.value.first_name, found.source) == (name, BYPASS)
    assert process.told.bypasses == {Bypass.REFERENCE: 2}
    await world.sweep_all()
    await world.check(ada, bob)


async def test_a_process_that_has_never_asked_the_store_does_not_believe_the_cache(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    new = world.process()
    assert await new.name(ada) == ("Ada", BYPASS)
    assert not await new.replace(ada, lambda: world.user_reader.get(UserId(ada.id)))
    assert new.told.bypasses == {Bypass.NO_LEASE: 1}


async def test_a_process_that_has_not_asked_lately_does_not_either(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    await world.pass_time(TRUSTED_FOR_S - 0.01)
    assert await process.name(ada) == ("Ada", HIT)
    await world.pass_time(0.01)
    assert await process.name(ada) == ("Ada", BYPASS)
    assert process.told.bypasses == {Bypass.NO_LEASE: 1}
    await process.trust.renew()
    assert await process.name(ada) == ("Ada", HIT)


async def test_an_answer_is_judged_when_it_has_arrived(world: World, process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    stop = Stop("look", after=True)
    paused = await world.started(cache=InterceptedCache(world.cache, stop))
    async with stop.stopped(paused.name(ada)) as reading:
        await world.pass_time(TRUSTED_FOR_S)
    assert await reading == ("Ada", BYPASS)


async def test_a_poll_counts_from_when_it_was_asked(world: World, process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    stop = Stop("poll", after=True)
    slow = world.process(log=InterceptedLog(world.log, stop))
    async with stop.stopped(slow.trust.renew()) as polling:
        await world.pass_time(TRUSTED_FOR_S)
    await polling
    assert await slow.name(ada) == ("Ada", BYPASS)


async def test_an_answer_of_the_store_that_a_later_one_has_overtaken_says_nothing(
    world: World, ada: UserView
) -> None:
    slow = Stop("later", after=True)
    process = await world.started(log=InterceptedLog(world.log, slow))
    await process.warm_up(ada)
    slow.name = "poll"
    async with slow.stopped(process.trust.renew()) as early:
        await world.pass_time(TRUSTED_FOR_S / 2)
        await process.trust.renew()
    await early
    await world.pass_time(0.7 * TRUSTED_FOR_S)
    assert await process.name(ada) == ("Ada", Source.HIT)


async def test_a_store_that_cannot_be_asked_takes_the_trust_in_the_end(
    world: World, process: Process, ada: UserView
) -> None:
    cut_off = Failing(StoreUnavailable)
    lonely = await world.started(log=InterceptedLog(world.log, cut_off))
    await lonely.warm_up(ada)
    cut_off.names = {"poll"}
    await lonely.trust.try_to_renew()
    assert await lonely.name(ada) == ("Ada", HIT)
    await world.pass_time(TRUSTED_FOR_S)
    await lonely.trust.try_to_renew()
    assert await lonely.name(ada) == ("Ada", BYPASS)
    cut_off.names = set()
    await lonely.trust.try_to_renew()
    assert await lonely.name(ada) == ("Ada", HIT)


async def test_a_key_whose_invalidation_is_overdue_is_passed_by_until_it_is_swept(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    await world.rename_by_hand(ada, "Augusta")
    await process.trust.renew()
    assert await process.name(ada) == ("Ada", HIT)  # younger than the bound: nobody can know yet
    await world.pass_time(OVERDUE_S + 0.1)
    await process.trust.renew()
    assert await process.name(ada) == ("Augusta", BYPASS)
    assert process.told.bypasses == {Bypass.OVERDUE: 1}
    await world.sweep_all()
    await process.trust.renew()
    assert await process.name(ada) == ("Augusta", MISS)
    assert await process.name(ada) == ("Augusta", HIT)


async def test_a_hit_needs_a_watermark_that_is_not_below_what_was_acknowledged(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    restore = await world.snapshot()
    await process.rename(ada, "Augusta")
    await world.sweep_all()
    await process.trust.renew()
    await restore()  # a replica that lagged: it has Ada, and has never heard of the batch
    assert await process.name(ada) == ("Augusta", BYPASS)
    await world.lose_watermark(await world.placed())
    assert await process.name(ada) == ("Augusta", BYPASS)
    assert process.told.bypasses == {Bypass.WATERMARK: 2}


async def test_who_finds_somebody_elses_lease_waits_for_the_value(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    stop = Stop("fill")
    loader = await world.started(cache=InterceptedCache(world.cache, stop))
    async with stop.stopped(loader.name(ada)) as loading:
        waiting = stop.beside(other.name(ada))
        await stop.turns(3)
        assert not waiting.done()
    assert await loading == ("Ada", MISS)
    assert await waiting == ("Ada", HIT)


async def test_and_not_for_ever(
    world: World, other: Process, ada: UserView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_values, "_LOOK_AGAIN_AFTER_S", (0.0, 0.001))
    place = await world.placed()
    assert await world.cache.take_lease(place, user_key(ada.id), "dead", lease_s=5)
    assert await other.name(ada) == ("Ada", BYPASS)
    assert other.told.bypasses == {Bypass.IN_FLIGHT: 1}
    assert await world.held(user_key(ada.id)) == Lease("dead")
    assert other.told.fills == []


async def test_a_lease_of_somebody_who_died_ends_by_itself(
    world: World, other: Process, ada: UserView
) -> None:
    place = await world.placed()
    assert await world.cache.take_lease(place, user_key(ada.id), "dead", lease_s=0.02)
    await world.pass_time(0.02)
    assert await other.name(ada) == ("Ada", MISS)
    assert await other.name(ada) == ("Ada", HIT)


async def test_one_class_of_values_takes_no_other_class_for_its_own(process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    assert isinstance(process.references, CachedValues)
    read = await process.references.read(user_key(ada.id), _load_nothing)
    assert (read.value, read.source) == (None, MISS)
    assert process.told.undecodable == 1


async def _load_nothing() -> None:
    return None
