"""Far sides that refuse everybody, and repeat all that they know of whom."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence

from tests.service.canaries import QUOTED

_HEADERS = b"Connection: close\r\nX-Refused: " + QUOTED + b"\r\n"


class FarSide(socketserver.ThreadingTCPServer):
    """Counts what it has *refused*, and refuses each time in the next of its ways, the last one for ever."""

    daemon_threads = True
    refused = 0
    ways: Sequence[bytes]

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def has_refused(self, number: int) -> Callable[[], bool]:
        """Return what tells whether so many were refused."""
        return lambda: self.refused >= number

    @property
    def way(self) -> bytes:
        return self.ways[min(self.refused, len(self.ways) - 1)]


class _Far(socketserver.StreamRequestHandler):
    server: FarSide


class _Mail(_Far):
    """Refuses at the command that is the way: with 550, and where it is the greeting of a mail, for now."""

    def handle(self) -> None:
        self._say(b"220 here")
        for line in self.rfile:
            verb = line[:4].strip().upper()
            if verb == b"EHLO":
                self._say(b"250-" + QUOTED + b"\r\n250 SIZE 1000000")
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            elif self.server.way == b"421" and verb == b"MAIL":
                self._refuse(b"421 4.3.2 ")
                return
            elif self.server.way == verb:
                self._refuse(b"550 5.1.1 ")
            elif verb == b"DATA":
                self._say(b"354 go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                self._refuse(b"554 5.7.1 ")
            else:
                self._say(b"250 ok")

    def _refuse(self, code: bytes) -> None:
        self.server.refused += 1
        self._say(code + QUOTED)

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class _Web(_Far):
    """Answers with the way, and with what was sent."""

    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = self.rfile.read(length)
        way = self.server.way
        self.server.refused += 1
        self.wfile.write(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (way, _HEADERS, len(body), body))


@contextlib.contextmanager
def refusing_mail_server(*ways: bytes) -> Iterator[FarSide]:
    with _serving(_Mail, ways) as server:
        yield server


@contextlib.contextmanager
def refusing_web_server(*ways: bytes) -> Iterator[FarSide]:
    with _serving(_Web, ways) as server:
        yield server


@contextlib.contextmanager
def _serving(handler: type[_Far], ways: Sequence[bytes]) -> Iterator[FarSide]:
    with FarSide(("127.0.0.1", 0), handler) as server:
        server.ways = ways
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
