"""Which addresses are the internet's."""

import pytest

from adapters.delivery.guarded_network import is_public


@pytest.mark.parametrize("address", ("1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "64:ff9b::101:101"))
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    (
        "0.0.0.0",  # noqa: S104  # nothing listens on it
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:0:0:0:0:0:f5ff:fffe",
        "fc00::1",
        "fd12:3456:789a::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ),
)
def test_not_public(address: str) -> None:
    assert not is_public(address)
