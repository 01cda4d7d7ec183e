"""What every cache keeps to: plain keys that expire, leases that guard values, watermarks that never sink."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from application.cache_ports import CachePort, Entry, Lease, Look, Place

HERE = Place(0, 7)
NEXT = Place(0, 8)
KEY = "user:v1:1"
OTHER = "user:v1:2"
LONG_S = 60.0
SHORT_S = 0.05
FIRST = Entry(1, b"first")
SECOND = Entry(2, b"second")
EMAIL = "user:email:v1:ada@example.com"
USER = "user:v1:01900000-0000-7000-8000-000000000000"
REFERENCE = Entry(0, b"\xd9$01900000-0000-7000-8000-000000000000")
"""As it is written: MessagePack of a text of 36 characters, which is an id."""


@attrs.frozen
class Cache:
    """The cache under test on an empty namespace, and how time goes on for it."""

    port: CachePort
    sleep: Callable[[float], Awaitable[None]]

    async def begin(self, place: Place = HERE, watermark: int = 10) -> None:
        await self.port.begin(place, watermark)

    async def held(self, key: str = KEY, place: Place = HERE) -> Entry | Lease | None:
        return (await self.port.look(place, key)).held

    async def lease(
        self,
        token: str,
        key: str = KEY,
        *,
        place: Place = HERE,
        lease_s: float = LONG_S,
        renewing: bool = False,
    ) -> bool:
        return await self.port.take_lease(place, key, token, lease_s=lease_s, renewing=renewing)

    async def fill(
        self, token: str, entry: Entry, key: str = KEY, *, place: Place = HERE, ttl_s: float = LONG_S
    ) -> bool:
        return await self.port.fill(place, key, token, entry, ttl_s=ttl_s)

    async def store(
        self, entry: Entry, key: str = KEY, *, place: Place = HERE, ttl_s: float = LONG_S
    ) -> None:
        """Put a value where nothing is."""
        assert await self.lease("store", key, place=place)
        assert await self.fill("store", entry, key, place=place, ttl_s=ttl_s)


class PlainContract:
    """Keys and values without any protocol."""

    async def test_what_was_set_is_there(self, cache: Cache) -> None:
        value = bytes(range(256))
        assert await cache.port.get("k") is None
        assert await cache.port.set("k", value)
        assert await cache.port.get("k") == value
        assert await cache.port.set("k", b"")
        assert await cache.port.get("k") == b""

    async def test_many_are_answered_in_the_order_of_the_keys(self, cache: Cache) -> None:
        await cache.port.set_many([("a", b"1", None), ("b", b"2", LONG_S)])
        assert await cache.port.get_many(["b", "none", "a", "b"]) == [b"2", None, b"1", b"2"]
        assert await cache.port.get_many([]) == []
        await cache.port.set_many([])

    async def test_a_lifetime_ends(self, cache: Cache) -> None:
        await cache.port.set("k", b"1", ttl_s=SHORT_S)
        await cache.port.set_many([("l", b"1", SHORT_S), ("m", b"1", LONG_S)])
        assert await cache.port.get_many(["k", "l", "m"]) == [b"1", b"1", b"1"]
        await cache.sleep(2 * SHORT_S)
        assert await cache.port.get_many(["k", "l", "m"]) == [None, None, b"1"]

    async def test_a_new_value_has_its_own_lifetime(self, cache: Cache) -> None:
        await cache.port.set("k", b"1", ttl_s=SHORT_S)
        await cache.port.set("k", b"2")
        await cache.sleep(2 * SHORT_S)
        assert await cache.port.get("k") == b"2"

    @pytest.mark.parametrize("ttl_s", (0.0, -5.0, 1e-9))
    async def test_a_lifetime_that_is_over_is_the_shortest_there_is(self, cache: Cache, ttl_s: float) -> None:
        await cache.port.set("k", b"1")
        assert await cache.port.set("k", b"2", ttl_s=ttl_s)
        await cache.sleep(SHORT_S)
        assert await cache.port.get("k") is None

    async def test_set_only_if_absent(self, cache: Cache) -> None:
        assert await cache.port.set("k", b"1", ttl_s=SHORT_S, only_if_absent=True)
        assert not await cache.port.set("k", b"2", only_if_absent=True)
        assert await cache.port.get("k") == b"1"
        await cache.sleep(2 * SHORT_S)
        assert await cache.port.set("k", b"3", only_if_absent=True)

    async def test_set_only_if_present(self, cache: Cache) -> None:
        assert not await cache.port.set("k", b"1", only_if_present=True)
        assert await cache.port.get("k") is None
        await cache.port.set("k", b"1")
        assert await cache.port.set("k", b"2", only_if_present=True)
        assert await cache.port.get("k") == b"2"

    async def test_both_conditions_at_once_are_refused(self, cache: Cache) -> None:
        with pytest.raises(ValueError, match="both"):
            await cache.port.set("k", b"1", only_if_absent=True, only_if_present=True)

    async def test_delete_tells_how_many_there_were(self, cache: Cache) -> None:
        await cache.port.set_many([("a", b"1", None), ("b", b"2", None), ("c", b"3", None)])
        assert await cache.port.delete("a", "b", "none", "a") == 2
        assert await cache.port.get_many(["a", "b", "c"]) == [None, None, b"3"]
        assert await cache.port.delete() == 0

    async def test_delete_what_begins_so_and_no_more_than_asked(self, cache: Cache) -> None:
        await cache.port.set_many([(f"a:{number}", b"1", None) for number in range(1200)])
        await cache.port.set("b:1", b"1")
        assert await cache.port.delete_prefix("a:", limit=0) == 0
        assert await cache.port.delete_prefix("a:", limit=700) == 700
        left = [key for key in (f"a:{number}" for number in range(1200)) if await cache.port.get(key)]
        assert len(left) == 500
        assert await cache.port.delete_prefix("a:", limit=10_000) == 500
        assert await cache.port.delete_prefix("a:", limit=10_000) == 0
        assert await cache.port.get("b:1") == b"1"

    @pytest.mark.parametrize("prefix", ("*", "?", "[a-z]", "[^x]", "\\", "\\*", "a*b", "^"))
    async def test_a_prefix_is_meant_as_it_is_written(self, cache: Cache, prefix: str) -> None:
        await cache.port.set_many([(prefix + "1", b"1", None), ("abc", b"2", None), ("a1", b"3", None)])
        assert await cache.port.delete_prefix(prefix, limit=100) == 1
        assert await cache.port.get_many([prefix + "1", "abc", "a1"]) == [None, b"2", b"3"]

    async def test_keys_may_hold_any_text(self, cache: Cache) -> None:
        keys = ["", " ", "a b", "{1}", "}{", "ключ", "名前", "a\nb", "wm"]
        await cache.port.set_many([(key, key.encode(), None) for key in keys])
        assert await cache.port.get_many(keys) == [key.encode() for key in keys]

    async def test_it_is_healthy_and_tells_its_figures(self, cache: Cache) -> None:
        assert await cache.port.is_healthy()
        before = await cache.port.figures()
        assert (before.hits, before.misses, before.hit_rate) == (0, 0, 0.0)
        await cache.port.set("k", b"1")
        await cache.port.get_many(["k", "none", "k"])
        await cache.store(FIRST)
        await cache.held()
        await cache.held(OTHER)
        figures = await cache.port.figures()
        assert (figures.hits, figures.misses, figures.hit_rate) == (3, 2, 0.6)

    async def test_plain_keys_and_places_do_not_meet(self, cache: Cache) -> None:
        await cache.begin()
        await cache.store(FIRST, "k")
        await cache.port.set("k", b"1")
        await cache.port.delete_prefix("", limit=100)
        assert await cache.port.get("k") is None
        assert await cache.port.look(HERE, "k") == Look(FIRST, 10)


class ReferenceContract:
    """A reference is looked at together with what it leads to."""

    async def test_both_are_found_in_one_step(self, cache: Cache) -> None:
        await cache.begin()
        await cache.store(REFERENCE, EMAIL)
        await cache.store(FIRST, USER)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (Look(REFERENCE, 10), Look(FIRST, 10))
        figures = await cache.port.figures()
        assert (figures.hits, figures.misses) == (2, 0)

    async def test_where_there_is_no_reference_nothing_else_is_looked_at(self, cache: Cache) -> None:
        await cache.store(FIRST, USER)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (Look(None, None), None)
        assert await cache.lease("a", EMAIL)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (Look(Lease("a"), None), None)

    async def test_a_reference_may_lead_to_nobody_or_to_who_is_being_read(self, cache: Cache) -> None:
        await cache.store(REFERENCE, EMAIL)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (Look(REFERENCE, None), None)
        assert await cache.lease("a", USER)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (
            Look(REFERENCE, None),
            Look(Lease("a"), None),
        )

    @pytest.mark.parametrize("payload", (b"", b"short", b"\xff" * 40))
    async def test_a_reference_that_is_none_leads_nowhere(self, cache: Cache, payload: bytes) -> None:
        await cache.store(Entry(1, payload), EMAIL)
        await cache.store(FIRST, USER)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (Look(Entry(1, payload), None), None)

    async def test_it_leads_to_nothing_of_another_place(self, cache: Cache) -> None:
        await cache.store(REFERENCE, EMAIL)
        await cache.store(FIRST, USER, place=NEXT)
        assert await cache.port.follow(HERE, EMAIL, "user:v1:") == (Look(REFERENCE, None), None)


class LeaseContract:
    """Who may store a value, and until when."""

    async def test_where_nothing_is_nothing_is_found(self, cache: Cache) -> None:
        assert await cache.port.look(HERE, KEY) == Look(None, None)

    async def test_a_value_is_stored_under_a_lease_only(self, cache: Cache) -> None:
        assert not await cache.fill("a", FIRST)
        assert await cache.held() is None
        assert await cache.lease("a")
        assert await cache.held() == Lease("a")
        assert await cache.fill("a", FIRST)
        assert await cache.held() == FIRST

    async def test_one_has_the_lease(self, cache: Cache) -> None:
        assert await cache.lease("a")
        assert not await cache.lease("b")
        assert await cache.held() == Lease("a")
        assert not await cache.fill("b", SECOND)
        assert await cache.fill("a", FIRST)

    async def test_who_has_the_lease_is_told_so_again(self, cache: Cache) -> None:
        assert await cache.lease("a")
        assert await cache.lease("a")
        assert await cache.fill("a", FIRST)

    async def test_many_ask_for_the_lease_and_one_gets_it(self, cache: Cache) -> None:
        taken = await asyncio.gather(*(cache.lease(f"{number}") for number in range(20)))
        assert sum(taken) == 1

    async def test_a_lease_is_good_for_one_value(self, cache: Cache) -> None:
        assert await cache.lease("a")
        assert await cache.fill("a", SECOND)
        assert not await cache.fill("a", FIRST)
        assert await cache.held() == SECOND

    async def test_a_lease_runs_out(self, cache: Cache) -> None:
        assert await cache.lease("a", lease_s=SHORT_S)
        await cache.sleep(2 * SHORT_S)
        assert await cache.held() is None
        assert not await cache.fill("a", FIRST)
        assert await cache.lease("b")

    async def test_where_a_value_is_no_lease_is_given(self, cache: Cache) -> None:
        await cache.store(FIRST)
        assert not await cache.lease("b")
        assert await cache.held() == FIRST
        assert not await cache.fill("b", SECOND)

    async def test_a_value_has_the_lifetime_that_it_was_stored_with(self, cache: Cache) -> None:
        assert await cache.lease("a", lease_s=SHORT_S)
        assert await cache.fill("a", FIRST, ttl_s=LONG_S)
        await cache.store(SECOND, OTHER, ttl_s=SHORT_S)
        await cache.sleep(2 * SHORT_S)
        assert await cache.held() == FIRST
        assert await cache.held(OTHER) is None

    async def test_a_key_has_a_value_in_each_place(self, cache: Cache) -> None:
        await cache.store(FIRST)
        assert await cache.held(place=NEXT) is None
        assert await cache.lease("a", place=NEXT)
        assert not await cache.fill("a", SECOND, place=HERE)
        assert await cache.fill("a", SECOND, place=NEXT)
        assert (await cache.held(), await cache.held(place=NEXT)) == (FIRST, SECOND)

    @pytest.mark.parametrize("version", (0, 1, 2**31, 2**53 + 1, 2**63))
    @pytest.mark.parametrize("payload", (b"", b"\0", bytes(range(256)), b"x" * 100_000))
    async def test_version_and_payload_come_back_as_they_are(
        self, cache: Cache, version: int, payload: bytes
    ) -> None:
        entry = Entry(version, payload)
        await cache.store(entry)
        assert await cache.held() == entry

    @pytest.mark.parametrize("token", ("", "12345678901234567", "é", "a\0"))
    async def test_a_token_is_short_and_not_empty(self, cache: Cache, token: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011  # an encoding error for one of them
            await cache.lease(token)
        with pytest.raises(ValueError):  # noqa: PT011  # the same
            await cache.fill(token, FIRST)

    async def test_the_longest_token_counts_to_its_end(self, cache: Cache) -> None:
        assert await cache.lease("0123456789abcdef")
        assert not await cache.fill("0123456789abcdee", FIRST)
        assert await cache.held() == Lease("0123456789abcdef")
        assert await cache.fill("0123456789abcdef", FIRST)

    async def test_keys_hold_any_text(self, cache: Cache) -> None:
        keys = ["", " ", "{1}", "}{", "ключ", "user:email:v1:名前@example.org", "a\0b", "k" * 2000]
        for number, key in enumerate(keys):
            await cache.store(Entry(number, key.encode()), key)
        for number, key in enumerate(keys):
            assert await cache.held(key) == Entry(number, key.encode())


class RenewalContract:
    """A lease beside a value that is to be replaced."""

    async def test_the_value_is_read_until_it_is_replaced(self, cache: Cache) -> None:
        await cache.store(FIRST)
        assert await cache.lease("b", renewing=True)
        assert await cache.held() == FIRST
        assert await cache.fill("b", SECOND)
        assert await cache.held() == SECOND

    async def test_the_value_lives_as_long_as_without_the_lease(self, cache: Cache) -> None:
        await cache.store(FIRST, ttl_s=SHORT_S)
        await cache.store(FIRST, OTHER)
        assert await cache.lease("b", renewing=True)
        assert await cache.lease("b", OTHER, lease_s=SHORT_S, renewing=True)
        await cache.sleep(2 * SHORT_S)
        assert await cache.held() is None
        assert not await cache.fill("b", SECOND)
        assert await cache.held(OTHER) == FIRST
        assert await cache.fill("b", SECOND, OTHER)

    async def test_the_last_one_has_the_lease(self, cache: Cache) -> None:
        await cache.store(FIRST)
        assert await cache.lease("b", renewing=True)
        assert await cache.lease("c", renewing=True)
        assert not await cache.lease("d")
        assert not await cache.fill("b", Entry(9, b"late"))
        assert await cache.fill("c", SECOND)
        assert not await cache.fill("c", FIRST)
        assert await cache.held() == SECOND

    async def test_anothers_lease_is_taken_over(self, cache: Cache) -> None:
        assert await cache.lease("a", lease_s=SHORT_S)
        assert await cache.lease("b", renewing=True)
        assert await cache.held() == Lease("b")
        await cache.sleep(2 * SHORT_S)
        assert not await cache.fill("a", FIRST)
        assert await cache.fill("b", SECOND)

    async def test_where_nothing_is_it_is_a_lease_like_any_other(self, cache: Cache) -> None:
        assert await cache.lease("b", lease_s=SHORT_S, renewing=True)
        assert await cache.held() == Lease("b")
        await cache.sleep(2 * SHORT_S)
        assert await cache.held() is None

    async def test_an_invalidation_ends_it(self, cache: Cache) -> None:
        await cache.store(FIRST)
        assert await cache.lease("b", renewing=True)
        await cache.port.invalidate([(HERE, KEY)])
        assert not await cache.fill("b", SECOND)
        assert await cache.held() is None


class SweepContract:
    """Invalidations at once and in batches, and the watermark."""

    async def test_values_and_leases_are_deleted_at_once(self, cache: Cache) -> None:
        await cache.store(FIRST)
        await cache.store(FIRST, place=NEXT)
        assert await cache.lease("a", OTHER)
        await cache.port.invalidate([(HERE, KEY), (NEXT, KEY), (HERE, OTHER), (HERE, "none")])
        assert [await cache.held(), await cache.held(place=NEXT), await cache.held(OTHER)] == [None] * 3
        assert not await cache.fill("a", FIRST, OTHER)
        await cache.port.invalidate([])

    async def test_an_epoch_begins_with_its_watermark(self, cache: Cache) -> None:
        await cache.begin(HERE, 10)
        assert await cache.port.look(HERE, KEY) == Look(None, 10)
        assert await cache.port.look(NEXT, KEY) == Look(None, None)
        await cache.store(FIRST)
        assert await cache.port.look(HERE, KEY) == Look(FIRST, 10)

    async def test_a_watermark_that_stands_stays(self, cache: Cache) -> None:
        await cache.begin(HERE, 10)
        await cache.begin(HERE, 12)
        await cache.begin(HERE, 8)
        assert (await cache.port.look(HERE, KEY)).watermark == 10

    async def test_a_batch_raises_the_watermark_of_its_place(self, cache: Cache) -> None:
        await cache.begin(HERE, 10)
        await cache.begin(NEXT, 10)
        swept = await cache.port.sweep(HERE, base=10, batch=11, keys=[])
        assert (swept.is_gap, swept.watermark) == (False, 11)
        assert (await cache.port.look(HERE, KEY)).watermark == 11
        assert (await cache.port.look(NEXT, KEY)).watermark == 10

    async def test_a_batch_deletes_leases_and_older_values(self, cache: Cache) -> None:
        await cache.begin()
        for version in range(1, 6):
            await cache.store(Entry(version, b"x"), f"k{version}")
        assert await cache.lease("a", "leased")
        keys = [*((f"k{version}", 3) for version in range(1, 6)), ("leased", 3), ("none", 3)]
        await cache.port.sweep(HERE, base=10, batch=11, keys=keys)
        held = [await cache.held(f"k{version}") for version in range(1, 6)]
        assert held == [None, None, Entry(3, b"x"), Entry(4, b"x"), Entry(5, b"x")]
        assert await cache.held("leased") is None
        assert not await cache.fill("a", FIRST, "leased")

    async def test_version_0_deletes_any_value(self, cache: Cache) -> None:
        await cache.begin()
        await cache.store(Entry(5, b"x"))
        await cache.store(Entry(0, b"x"), OTHER)
        await cache.store(Entry(0, b"x"), "third")
        await cache.port.sweep(HERE, base=10, batch=11, keys=[(KEY, 0), (OTHER, 0), ("third", 1)])
        assert [await cache.held(key) for key in (KEY, OTHER, "third")] == [None] * 3

    @pytest.mark.parametrize(
        ("stored", "swept", "stays"),
        (
            (2**32, 2**32 - 1, True),
            (2**32 - 1, 2**32, False),
            (2**53, 2**53 + 1, False),
            (2**53 + 1, 2**53, True),
            (2**53 + 1, 2**53 + 1, True),
            (2**63 - 1, 2**63 - 1, True),
            (2**63 - 2, 2**63 - 1, False),
            (0x10A, 0x200, False),  # as bytes: nothing of it is text, or signed
            (0x80FF, 0x8100, False),
        ),
    )
    async def test_versions_are_compared_as_numbers_of_any_size(
        self, cache: Cache, stored: int, swept: int, *, stays: bool
    ) -> None:
        await cache.begin()
        await cache.store(Entry(stored, b"x"))
        await cache.port.sweep(HERE, base=10, batch=11, keys=[(KEY, swept)])
        assert (await cache.held() is not None) == stays

    async def test_a_lease_is_deleted_beside_a_value_that_stays(self, cache: Cache) -> None:
        await cache.begin()
        await cache.store(SECOND)
        assert await cache.lease("b", renewing=True)
        await cache.port.sweep(HERE, base=10, batch=11, keys=[(KEY, 2)])
        assert await cache.held() == SECOND
        assert not await cache.fill("b", FIRST)

    async def test_a_value_that_stays_has_its_lifetime(self, cache: Cache) -> None:
        await cache.begin()
        await cache.store(SECOND, ttl_s=2 * SHORT_S)
        assert await cache.lease("b", renewing=True)
        await cache.port.sweep(HERE, base=10, batch=11, keys=[(KEY, 2)])
        assert await cache.held() == SECOND
        await cache.sleep(4 * SHORT_S)
        assert await cache.held() is None

    async def test_a_batch_is_of_one_place(self, cache: Cache) -> None:
        await cache.begin(HERE)
        await cache.begin(NEXT)
        await cache.store(FIRST)
        await cache.store(FIRST, place=NEXT)
        await cache.port.sweep(HERE, base=10, batch=11, keys=[(KEY, 0)])
        assert (await cache.held(), await cache.held(place=NEXT)) == (None, FIRST)

    @pytest.mark.parametrize(("base", "batch"), ((11, 12), (11, 9), (9, 10), (5, 6), (100, 200)))
    async def test_on_a_gap_nothing_is_done(self, cache: Cache, base: int, batch: int) -> None:
        """The watermark, 10, is below the base, or not below the batch."""
        await cache.begin(HERE, 10)
        await cache.store(FIRST)
        assert await cache.lease("a", OTHER)
        swept = await cache.port.sweep(HERE, base=base, batch=batch, keys=[(KEY, 0), (OTHER, 0)])
        assert (swept.is_gap, swept.watermark) == (True, 10)
        assert await cache.port.look(HERE, KEY) == Look(FIRST, 10)
        assert await cache.held(OTHER) == Lease("a")

    async def test_without_a_watermark_there_is_a_gap(self, cache: Cache) -> None:
        await cache.store(FIRST)
        swept = await cache.port.sweep(HERE, base=0, batch=1, keys=[(KEY, 0)])
        assert (swept.is_gap, swept.watermark) == (True, None)
        assert await cache.port.look(HERE, KEY) == Look(FIRST, None)

    async def test_the_base_may_be_below_the_watermark(self, cache: Cache) -> None:
        await cache.begin(HERE, 10)
        await cache.store(FIRST)
        swept = await cache.port.sweep(HERE, base=5, batch=11, keys=[(KEY, 0)])
        assert (swept.is_gap, swept.watermark) == (False, 11)
        assert await cache.port.look(HERE, KEY) == Look(None, 11)

    async def test_numbers_are_compared_as_numbers(self, cache: Cache) -> None:
        await cache.begin(HERE, 9)
        assert not (await cache.port.sweep(HERE, base=9, batch=10, keys=[])).is_gap
        assert (await cache.port.sweep(HERE, base=100, batch=101, keys=[])).is_gap
        big = 2**53 - 1
        assert not (await cache.port.sweep(HERE, base=10, batch=big, keys=[])).is_gap
        assert (await cache.port.look(HERE, KEY)).watermark == big

    async def test_a_batch_of_the_largest_size(self, cache: Cache) -> None:
        await cache.begin()
        keys = [f"k{number}" for number in range(500)]
        await asyncio.gather(*(cache.store(FIRST, key) for key in keys[:50]))
        swept = await cache.port.sweep(HERE, base=10, batch=11, keys=[(key, 0) for key in keys])
        assert not swept.is_gap
        assert await asyncio.gather(*(cache.held(key) for key in keys)) == [None] * 500


class LookContract:
    """Many looks at once."""

    async def test_each_gets_its_own_answer(self, cache: Cache) -> None:
        await cache.begin(HERE, 10)
        await cache.begin(NEXT, 20)
        await cache.store(FIRST)
        await cache.store(SECOND, OTHER, place=NEXT)
        assert await cache.lease("a", "leased")
        asked = [(HERE, KEY), (NEXT, OTHER), (HERE, "leased"), (NEXT, KEY), (HERE, KEY), (Place(0, 1), KEY)]
        assert await asyncio.gather(*(cache.port.look(place, key) for place, key in asked)) == [
            Look(FIRST, 10),
            Look(SECOND, 20),
            Look(Lease("a"), 10),
            Look(None, 20),
            Look(FIRST, 10),
            Look(None, None),
        ]

    async def test_as_many_as_anybody_likes(self, cache: Cache) -> None:
        await cache.begin()
        keys = [f"k{number}" for number in range(1000)]
        await asyncio.gather(*(cache.store(Entry(1, key.encode()), key) for key in keys[:100]))
        looks = await asyncio.gather(*(cache.port.look(HERE, key) for key in keys))
        assert looks[:100] == [Look(Entry(1, key.encode()), 10) for key in keys[:100]]
        assert looks[100:] == [Look(None, 10)] * 900

    async def test_who_is_cancelled_does_not_disturb_the_others(self, cache: Cache) -> None:
        await cache.begin()
        await cache.store(FIRST)
        tasks = [asyncio.ensure_future(cache.port.look(HERE, KEY)) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[3].cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [ended[number] for number in (1, 2, 4)] == [Look(FIRST, 10)] * 3
        assert await cache.port.look(HERE, KEY) == Look(FIRST, 10)


class CacheContract(
    PlainContract, ReferenceContract, LeaseContract, RenewalContract, SweepContract, LookContract
):
    """All of it."""
