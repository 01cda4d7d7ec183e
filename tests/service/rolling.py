"""What stands around two processes of the service: who sends them requests, who asks, and where messages arrive."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import attrs
import httpx

_LOOKED_AT_EVERY_S = 0.2


@attrs.define(eq=False)
class Balancer:
    """Leads each new connection to one of the processes that say they are ready; those that stand are left alone."""

    ports: Sequence[int]
    ready: set[int] = attrs.field(factory=set)
    led: Counter[int] = attrs.field(factory=Counter)
    joined: Counter[int] = attrs.field(factory=Counter)
    """How many connections there are to each of them now."""
    port: int = 0
    _turn: Iterator[int] = attrs.field(factory=itertools.count)

    async def look(self) -> None:
        """Ask each process again and again whether it is ready, on connections of their own."""
        async with httpx.AsyncClient(timeout=1, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            while True:
                for port in self.ports:
                    try:
                        answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
                        is_ready = answer.status_code == httpx.codes.OK
                    except httpx.TransportError:
                        is_ready = False
                    (self.ready.add if is_ready else self.ready.discard)(port)
                await asyncio.sleep(_LOOKED_AT_EVERY_S)

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        choices = sorted(self.ready)
        if not choices:
            writer.transport.abort()
            return
        port = choices[next(self._turn) % len(choices)]
        self.led[port] += 1
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        self.joined[port] += 1
        await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))
        self.joined[port] -= 1

    async def left(self, port: int) -> None:
        """Wait until nobody is led to a process any more, nor connected with it."""
        async with asyncio.timeout(30):
            while port in self.ready or self.joined[port]:  # noqa: ASYNC110  # it looks at them by itself
                await asyncio.sleep(0.02)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


@asynccontextmanager
async def balancing(ports: Sequence[int]) -> AsyncIterator[Balancer]:
    """Run a balancer in front of *ports* until the end of the block."""
    balancer = Balancer(ports)
    server = await asyncio.start_server(balancer.lead, "127.0.0.1", 0)
    balancer.port = server.sockets[0].getsockname()[1]
    looking = asyncio.create_task(balancer.look())
    try:
        yield balancer
    finally:
        looking.cancel()
        server.close()
        await asyncio.gather(looking, return_exceptions=True)


@attrs.define(eq=False)
class Load:
    """Requests without a pause, each answer of which is written down; nothing is tried again."""

    url: str
    headers: dict[str, str]
    answers: Counter[str] = attrs.field(factory=Counter)
    failures: list[str] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)

    async def run(self, stopping: asyncio.Event, pause_s: float) -> None:
        """Register, read, change and read again on one connection, until *stopping* is set."""
        async with httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=10) as client:
            while not stopping.is_set():
                number = next(self._numbers)
                somebody = {
                    "firstName": "Ada",
                    "lastName": f"L{number}",
                    "email": f"load{number}@example.com",
                    "timezone": "UTC",
                }
                place = await self._ask(client, "POST", "/users", 201, json=somebody)
                if place is not None:
                    user = place.headers["location"]
                    await self._ask(client, "GET", user, 200)
                    await self._ask(client, "PATCH", user, 200, json={"firstName": "Grace"})
                    told = await self._ask(client, "GET", user, 200)
                    if told is not None and told.json()["firstName"] != "Grace":
                        self.failures.append("a write was not read")
                await asyncio.sleep(pause_s)

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, status: int, *, json: object = None
    ) -> httpx.Response | None:
        try:
            answer = await client.request(method, path, json=json)
        except httpx.TransportError as error:
            self.failures.append(f"{method}: {type(error).__name__}")
            return None
        if answer.status_code != status:
            self.failures.append(f"{method}: {answer.status_code} {answer.text}")
            return None
        self.answers[method] += 1
        return answer
