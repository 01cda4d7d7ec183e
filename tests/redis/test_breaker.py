"""When the breaker opens, for how long, and what closes it; on a clock that is moved by hand."""

import attrs
import pytest
from structlog.testing import capture_logs

from adapters.redis.breaker import FAILURES_IN_A_ROW, LATEST, OPEN_MAX_S, Breaker
from application.cache_ports import CacheUnavailable
from tests.redis.observer import Heard


@attrs.define(eq=False)
class World:
    """A breaker that stays open for as long as it may."""

    now: float = 1000.0
    heard: Heard = attrs.field(factory=Heard)
    breaker: Breaker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.breaker = Breaker("reading", self.heard, lambda: self.now, draw=lambda _, longest: longest)

    def calls(self, outcomes: str) -> None:
        """Let calls end one after the other: ``+`` well, ``-`` badly."""
        for outcome in outcomes:
            admission = self.admit()
            if outcome == "+":
                self.breaker.succeeded(admission)
            else:
                self.breaker.failed(admission, "TimeoutError")

    def admit(self) -> int:
        """Let a call through, or the probe that is wanted."""
        return self.breaker.admit_probe() if self.breaker.wants_probe else self.breaker.admit()

    def is_open(self) -> bool:
        """Whether nothing is let through, not even a probe."""
        return self.breaker.refuses and not self.breaker.wants_probe

    @property
    def states(self) -> list[str]:
        return [state for _, state in self.heard.changes]


@pytest.fixture
def world() -> World:
    return World()


def test_it_opens_after_five_failures_in_a_row(world: World) -> None:
    world.calls("----+----+----")
    assert not world.is_open()
    world.calls("-")
    assert world.is_open()
    with pytest.raises(CacheUnavailable):
        world.breaker.admit()


def test_it_opens_when_half_of_the_latest_of_one_second_fail(world: World) -> None:
    world.calls("+-" * 9 + "+")
    assert not world.is_open()
    world.calls("-")
    assert world.is_open()


def test_fewer_than_half_do_not_open_it(world: World) -> None:
    world.calls("++-" * 100)
    assert not world.is_open()


def test_failures_of_more_than_a_second_do_not_open_it(world: World) -> None:
    for _ in range(LATEST):
        world.calls("+-")
        world.now += 0.12
    assert not world.is_open()


def test_an_open_breaker_lets_one_probe_through_after_a_while_and_nobody_else(world: World) -> None:
    world.calls("-" * FAILURES_IN_A_ROW)
    world.now += 0.999
    assert world.is_open()
    with pytest.raises(CacheUnavailable):
        world.breaker.admit_probe()
    world.now += 0.001
    with pytest.raises(CacheUnavailable):
        world.breaker.admit()
    admission = world.breaker.admit_probe()
    assert world.is_open()
    for admit in (world.breaker.admit, world.breaker.admit_probe):
        with pytest.raises(CacheUnavailable):
            admit()
    world.breaker.succeeded(admission)
    assert not world.is_open()
    assert world.states == ["open", "half_open", "closed"]
    world.calls("----")
    assert not world.is_open(), "what was before is forgotten"


def test_it_stays_open_for_twice_as_long_each_time_up_to_a_bound(world: World) -> None:
    world.calls("-" * FAILURES_IN_A_ROW)
    for seconds in (1, OPEN_MAX_S, OPEN_MAX_S, OPEN_MAX_S):
        world.now += seconds - 0.001
        assert world.is_open()
        world.now += 0.002
        world.calls("-")
    world.now += OPEN_MAX_S
    world.calls("+" + "-" * FAILURES_IN_A_ROW)
    world.now += 1.0
    assert not world.is_open(), "the first time again"


def test_how_long_is_drawn_anew_each_time() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(least: float, longest: float) -> float:
        drawn.append((least, longest))
        return 0.25

    now = 0.0
    breaker = Breaker("reading", Heard(), lambda: now, draw)
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed(breaker.admit(), "x")
    now = 0.2
    assert not breaker.wants_probe
    now = 0.25
    breaker.failed(breaker.admit_probe(), "x")
    assert drawn == [(0.0, 1.0), (0.0, 2.0)]


def test_a_probe_that_is_cancelled_leaves_its_place_to_another(world: World) -> None:
    world.calls("-" * FAILURES_IN_A_ROW)
    world.now += 1.0
    world.breaker.abandoned(world.breaker.admit_probe())
    assert not world.is_open()
    world.calls("+")
    assert world.states[-1] == "closed"


def test_a_call_that_is_cancelled_counts_for_nothing(world: World) -> None:
    world.calls("----")
    world.breaker.abandoned(world.breaker.admit())
    world.calls("-")
    assert world.is_open()


@pytest.mark.parametrize("outcome", ("+", "-"))
def test_who_was_let_through_before_does_not_decide(world: World, outcome: str) -> None:
    """A slow call's end tells of the past: it must neither close the breaker nor open it for longer."""
    late = [world.breaker.admit() for _ in range(3)]
    world.calls("-" * FAILURES_IN_A_ROW)
    for state in ("open", "half_open"):
        if state == "half_open":
            world.now += 1.0
            world.breaker.admit_probe()
        if outcome == "+":
            world.breaker.succeeded(late.pop())
        else:
            world.breaker.failed(late.pop(), "late")
        world.breaker.abandoned(late[0])
        assert world.states[-1] == state
    assert world.is_open()


def test_it_is_logged_once_until_it_is_over(world: World) -> None:
    with capture_logs() as lines:
        world.calls("-" * FAILURES_IN_A_ROW)
        for seconds in (1, 2, 4):
            world.now += seconds
            world.calls("-")
        world.now += 8
        world.calls("+++")
    assert lines == [
        {"event": "cache_unavailable", "log_level": "warning", "side": "reading", "error": "TimeoutError"},
        {"event": "cache_available", "log_level": "info", "side": "reading", "away_s": 15.0},
    ]
