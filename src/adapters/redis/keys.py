"""How the cache's keys are called on the server."""

import re

import attrs

from application.cache_ports import Place


def _check(_instance: object, _attribute: object, namespace: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", namespace, re.ASCII):
        raise ValueError("A namespace has 1 to 64 letters, digits and the signs . : _ -")


@attrs.frozen
class Keys:
    """The names under a namespace. What stands in braces decides on which node of a Cluster a key lives."""

    namespace: str = attrs.field(validator=_check)

    def prefix(self, place: Place) -> bytes:
        """Return what the keys of a place begin with."""
        return b"%b:{%02d}:%d:" % (self.namespace.encode(), place.shard, place.epoch)

    def held(self, place: Place, key: str) -> bytes:
        """Return the name of a value or a lease; no *key* is called ``wm``."""
        return self.prefix(place) + key.encode()

    def watermark(self, place: Place) -> bytes:
        return self.prefix(place) + b"wm"

    def plain(self, key: str) -> bytes:
        """Return the name of a key that is under no protocol, and apart from those that are."""
        return b"%b:plain:{00}:%b" % (self.namespace.encode(), key.encode())

    def plain_pattern(self, prefix: str) -> bytes:
        """Return the pattern of SCAN for all plain keys that begin so."""
        return re.sub(rb"([\\*?\[\]^])", rb"\\\1", self.plain(prefix)) + b"*"
