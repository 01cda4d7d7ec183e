"""Messages leave by HTTP, to one address of the operator's."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs
import httpcore

from adapters.delivery.batch import UNTRIED, Unreachable, send_in_turn
from adapters.delivery.guarded_network import AddressRefused, GuardedNetwork, Resolve
from adapters.delivery.webhook_answer import meaning
from adapters.delivery.webhook_request import headers, payload
from application.deliveries import Delivery, DeliveryChannel, FailedForGood, FailedForNow, Outcome
from application.texts import Text, TextUnwritable

_MESSAGES_PER_CONNECTION = 25  # in one batch
_IDLE_MAX_S = 30.0
_ANSWER_LENGTH_MAX = 65_536
_PORTS = {b"http": 80, b"https": 443}
_PRIVATE = "The webhook's host has private addresses only, and they are not allowed."


@attrs.frozen(kw_only=True)
class Receiver:
    """Where messages are posted to, and what it does with one that comes twice."""

    url: str
    secrets: Sequence[bytes] = attrs.field(repr=False)
    allows_private: bool = False
    deduplicates: bool = True


class WebhookChannel(DeliveryChannel):
    """Posts a signed message each, over connections that stay open; redirects are not followed.

    A message that was sent and never answered is in doubt.
    """

    __slots__ = (
        "_closing",
        "_connections",
        "_message_s",
        "_network",
        "_now",
        "_pool",
        "_receiver",
        "_trusted",
        "_write",
        "batch_size",
        "deduplicates",
    )

    name = "webhook"
    reaches_people = True

    def __init__(
        self,
        receiver: Receiver,
        write: Callable[[Delivery], Text],
        now: Callable[[], datetime],
        *,
        connections: int,
        message_s: float,
        trusted: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """*trusted* holds the authorities that certify the receiver; else those of the machine."""
        self._receiver = receiver
        self._write = write
        self._now = now
        self._connections = connections
        self._message_s = message_s
        self._network = GuardedNetwork(allows_private=receiver.allows_private, resolve=resolve)
        self._trusted = trusted or ssl.create_default_context()
        self._pool = self._open_pool()
        self._closing: set[asyncio.Task[None]] = set()
        self.deduplicates = receiver.deduplicates
        self.batch_size = connections * _MESSAGES_PER_CONNECTION

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return await send_in_turn(self.name, deliveries, [self._send] * self._connections, self._message_s)

    async def trouble(self) -> str | None:
        url = httpcore.URL(self._receiver.url)
        try:
            async with asyncio.timeout(self._message_s):
                # As far as the connection: a signed request is a message.
                stream = await self._network.connect_tcp(
                    url.host.decode("ascii"), url.port or _PORTS[url.scheme]
                )
        except AddressRefused:
            return _PRIVATE
        except (httpcore.NetworkError, httpcore.TimeoutException, TimeoutError) as error:
            return _away(error)
        await stream.aclose()
        return None

    async def close(self) -> None:
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._pool.aclose()

    def _open_pool(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._trusted,
            max_connections=self._connections,
            keepalive_expiry=_IDLE_MAX_S,
            network_backend=self._network,
        )

    def _leave(self, pool: httpcore.AsyncConnectionPool) -> None:
        """Go on with another pool.

        A request that is cancelled just as it is given a connection leaves that behind, neither connected nor free;
        with as many of them as there may be connections, nobody ever gets one again.
        """
        if pool is not self._pool:
            return
        self._pool = self._open_pool()
        closing = asyncio.create_task(_close_later(pool, self._message_s))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _send(self, delivery: Delivery, within_s: float) -> Outcome:
        try:
            body = payload(delivery, self._write(delivery))
        except TextUnwritable as error:
            return FailedForGood(type(error).__doc__ or "")
        attempt, pool = _Attempt(), self._pool
        told = headers(str(delivery.key), body, self._receiver.secrets, self._now())
        try:
            async with (
                asyncio.timeout(within_s),
                pool.stream(
                    "POST",
                    self._receiver.url,
                    headers=list(told.items()),
                    content=body,
                    extensions={"trace": attempt.trace},
                ) as answer,
            ):
                attempt.status = answer.status
                attempt.headers = {
                    name.decode("ascii", "replace").lower(): value.decode("ascii", "replace")
                    for name, value in answer.headers
                }
                await _read_to_end(answer)
        except AddressRefused as error:
            raise Unreachable(_PRIVATE) from error
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            TimeoutError,
        ) as error:
            if isinstance(error, TimeoutError) and not attempt.has_connection:
                self._leave(pool)
                return UNTRIED
            if not attempt.has_begun:
                raise Unreachable(_away(error)) from error
            if attempt.status is None:
                said = f"The webhook did not answer ({type(error).__name__})."
                return FailedForNow(said, may_have_arrived=True)
        return meaning(attempt.status or 0, attempt.headers, self._now())


@attrs.define
class _Attempt:
    """How far a request has come.

    Without *has_connection* it waits for a connection of ours: other batches have them all, or this process was
    stopped. That tells nothing of the far side.
    """

    has_connection: bool = False
    has_begun: bool = False
    status: int | None = None
    headers: dict[str, str] = attrs.field(factory=dict)

    async def trace(self, event: str, _about: dict[str, Any]) -> None:
        """Be told by httpcore what it does."""
        self.has_connection = True
        if event == "http11.send_request_headers.started":
            self.has_begun = True


def _away(error: Exception) -> str:
    """Say what is the matter, by the class of what httpcore has wrapped: a certificate, a refusal."""
    # Its pool takes the cause off what it raises, and leaves it in the arguments.
    wrapped = error.args[0] if error.args else None
    cause = wrapped if isinstance(wrapped, BaseException) else error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"The webhook cannot be reached ({type(cause).__name__})."


async def _close_later(pool: httpcore.AsyncConnectionPool, after_s: float) -> None:
    """Close it when whatever was sent by it has ended."""
    try:
        await asyncio.sleep(after_s)
    finally:
        await pool.aclose()


async def _read_to_end(answer: httpcore.Response) -> None:
    """Read what the connection must be rid of to be used again; one that tells a novel is closed."""
    length = 0
    async for part in answer.aiter_stream():
        length += len(part)
        if length > _ANSWER_LENGTH_MAX:
            return
