"""A cache that has lost history is found out, told again or left behind; and the outbox stays small."""

from functools import partial

import pytest

from application.cache_ports import Entry
from application.invalidation import user_key
from application.observing import Bypass, Source
from application.sweeping import KEEP_DELIVERED_S, KEEP_PENDING_S, TidyOutbox
from application.trust import QUIET_AFTER_S
from application.views import UserView
from domain.user import UserId
from tests.cache.world import ADA, Process, World, tell_nobody

HIT, MISS, BYPASS = Source.HIT, Source.MISS, Source.BYPASS


async def test_a_process_that_sees_batches_asks_for_none_without_keys(
    world: World, process: Process, ada: UserView
) -> None:
    (before,) = (await world.log.poll(overdue_s=0)).acknowledged.items()
    await process.trust.renew()
    assert await process.sweep(0) == 0
    await world.pass_time(QUIET_AFTER_S / 2)
    assert await process.sweep(0) == 0
    assert dict((await world.log.poll(overdue_s=0)).acknowledged) == dict([before])
    await world.pass_time(QUIET_AFTER_S / 2)
    assert await process.sweep(0) == 0
    ((place, base),) = (await world.log.poll(overdue_s=0)).acknowledged.items()
    assert (place, base > before[1]) == (before[0], True)
    await process.trust.renew()
    assert not process.trust.is_quiet


async def test_a_flushed_cache_is_passed_by_found_out_and_used_again(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    before = await world.placed()
    await world.flush()
    assert await process.name(ada) == ("Ada", BYPASS)
    assert process.told.bypasses == {Bypass.WATERMARK: 1}
    await world.pass_time(QUIET_AFTER_S)
    await process.sweep(0)
    assert process.told.gaps == [True]
    assert (await world.placed()).epoch == before.epoch + 1
    assert await process.name(ada) == ("Ada", MISS)  # the sweep has renewed the trust
    assert await process.name(ada) == ("Ada", HIT)
    await world.pass_time(QUIET_AFTER_S)
    await process.trust.renew()
    await process.sweep(0)
    assert process.told.gaps == [True]


async def test_what_was_pending_at_a_new_epoch_is_not_needed_there(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    await world.rename_by_hand(ada, "Augusta")
    await world.flush()
    await process.sweep(0)
    assert (await world.log.poll(overdue_s=0)).pending == 0
    assert await process.name(ada) == ("Augusta", MISS)
    assert await other.name(ada) == ("Augusta", BYPASS)  # it still looks in the epoch before
    await other.trust.renew()
    assert await other.name(ada) == ("Augusta", HIT)


async def test_a_cache_put_back_to_an_older_state_is_told_again_what_came_after_it(
    world: World, process: Process, ada: UserView
) -> None:
    bob = await process.register({**ADA, "first_name": "Bob", "email": "bob@example.com"})
    await world.sweep_all()
    await process.trust.renew()
    await process.warm_up(ada, bob)
    before = await world.placed()
    restore = await world.snapshot()
    await process.rename(ada, "Augusta")
    await world.sweep_all()
    await process.trust.renew()
    await restore()
    assert await process.name(ada) == ("Augusta", BYPASS)
    assert (await world.find_gap()).gaps == [False]
    await world.sweep_all()
    await process.trust.renew()
    assert await world.placed() == before
    assert await process.name(ada) == ("Augusta", MISS)
    assert await process.name(bob) == ("Bob", HIT)  # nothing else was lost


async def test_a_cache_put_back_twice_while_it_is_told_again_is_told_again_once_more(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    oldest = await world.snapshot()
    await world.rename_by_hand(ada, "Augusta")
    await process.sweep(0)
    older = await world.snapshot()
    await world.rename_by_hand(ada, "Amalia")
    await process.sweep(0)
    await older()
    assert (await world.find_gap()).gaps == [False]
    await oldest()
    await world.sweep_all()
    await process.trust.renew()
    assert await process.name(ada) == ("Amalia", MISS)
    await world.check(ada)


async def test_a_cache_that_is_older_than_what_is_kept_is_left_behind(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    before = await world.placed()
    restore = await world.snapshot()
    await process.rename(ada, "Augusta")
    await world.sweep_all()
    await world.pass_time(KEEP_DELIVERED_S + 1)
    await TidyOutbox(world.log)()
    await process.warm_up_after_renewal(ada)
    await restore()
    assert (await world.find_gap()).gaps == [True]
    await process.trust.renew()
    assert (await world.placed()).epoch > before.epoch
    assert await process.name(ada) == ("Augusta", MISS)


async def test_a_store_put_back_to_an_older_state_leaves_the_cache_behind_that_knows_more(
    world: World, process: Process, ada: UserView
) -> None:
    ((before, drawn),) = (await world.log.poll(overdue_s=0)).acknowledged.items()
    for number in range(5):
        await process.rename(ada, f"Ada {number}")
        await process.sweep(0)
    await process.warm_up_after_renewal(ada)
    await world.put_store_back(drawn)  # and so its next numbers are some that the cache has heard of
    assert (await world.find_gap()).gaps == [True]
    after = await world.placed()
    # Past every epoch that was begun since, which the cache may hold as well.
    assert after.epoch > before.epoch + 1_000_000
    await world.sweep_all()
    await process.trust.renew()
    assert (await process.get(ada)).source is MISS
    assert (await process.get(ada)).source is HIT
    assert await world.placed() == after


async def test_a_bulk_change_leaves_the_epoch_behind(world: World, process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    before = await world.placed()
    await world.change_in_bulk()
    assert await world.placed() != before
    await world.sweep_all()
    await process.trust.renew()
    assert (await process.name(ada))[1] is MISS
    assert await process.name(ada) == ("Ada", HIT)


async def test_who_sweeps_at_the_same_time_does_it_once(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    await world.rename_by_hand(ada, "Augusta")
    async with world.log.next_batch(0, 500) as batch:
        assert batch is not None
        assert await other.sweep(0) == 0
        assert await process.name(ada) == ("Ada", HIT)
    assert await other.sweep(0)
    assert await process.name(ada) == ("Augusta", MISS)


@pytest.mark.parametrize("limit", (1, 2))
async def test_more_than_a_batch_is_swept_in_batches(
    world: World, process: Process, ada: UserView, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.sweeping.BATCH", limit)
    await process.rename(ada, "Augusta")
    pending = (await world.log.poll(overdue_s=0)).pending
    assert pending == 2
    swept = [await process.sweep(0) for _ in range(3)]
    assert swept == {1: [1, 1, 0], 2: [2, 0, 0]}[limit]
    await world.check(ada)


async def test_the_outbox_gives_up_what_nobody_comes_to_deliver(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    held = await world.held(user_key(ada.id))
    assert isinstance(held, Entry)
    before = await world.placed()
    tidy = TidyOutbox(world.log)
    await world.process(begin=lambda _: world.begin(tell_nobody)).rename(ada, "Augusta")
    await world.pass_time(KEEP_PENDING_S - 60)
    await tidy()
    assert (await world.log.poll(overdue_s=0)).pending
    await world.pass_time(61)
    await tidy()
    poll = await world.log.poll(overdue_s=0)
    assert (poll.pending, poll.overdue) == (0, frozenset())
    assert (await world.placed()).epoch == before.epoch + 1
    await process.trust.renew()
    assert await process.name(ada) == ("Augusta", BYPASS)  # nobody has begun the new epoch
    await world.find_gap()
    await process.trust.renew()
    assert await process.name(ada) == ("Augusta", MISS)
    await world.check(ada)


async def test_the_outbox_forgets_what_was_delivered_long_ago(
    world: World, process: Process, ada: UserView
) -> None:
    await process.rename(ada, "Augusta")
    await world.sweep_all()
    rows = await world.count_rows()
    assert rows
    tidy = TidyOutbox(world.log)
    await world.pass_time(KEEP_DELIVERED_S - 60)
    await tidy()
    assert await world.count_rows() == rows
    await world.pass_time(61)
    await process.rename(ada, "Amalia")
    await tidy()
    assert await world.count_rows() == (await world.log.poll(overdue_s=0)).pending
    await world.sweep_all()
    await world.check(ada)


async def test_a_purge_goes_on_until_nothing_is_left(
    world: World, process: Process, ada: UserView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.sweeping._PURGE", 1)
    for number in range(3):
        await process.rename(ada, f"Ada {number}")
    await world.sweep_all()
    await world.pass_time(KEEP_DELIVERED_S + 1)
    await TidyOutbox(world.log)()
    assert await world.count_rows() == 0


async def test_two_changes_of_two_people_are_not_mixed_up(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    bob = await process.register({**ADA, "first_name": "Bob", "email": "bob@example.com"})
    await process.warm_up(ada, bob)
    change = partial(process.change, versions=[ada.version])
    await change(UserId(ada.id), {"first_name": "Augusta"})
    assert await other.name(bob) == ("Bob", HIT)
    assert await other.name(ada) == ("Augusta", MISS)
