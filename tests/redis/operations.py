"""Every operation of the cache's port, once."""

from collections.abc import Awaitable, Callable, Mapping

from application.cache_ports import CachePort, Entry
from tests.contract.cache import HERE, KEY

ENTRY = Entry(1, b"x")

OPERATIONS: Mapping[str, Callable[[CachePort], Awaitable[object]]] = {
    "get": lambda cache: cache.get("k"),
    "get_many": lambda cache: cache.get_many(["k", "l"]),
    "set": lambda cache: cache.set("k", b"1"),
    "set_many": lambda cache: cache.set_many([("k", b"1", None), ("l", b"1", 1.0)]),
    "delete": lambda cache: cache.delete("k"),
    "delete_prefix": lambda cache: cache.delete_prefix("k", limit=1),
    "figures": lambda cache: cache.figures(),
    "look": lambda cache: cache.look(HERE, KEY),
    "follow": lambda cache: cache.follow(HERE, KEY, "user:v1:"),
    "take_lease": lambda cache: cache.take_lease(HERE, KEY, "a", lease_s=1),
    "fill": lambda cache: cache.fill(HERE, KEY, "a", ENTRY, ttl_s=1),
    "invalidate": lambda cache: cache.invalidate([(HERE, KEY)]),
    "sweep": lambda cache: cache.sweep(HERE, base=1, batch=2, keys=[(KEY, 0)]),
    "begin": lambda cache: cache.begin(HERE, 1),
}
"""All but is_healthy, which never raises."""
