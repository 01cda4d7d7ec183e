"""A provider that messages are posted to: it misbehaves as a seed says, until it is told to be well (SIGUSR1).

Told to stand still (SIGUSR2), it answers nobody for a moment.

python -m tests.chaos.provider --port 8080 --book book --seed 1 --deduplicates: it knows a key again, or not.
"""

import asyncio
import hashlib
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import cast

import attrs
import click
import httptools
import msgspec
import uvloop

from tests.chaos.book import Entry, Fate, read_book

STILL_S = 0.8
_SLOW_MOST_S = 0.6


@attrs.frozen
class Whim:
    """A way to treat a request: what becomes of the message, and what is answered.

    No *status* is no answer at all; then the connection is cut, or left hanging.
    """

    name: str
    fate: Fate
    status: int | None
    hangs: bool = False
    is_slow: bool = False


WELL = Whim("well", Fate.ACCEPTED, 204)
WHIMS: Sequence[tuple[Whim, float]] = (
    (Whim("busy", Fate.REFUSED, 429), 0.0003),
    (Whim("broken", Fate.REFUSED, 500), 0.006),
    (Whim("slow", Fate.ACCEPTED, 204, is_slow=True), 0.006),
    (Whim("hangs-before-it-accepts", Fate.IN_DOUBT, None, hangs=True), 0.0004),
    (Whim("hangs-once-it-has-accepted", Fate.ACCEPTED, None, hangs=True), 0.0004),
    (Whim("hangs-up-before-it-accepts", Fate.IN_DOUBT, None), 0.003),
    (Whim("hangs-up-once-it-has-accepted", Fate.ACCEPTED, None), 0.003),
    (Whim("gateway-before-it-accepts", Fate.IN_DOUBT, 502), 0.001),
    (Whim("gateway-once-it-has-accepted", Fate.ACCEPTED, 502), 0.001),
)
"""With the share of the requests that each of them meets."""


@attrs.define(eq=False)
class Provider:
    """What was accepted, and the book that says so. What a request meets depends on seed, message and attempt."""

    book: int
    """An open file, to be appended to."""
    seed: int
    deduplicates: bool
    harshness: float = 1.0
    """How many times as often as usual it misbehaves."""
    is_well: bool = False
    accepted: set[str] = attrs.field(factory=set)
    requests: Counter[str] = attrs.field(factory=Counter)
    _still_until: float = 0.0

    def take(self, key: str, occasion: str) -> tuple[Whim, float]:
        """Decide on a request and write it down; return how to answer it, and after how long."""
        self.requests[occasion] += 1
        whim, dice = self._whim(occasion)
        fate = whim.fate
        if fate is Fate.ACCEPTED and self.deduplicates and key in self.accepted:
            fate = Fate.REPEATED
        elif fate is Fate.ACCEPTED:
            self.accepted.add(key)
        os.write(self.book, Entry(time.time(), key, occasion, whim.name, fate).line().encode("ascii"))
        still_s = max(0.0, self._still_until - time.monotonic())
        return whim, max(still_s, dice * _SLOW_MOST_S if whim.is_slow else 0.0)

    def _whim(self, occasion: str) -> tuple[Whim, float]:
        if self.is_well:
            return WELL, 0.0
        told = f"{self.seed} {occasion} {self.requests[occasion]}".encode()
        number = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest())
        dice, other = (number >> 32) / 2**32, (number & 0xFFFFFFFF) / 2**32
        for whim, share in WHIMS:
            dice -= share * self.harshness
            if dice < 0:
                return whim, other
        return WELL, other

    def be_well(self) -> None:
        self.is_well = True

    def stand_still(self) -> None:
        """Take what comes, and answer later."""
        self._still_until = time.monotonic() + STILL_S


class _Data(msgspec.Struct):
    key: str


class _Post(msgspec.Struct):
    data: _Data


_decoder = msgspec.json.Decoder(_Post)


class Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, one request after the other."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._key = ""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._hang_up()

    def on_message_begin(self) -> None:
        self._key, self._body = "", []

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"idempotency-key":
            self._key = value.decode("ascii").strip('"')

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            self._answer(200)
            return
        occasion = _decoder.decode(b"".join(self._body)).data.key
        whim, after_s = self._provider.take(self._key, occasion)
        if whim.hangs:
            return
        if whim.status is None:
            self._hang_up()
        elif after_s:
            asyncio.get_running_loop().call_later(after_s, self._answer, whim.status)
        else:
            self._answer(whim.status)

    def _answer(self, status: int) -> None:
        pause = ""
        if status == 429:
            now = time.time()
            pause = f"Retry-After: {'1' if int(now) % 2 else formatdate(now + 2, usegmt=True)}\r\n"
        length = "" if status == 204 else "Content-Length: 0\r\n"
        if self._transport is not None:
            self._transport.write(f"HTTP/1.1 {status} -\r\n{pause}{length}\r\n".encode())

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@click.command(help=__doc__)
@click.option("--port", type=int, required=True)
@click.option("--book", "path", type=click.Path(path_type=Path), required=True)
@click.option("--seed", type=int, required=True)
@click.option("--harshness", type=float, default=1.0, show_default=True)
@click.option("--deduplicates", is_flag=True)
def main(*, port: int, path: Path, seed: int, harshness: float, deduplicates: bool) -> None:
    uvloop.run(_serve(port, path, seed, harshness, deduplicates=deduplicates))


async def _serve(port: int, path: Path, seed: int, harshness: float, *, deduplicates: bool) -> None:
    book = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    provider = Provider(book, seed, deduplicates, harshness)
    provider.accepted |= {entry.key for entry in read_book(path) if entry.fate is Fate.ACCEPTED}
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, provider.be_well)
    loop.add_signal_handler(signal.SIGUSR2, provider.stand_still)
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    main()
