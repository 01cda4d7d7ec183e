"""How cached values are written: MessagePack, by msgspec; and today's lists, which are long, as they are."""

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from application.cached_values import ValueClass
from application.invalidation import STATISTICS_TTL_S, USER_TTL_S
from application.occasions import TodaysList
from application.ports import Clock
from application.views import UserView
from domain.message import Status
from domain.occasion import Kind

T = TypeVar("T")


def _decoder(kind: type[T]) -> Callable[[bytes], T]:
    decode = msgspec.msgpack.Decoder(kind).decode

    def decoded(payload: bytes) -> T:
        try:
            return decode(payload)
        except msgspec.DecodeError:
            raise ValueError("That is no value of this class.") from None

    return decoded


_encode = msgspec.msgpack.Encoder().encode

USERS = ValueClass(
    encode=_encode,
    decode=_decoder(UserView),
    version=lambda user: user.version,
    ttl_s=lambda _: USER_TTL_S,
)
REFERENCES = ValueClass(
    encode=_encode,
    decode=_decoder(UUID),
    version=lambda _: 0,
    ttl_s=lambda _: USER_TTL_S,
)
COUNTS: ValueClass[Mapping[Status, int]] = ValueClass(
    encode=_encode,
    decode=_decoder(dict[Status, int]),
    version=lambda _: 0,
    ttl_s=lambda _: STATISTICS_TTL_S,
)


_LEFT_STANDING_S = 60.0
"""For how long after midnight yesterday's list stays, to be replaced and not to be missing; nobody is shown it."""


def todays_lists(clock: Clock) -> ValueClass[TodaysList]:
    """Return the class of today's lists: they live until the next 00:00 UTC by *clock*."""

    def ttl_s(todays: TodaysList) -> float:
        midnight = datetime.combine(todays.day + timedelta(days=1), time(), UTC)
        return (midnight - clock.now()).total_seconds() + _LEFT_STANDING_S

    return ValueClass(
        encode=encode_list,
        decode=decode_list,
        version=lambda _: 0,
        ttl_s=ttl_s,
        is_current=lambda todays: todays.day == clock.now().astimezone(UTC).date(),
    )


_LIST = struct.Struct(">1sII")
_KINDS = {b"B": Kind.BIRTHDAY, b"A": Kind.ANNIVERSARY}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}


def encode_list(todays: TodaysList) -> bytes:
    """Write a letter for the kind, the day's ordinal, how many ids there are, and the ids."""
    return _LIST.pack(_LETTERS[todays.kind], todays.day.toordinal(), todays.count) + todays.packed


def decode_list(payload: bytes) -> TodaysList:
    """Read what ``encode_list`` wrote; raise ValueError for anything else, also a part of one."""
    try:
        letter, ordinal, count = _LIST.unpack_from(payload)
        todays = TodaysList(_KINDS[letter], date.fromordinal(ordinal), payload[_LIST.size :])
    except (struct.error, KeyError, OverflowError):
        raise ValueError("That is no list of today.") from None
    if todays.count != count:
        raise ValueError("That is a part of a list, or more than one.")
    return todays
