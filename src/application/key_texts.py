"""How a key is written: ``bday_``, its id, and a secret of 256 random bits with a checksum.

The checksum lets anybody, a scanner of repositories too, tell a mistyped key without asking the service.
A digest is a plain SHA-256: slow hashes are for what people choose, and nobody guesses 256 random bits,
however fast each guess is; while every request would pay for a slow one.
"""

import re
import secrets
from hashlib import sha256
from zlib import crc32

import attrs

_WRITTEN = re.compile(r"bday_([0-9a-f]{12})_([0-9a-f]{64})([0-9a-f]{8})", re.ASCII)


@attrs.frozen
class KeyText:
    """A key as its owner holds it; *text* is told once and stored nowhere."""

    id: str
    text: str = attrs.field(repr=False)

    @property
    def digest(self) -> bytes:
        return sha256(self.text.encode()).digest()


def new_key_text(key_id: str | None = None) -> KeyText:
    """Return a new secret, for a new key or for the one with this id."""
    return _written(key_id or secrets.token_hex(6), secrets.token_hex(32))


def read_key_text(text: str) -> KeyText | None:
    """Return the key that *text* is; None if it cannot be one of ours."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    key = _written(match[1], match[2])
    return key if secrets.compare_digest(key.text, text) else None


def _written(id_: str, secret: str) -> KeyText:
    body = f"bday_{id_}_{secret}"
    return KeyText(id_, f"{body}{crc32(body.encode()):08x}")
