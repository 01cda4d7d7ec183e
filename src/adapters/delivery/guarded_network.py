"""Connections to public addresses only, to the very address that was looked at."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpcore

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host, in the order in which they are to be tried. Raises OSError."""

_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")


class AddressRefused(httpcore.ConnectError):
    """The host has private addresses only."""


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once per connection, and connects to what it resolved to or not at all.

    Whoever can choose the name of the far side, or answer for it, reaches no machine beside this one.
    """

    def __init__(self, *, allows_private: bool, resolve: Resolve | None = None) -> None:
        self._allows_private = allows_private
        self._resolve = resolve or _resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
            raise httpcore.ConnectError("The host has no address.") from error
        allowed = [one for one in addresses if self._allows_private or is_public(one)]
        if not allowed:
            raise AddressRefused
        for address in allowed[:-1]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._network.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def is_public(text: str) -> bool:
    """Tell whether an address is one of the internet's, also behind what wraps an IPv4 address."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_public(str(wrapped))
        if address not in _UNICAST:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
