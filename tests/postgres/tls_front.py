"""A front that speaks TLS to clients of PostgreSQL, since the server that comes as a wheel does not."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
from sqlalchemy import make_url

_TLS_WANTED = bytes.fromhex("0000000804d2162f")


@attrs.define
class Front:
    """What came to it: *ciphers* of connections that were encrypted, and how many came in the clear."""

    port: int = 0
    ciphers: list[str] = attrs.field(factory=list)
    in_the_clear: int = 0


@asynccontextmanager
async def tls_front(url: str, context: ssl.SSLContext | None) -> AsyncIterator[Front]:
    """Lend a port on which the server at *url* is reached; without a context it refuses to encrypt."""
    parsed = make_url(url)
    front = Front()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        if first == _TLS_WANTED:
            writer.write(b"N" if context is None else b"S")
            await writer.drain()
            first = b""
            if context is not None:
                await writer.start_tls(context)
                front.ciphers.append(writer.get_extra_info("cipher")[0])
        if not writer.get_extra_info("cipher"):
            front.in_the_clear += 1
        far = await asyncio.open_unix_connection(f"{parsed.query['host']}/.s.PGSQL.{parsed.port or 5432}")
        far[1].write(first)
        await _joined((reader, far[1]), (far[0], writer))

    async def serve_quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve_quietly, "127.0.0.1", 0) as server:
        front.port = server.sockets[0].getsockname()[1]
        yield front


async def _joined(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Sequence[None]:
    return await asyncio.gather(*(_pass_on(*way) for way in ways))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
