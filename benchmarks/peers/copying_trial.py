"""The service with copies in its process: what they could add at most, not how they would be kept right.

A look is remembered for a second, which is how long the lease of a process on the cache lasts. Nothing tells it
of what is written meanwhile, as the server's invalidation push would have to: with that it can only be slower.
"""

import asyncio
import time
from collections import OrderedDict
from functools import partial

from adapters.redis.joining import Answer, JoinedLooks
from application.cache_ports import Entry, Look, Place
from entrypoints.cli.main import main

_KEPT_S = 1.0
_COPIES_MAX = 20_000
_copies: OrderedDict[tuple[Place, str], tuple[Look, float]] = OrderedDict()
_look_there = JoinedLooks.look


def _look(self: JoinedLooks, place: Place, key: str) -> Answer:
    copy = _copies.get((place, key))
    if copy is not None and time.monotonic() < copy[1]:
        self.hits += 1
        known: Answer = asyncio.get_running_loop().create_future()
        known.set_result(copy[0])
        return known
    looking = _look_there(self, place, key)
    looking.add_done_callback(partial(_remember, place, key))
    return looking


def _remember(place: Place, key: str, looking: Answer) -> None:
    if looking.exception() is None and isinstance(looking.result().held, Entry):
        _copies[place, key] = looking.result(), time.monotonic() + _KEPT_S
        if len(_copies) > _COPIES_MAX:
            _copies.popitem(last=False)


if __name__ == "__main__":
    JoinedLooks.look = _look  # type: ignore[method-assign]  # a trial of what could stand there
    main()
