"""A webhook, or a name, that is to let the service reach a machine it should not."""

from collections.abc import Sequence

import pytest

from adapters.delivery.guarded_network import is_public
from application.deliveries import Sent
from entrypoints.channel_settings import webhook_url
from tests.attacks.tried import tried, tried_once
from tests.contract.channel import delivery
from tests.delivery.certificates import certified
from tests.delivery.test_webhook import channel_to
from tests.delivery.web_server import web_server

pytestmark = pytest.mark.slow  # together they are

REACHED = "Reaching machines through a webhook"

ADDRESSES = {
    "this machine (127.0.0.1)": "127.0.0.1",
    "this machine (127.1.2.3)": "127.1.2.3",
    "this machine (0.0.0.0)": "0.0.0.0",  # noqa: S104  # nothing listens on it
    "this machine (::1)": "::1",
    "this machine in IPv6's clothes (::ffff:127.0.0.1)": "::ffff:127.0.0.1",
    "this machine in NAT64's (64:ff9b::7f00:1)": "64:ff9b::7f00:1",
    "this machine in 6to4's (2002:7f00:1::)": "2002:7f00:1::",
    "this machine in Teredo's": "2001:0:0:0:0:0:f5ff:fffe",
    "a cloud's metadata (169.254.169.254)": "169.254.169.254",
    "a cloud's metadata in IPv6's clothes": "::ffff:169.254.169.254",
    "a cloud's metadata over IPv6 (fd00:ec2::254)": "fd00:ec2::254",
    "the office's network (10.0.0.1)": "10.0.0.1",
    "the office's network (192.168.1.1)": "192.168.1.1",
    "the office's network (172.16.0.1)": "172.16.0.1",
    "a carrier's network (100.64.0.1)": "100.64.0.1",
    "a neighbour (fe80::1%eth0)": "fe80::1%eth0",
    "everybody (224.0.0.1)": "224.0.0.1",
    "everybody here (255.255.255.255)": "255.255.255.255",
}


@tried(
    REACHED,
    {f"a name that leads to {name}: not connected to": address for name, address in ADDRESSES.items()},
)
async def test_a_name_leads_into_no_network_of_ours(attempt: str) -> None:
    assert not is_public(attempt)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return [attempt]

    async with web_server(certified("hooks.example")) as inbox:
        channel = channel_to(f"https://hooks.example:{inbox.port}/", resolve=resolve, allows_private=False)
        [outcome] = await channel.send_many([delivery()])
        await channel.close()
    assert not isinstance(outcome, Sent)
    assert (inbox.connections, inbox.posts) == (0, [])


@tried_once(REACHED, "a name that leads elsewhere the second time (DNS rebinding): there is no second time")
async def test_a_name_is_asked_once_for_a_connection() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with web_server(certified("hooks.example")) as inbox:
        channel = channel_to(f"https://hooks.example:{inbox.port}/", connections=1, resolve=resolve)
        assert await channel.send_many([delivery() for _ in range(3)]) == [Sent()] * 3
        await channel.close()
    assert len(asked) == 1


@tried_once(REACHED, "a name that leads to two machines of ours: neither is tried")
async def test_of_several_addresses_the_private_ones_are_left_out() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1", "::1"]

    async with web_server(certified("hooks.example")) as inbox:
        channel = channel_to(f"https://hooks.example:{inbox.port}/", resolve=resolve, allows_private=False)
        await channel.send_many([delivery()])
        await channel.close()
    assert inbox.connections == 0


@tried_once(REACHED, "a redirect to a machine of ours: not followed")
async def test_a_redirect_leads_nowhere() -> None:
    async with web_server(certified("localhost")) as inner, web_server(certified("localhost")) as inbox:
        inbox.say(307, location=inner.url)
        channel = channel_to(inbox.url)
        [outcome] = await channel.send_many([delivery()])
        await channel.close()
        assert not isinstance(outcome, Sent)
        assert inner.connections == 0


SCHEMES = (
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://example.com/",
    "http://example.com/",
    "https://user:password@example.com/",
    "https://example.com/#x",
    "https:///path",
    "https://exam ple.com/",
    "https://example.com/\r\nX: y",
    "https://ex\u00e4mple.com/",
)


@tried(REACHED, {f"`{url!r}` for a webhook: not a setting".replace("'", ""): url for url in SCHEMES})
def test_a_webhook_is_an_address_of_https(attempt: str) -> None:
    with pytest.raises(ValueError, match=r"https|does not belong"):
        webhook_url(attempt, allows_plain=False)
