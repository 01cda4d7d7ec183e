"""The search itself: it finds all there is, by a shortest way, and never stops before."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.explorer import TooManyStates, explore, labels

Jugs = tuple[int, int]
BOTH_EMPTY: Jugs = (0, 0)


def pour(jugs: Jugs) -> Sequence[tuple[str, Jugs]]:
    """A jug of three litres and one of five, a tap and a sink."""
    small, large = jugs
    to_large, to_small = min(small, 5 - large), min(large, 3 - small)
    return [
        ("fill small", (3, large)),
        ("fill large", (small, 5)),
        ("empty small", (0, large)),
        ("empty large", (small, 0)),
        ("small to large", (small - to_large, large + to_large)),
        ("large to small", (small + to_small, large - to_small)),
    ]


def holding(litres: int) -> Callable[[Jugs], str | None]:
    return lambda jugs: f"{litres} litres" if litres in jugs else None


def test_every_state_is_found_once() -> None:
    report = explore(BOTH_EMPTY, pour, holding(6), states_max=100)
    assert (report.states, report.transitions, report.depth) == (16, 96, 7)
    assert report.violation is None


def test_the_way_to_what_is_wrong_is_a_shortest_one() -> None:
    report = explore(BOTH_EMPTY, pour, holding(4), states_max=100)
    assert (report.violation, report.length) == ("4 litres", 6)
    assert labels(BOTH_EMPTY, report.path, pour, lambda jugs: jugs) == [
        "fill large",
        "large to small",
        "empty small",
        "large to small",
        "fill large",
        "large to small",
    ]


def test_the_first_state_can_be_wrong() -> None:
    report = explore(BOTH_EMPTY, pour, holding(0), states_max=100)
    assert (report.path, report.length, report.states) == ([BOTH_EMPTY], 0, 1)


def test_a_search_that_was_given_up_proves_nothing() -> None:
    with pytest.raises(TooManyStates):
        explore(BOTH_EMPTY, pour, holding(6), states_max=10)


EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


@given(edges=EDGES, wanted=st.integers(1, 9))
def test_a_planted_violation_is_found_at_its_distance(edges: list[tuple[int, int]], wanted: int) -> None:
    """Compared with distances that are found by relaxing every edge again and again."""
    far = 99
    distances = {0: 0}
    for _ in range(10):
        for start, end in edges:
            distances[end] = min(distances.get(end, far), distances.get(start, far) + 1)
    report = explore(
        0,
        lambda node: [((node, end), end) for start, end in edges if start == node],
        lambda node: "planted" if node == wanted else None,
        states_max=100,
    )
    distance = distances.get(wanted, far)
    if distance >= far:
        assert report.violation is None
        assert report.states == sum(distance < far for distance in distances.values())
    else:
        assert (report.violation, report.length) == ("planted", distance)
        assert all(step in edges for step in zip(report.path, report.path[1:], strict=False))
