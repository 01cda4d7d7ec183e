"""Today's lists as values, as they are cached, and as they follow the clock."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs import decode_list, encode_list
from application.observing import Source
from application.occasions import ID_BYTES, ComputeTodaysList, ShowTodaysList, TodaysList
from domain.occasion import Kind
from domain.user import UserId
from tests.use_cases.service import Service

LISTS = st.builds(
    TodaysList,
    st.sampled_from(Kind),
    st.dates(),
    st.lists(st.binary(min_size=ID_BYTES, max_size=ID_BYTES), max_size=4).map(b"".join),
)
EAST = {"first_name": "Ada", "last_name": "L", "timezone": "Pacific/Kiritimati", "birthday": "1990-03-14"}


async def test_the_list_is_that_of_the_day_which_the_clock_shows_in_utc(service: Service) -> None:
    [ada] = await service.register_many(1, EAST)
    compute = ComputeTodaysList(service.ledger, service.clock)
    for instant, count in (
        (datetime(2027, 3, 13, 23, 59, 59, tzinfo=UTC), 1),
        (datetime(2027, 3, 14, tzinfo=UTC), 0),
    ):
        service.at(instant)
        todays = await compute(Kind.BIRTHDAY)
        assert (todays.kind, todays.day, todays.count) == (Kind.BIRTHDAY, instant.date(), count)
        assert todays.user_ids == [UserId(ada.id)] * count
        assert (await compute(Kind.ANNIVERSARY)).count == 0


async def test_it_says_where_it_comes_from(service: Service) -> None:
    read = await ShowTodaysList(ComputeTodaysList(service.ledger, service.clock))(Kind.BIRTHDAY)
    assert (read.source, read.value.count) == (Source.BYPASS, 0)


async def test_who_came_after_their_hour_is_not_listed_until_next_year(service: Service) -> None:
    """Their occasion is not kept this year, as the upcoming messages of the person say."""
    await service.register_many(1, {**EAST, "birthday": "1990-03-13", "timezone": "UTC"})
    assert (await ComputeTodaysList(service.ledger, service.clock)(Kind.BIRTHDAY)).count == 0


def test_ids_are_whole() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        TodaysList(Kind.BIRTHDAY, date(2027, 3, 13), bytes(ID_BYTES + 1))


@given(LISTS)
def test_a_list_comes_back_as_it_went_in(todays: TodaysList) -> None:
    payload = encode_list(todays)
    assert decode_list(payload) == todays
    assert len(payload) <= 9 + ID_BYTES * todays.count


@given(LISTS, st.data())
def test_a_part_of_a_list_is_none(todays: TodaysList, data: st.DataObject) -> None:
    payload = encode_list(todays)
    with pytest.raises(ValueError, match=r"list|16 bytes"):
        decode_list(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(ValueError, match=r"list|16 bytes"):
        decode_list(payload + data.draw(st.binary(min_size=1, max_size=2 * ID_BYTES)))


@given(st.binary(max_size=60))
def test_garbage_is_no_list_or_is_one_to_the_last_byte(payload: bytes) -> None:
    try:
        todays = decode_list(payload)
    except ValueError:
        return
    assert encode_list(todays) == payload


@given(LISTS, st.integers(0, 8), st.integers(1, 255))
def test_a_list_with_another_head_is_another_or_none(todays: TodaysList, place: int, flipped: int) -> None:
    payload = bytearray(encode_list(todays))
    payload[place] ^= flipped
    try:
        assert decode_list(bytes(payload)) != todays
    except ValueError:
        return
