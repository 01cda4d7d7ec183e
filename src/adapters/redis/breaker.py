"""A breaker: a server that does not answer is left alone for a while, and nobody waits for it meanwhile."""

import random
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import attrs
import structlog

from application.cache_ports import CacheUnavailable
from application.observing import CacheObserver

log = structlog.get_logger()

FAILURES_IN_A_ROW = 5
LATEST = 20
"""So many outcomes are looked back at, if they all are of the last LATEST_WITHIN_S; half of them may fail."""
LATEST_WITHIN_S = 1.0
OPEN_FIRST_S = 1.0
OPEN_MAX_S = 2.0
"""Not longer: while it is open, writes cannot delete what they change, and only the sweep does, a little later."""


class State(StrEnum):
    """Whether calls are let through; in *half_open* a probe is under way, and its outcome decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@attrs.define(eq=False)
class Breaker:
    """Decides which calls are let through. A call is *admitted* and then told of, once, by one of three methods.

    While it is open the only call is now and then a *probe*, for which nobody waits.

    *draw* chooses how long it stays open: from zero to a bound that doubles each time, so that processes
    do not come back all at once.
    """

    side: str
    _observer: CacheObserver
    _monotonic: Callable[[], float]
    _draw: Callable[[float, float], float] = random.uniform
    state: State = attrs.field(default=State.CLOSED, init=False)
    _admission: int = attrs.field(
        default=0, init=False
    )  # grows with each change: what was admitted before is over
    _failures_in_a_row: int = attrs.field(default=0, init=False)
    _latest: deque[tuple[float, bool]] = attrs.field(factory=lambda: deque(maxlen=LATEST), init=False)
    _openings: int = attrs.field(default=0, init=False)
    _open_until: float = attrs.field(default=0.0, init=False)
    _away_since: float = attrs.field(default=0.0, init=False)

    @property
    def refuses(self) -> bool:
        """Whether a call would be refused now."""
        return self.state is not State.CLOSED

    @property
    def wants_probe(self) -> bool:
        """Whether it has been open for long enough to ask the server again."""
        return self.state is State.OPEN and self._monotonic() >= self._open_until

    def admit(self) -> int:
        """Let a call through; what is returned tells the outcome's method which. Raises CacheUnavailable."""
        if self.refuses:
            raise CacheUnavailable("breaker open")
        return self._admission

    def admit_probe(self) -> int:
        """Let a call through that decides, where the breaker *wants* it; as ``admit``."""
        if not self.wants_probe:
            raise CacheUnavailable("breaker open")
        self._change(State.HALF_OPEN)
        return self._admission

    def succeeded(self, admission: int) -> None:
        if admission != self._admission:
            return
        self._failures_in_a_row = 0
        if self.state is State.HALF_OPEN:
            self._openings = 0
            self._latest.clear()
            self._change(State.CLOSED)
            log.info("cache_available", side=self.side, away_s=round(self._monotonic() - self._away_since, 3))
        else:
            self._latest.append((self._monotonic(), True))

    def failed(self, admission: int, why: str) -> None:
        """Take note of a failure; *why* is logged and must not quote a key."""
        if admission != self._admission:
            return
        self._failures_in_a_row += 1
        now = self._monotonic()
        self._latest.append((now, False))
        if (
            self.state is State.HALF_OPEN
            or self._failures_in_a_row >= FAILURES_IN_A_ROW
            or self._half_fail(now)
        ):
            if self.state is State.CLOSED:
                self._away_since = now
                log.warning("cache_unavailable", side=self.side, error=why)
            self._open(now)

    def abandoned(self, admission: int) -> None:
        """Take note that a call was cancelled: another may be the one that decides."""
        if admission == self._admission and self.state is State.HALF_OPEN:
            self._change(State.OPEN)

    def _half_fail(self, now: float) -> bool:
        if len(self._latest) < LATEST or now - self._latest[0][0] > LATEST_WITHIN_S:
            return False
        return sum(not is_success for _, is_success in self._latest) * 2 >= LATEST

    def _open(self, now: float) -> None:
        bound_s = min(OPEN_FIRST_S * 2**self._openings, OPEN_MAX_S)
        self._openings = min(self._openings + 1, 10)
        self._failures_in_a_row = 0
        self._latest.clear()
        self._open_until = now + self._draw(0.0, bound_s)
        self._change(State.OPEN)

    def _change(self, state: State) -> None:
        self.state = state
        self._admission += 1
        self._observer.breaker_changed(self.side, state.value)
