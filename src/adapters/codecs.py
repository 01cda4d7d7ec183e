"""How cached values are written: MessagePack, by msgspec."""

from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

import msgspec

from application.cached_values import ValueClass
from application.invalidation import STATISTICS_TTL_S, USER_TTL_S
from application.views import UserView
from domain.message import Status

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
