"""An authority that certifies the servers of the tests, and one that nobody knows."""

import ssl
from functools import cache

import trustme


@cache
def authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=f"Tests, {name}")


@cache
def trusting(name: str = "known") -> ssl.SSLContext:
    """Return what a client trusts: this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority(name).configure_trust(context)
    return context


@cache
def certified(host: str, name: str = "known") -> ssl.SSLContext:
    """Return what a server shows: a certificate for *host*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority(name).issue_cert(host).configure_cert(context)
    return context
