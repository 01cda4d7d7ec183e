"""The route of constant_peer on another server program, in one process as well."""

import asyncio

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from benchmarks.peers.constant_peer import app
from benchmarks.peers.people import PORT

if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            Server(app, address="127.0.0.1", port=PORT, interface=Interfaces.ASGI, log_enabled=False).serve()
        )
