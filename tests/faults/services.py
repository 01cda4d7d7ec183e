"""The services that can be judged: ours, and the peers' usual ways to cache."""

import sys
from collections.abc import Mapping

from tests.faults.cluster import OURS, Service

_PEERS = {
    "plain": "cache aside by hand, on redis-py",
    "litestar": "Litestar's response cache",
    "cashews": "FastAPI and cashews",
    "aiocache": "FastAPI and aiocache",
}

SERVICES: Mapping[str, Service] = {
    "ours": OURS,
    **{name: Service(name, (sys.executable, "-m", f"tests.faults.peers.{name}_peer")) for name in _PEERS},
}
