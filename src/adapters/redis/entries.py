"""How values and leases are written into the cache's keys.

A value begins with a header of 32 bytes: what it is (2), the token of a lease (16, all zero where there is
none), a checksum of all that follows (4), the version (8) and the length of the key (2). Then come the key,
so that no value is ever taken for another's, and the payload. A lease is a header and a key.

The scripts rely on the first three fields and the version, and write the token alone: it is not under the
checksum.
"""

import struct
from zlib import crc32

from application.cache_ports import Entry, Lease

TOKEN_MAX = 16
ID_LENGTH = 36
_ENTRY = b"\x01E"
_LEASE = b"\x01L"
_HEADER = struct.Struct(">2s16sIQH")
_CHECKED_FROM = 22
_NO_TOKEN = bytes(TOKEN_MAX)


class Undecodable(ValueError):
    """Something that is neither a value nor a lease of this key, or not of this format."""


def encode_token(token: str) -> bytes:
    """Return the token as it stands in the header. Raises ValueError for one that is too long, or none."""
    encoded = token.encode("ascii")
    if not 0 < len(encoded) <= TOKEN_MAX or b"\0" in encoded:
        raise ValueError(f"A token has 1 to {TOKEN_MAX} characters.")
    return encoded.ljust(TOKEN_MAX, b"\0")


def encode_entry(key: str, entry: Entry) -> bytes:
    return _encode(_ENTRY, _NO_TOKEN, entry.version, key.encode(), entry.payload)


def encode_lease(key: str, token: bytes) -> bytes:
    return _encode(_LEASE, token, 0, key.encode(), b"")


def decode(key: bytes, value: bytes) -> Entry | Lease:
    """Return what was stored under *key*. Raises Undecodable."""
    try:
        kind, token, checksum, version, key_length = _HEADER.unpack_from(value)
    except struct.error as error:
        raise Undecodable from error
    begins_at = _HEADER.size + key_length
    if value[_HEADER.size : begins_at] != key or checksum != crc32(value[_CHECKED_FROM:]):
        raise Undecodable
    if kind == _ENTRY:
        return Entry(version, value[begins_at:])
    if kind == _LEASE and len(value) == begins_at and token != _NO_TOKEN:
        try:
            return Lease(token.rstrip(b"\0").decode("ascii"))
        except UnicodeDecodeError as error:
            raise Undecodable from error
    raise Undecodable


def leads_to(reference: Entry) -> str:
    """Return the id that a reference's payload ends with; FOLLOW reads it in the same way."""
    return reference.payload[-ID_LENGTH:].decode("ascii", "replace")


def _encode(kind: bytes, token: bytes, version: int, key: bytes, payload: bytes) -> bytes:
    header = _HEADER.pack(kind, token, 0, version, len(key))
    checksum = crc32(payload, crc32(key, crc32(header[_CHECKED_FROM:])))
    return _HEADER.pack(kind, token, checksum, version, len(key)) + key + payload
