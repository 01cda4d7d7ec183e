"""A connection for what is asked most: commands leave at once, and their answers come back in the same order.

The client takes a connection out of its pool for each command, asks it whether it still leads anywhere, and has a
stream and a few tasks' worth of waiting between the socket and who asks. That costs three times the command.
"""

import asyncio
from collections import deque
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

from adapters.redis.client import Client

Argument = bytes | str | int


class Wires:
    """The wire to a server, opened when it is first needed, and anew when it is broken or late.

    It knows ``execute_command`` of a *client*; a Cluster's is asked itself, which knows whom to ask.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wire: _Wire | None = None
        self._opening = asyncio.Lock()

    async def execute_command(self, *command: Argument) -> Any:
        """Return the answer. Raises whatever the client would, or ConnectionError."""
        if not isinstance(self._client, Redis):
            return await self._client.execute_command(*command)
        wire = self._wire
        if wire is None or not wire.is_good:
            wire = await self._opened(self._client)
        return await wire.ask(command)

    async def aclose(self) -> None:
        """End the connection, and whatever waits for it."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
            await asyncio.sleep(0)  # the event loop closes the socket in its next turn

    async def _opened(self, client: Redis) -> "_Wire":
        async with self._opening:
            if self._wire is not None:
                if self._wire.is_good:
                    return self._wire
                self._wire.retire()
            self._wire = None
            connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py says no types here
            try:
                await connection.connect()
                self._wire = _Wire(connection)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            return self._wire


class _Wire(asyncio.Protocol):
    """One connection, which redis-py has made: it knows of TLS, passwords and databases."""

    def __init__(self, connection: AbstractConnection) -> None:
        writer = connection._writer  # noqa: SLF001  # there is no other way to go on with what redis-py has connected
        if writer is None:
            raise ConnectionError
        self._writer = writer  # or it would close the transport when it is collected
        connection._reader = connection._writer = None  # noqa: SLF001  # the same: it is not the connection's any more
        self._transport = writer.transport
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._reader = hiredis.Reader(replyError=_error_of)
        self._is_retired = False
        self._transport.set_protocol(self)
        if self._transport.is_closing():
            raise ConnectionError

    @property
    def is_good(self) -> bool:
        """Whether it leads to the server, and nobody has waited for its next answer in vain."""
        return not self._transport.is_closing() and not (self._waiting and self._waiting[0].cancelled())

    def ask(self, command: tuple[Argument, ...]) -> "asyncio.Future[Any]":
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]  # it takes any number
        return answer

    def retire(self) -> None:
        """Ask nothing more of it; it ends when nobody waits for it any more."""
        self._is_retired = True
        if all(answer.done() for answer in self._waiting):
            self.close()

    def close(self) -> None:
        self._transport.abort()
        self._fail(ConnectionError())

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._answer(reply)
        except hiredis.ProtocolError as error:
            self._transport.abort()
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError())

    def _answer(self, reply: Any) -> None:
        if not self._waiting:
            self.close()  # an answer to nothing: whose would the next one be?
            return
        answer = self._waiting.popleft()
        if not answer.done():
            if isinstance(reply, ResponseError):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)
        if self._is_retired:
            self.retire()

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(error)


def _error_of(text: str) -> ResponseError:
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ResponseError(text)
