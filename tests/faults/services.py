"""The services that can be judged: ours, and the usual ways to cache."""

import sys
from collections.abc import Mapping
from importlib import util

import attrs

from tests.faults.cluster import OURS, Service
from tests.faults.without import PARTS


@attrs.frozen
class Peer:
    """A small application with the same people, and what it needs beyond our own dependencies."""

    what: str
    packages: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(package for package in self.packages if util.find_spec(package) is None)


PEERS: Mapping[str, Peer] = {
    "plain": Peer("cache aside by hand: Litestar, redis-py"),
    "litestar": Peer("Litestar's response cache"),
    "cashews": Peer("FastAPI, cashews", ("fastapi", "cashews")),
    "aiocache": Peer("FastAPI, aiocache", ("fastapi", "aiocache")),
    "fastapi_cache": Peer("FastAPI, fastapi-cache2", ("fastapi", "fastapi_cache")),
}
SERVICES: Mapping[str, Service] = {
    "ours": OURS,
    **{
        f"ours-without-{part}": Service(
            f"ours without the {part}", (sys.executable, "-m", "tests.faults.without", part, "serve")
        )
        for part in PARTS
    },
    **{
        name: Service(peer.what, (sys.executable, "-m", f"benchmarks.peers.{name}_peer"))
        for name, peer in PEERS.items()
    },
}
