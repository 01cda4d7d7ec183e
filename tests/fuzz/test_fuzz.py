"""The parsers under a fuzzer that is led by coverage; make fuzz looks longer."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.running import fuzz
from tests.fuzz.targets import SEEDS, TARGETS

fuzzed = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("atheris") is None, reason="atheris has no wheel for this Python or machine"
    ),
]


@pytest.mark.parametrize("target", TARGETS)
def test_what_we_begin_with_holds_together(target: str) -> None:
    for seed in SEEDS[target]:
        TARGETS[target](seed)


class TestFuzzer:
    pytestmark = fuzzed

    @pytest.mark.parametrize("target", TARGETS)
    def test_nothing_is_found(self, tmp_path: Path, target: str) -> None:
        found = fuzz(target, 3, tmp_path, seed=1)
        assert found.failure is None, found.failure
        assert found.executions > 1000
        assert found.covered > 0

    def test_a_mistake_is_found(self, tmp_path: Path) -> None:
        found = fuzz("leap_days", 20, tmp_path, seed=1, targets="tests.fuzz.broken")
        assert found.failure is not None
        assert "AssertionError" in found.failure
