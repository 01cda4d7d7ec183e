"""The features are sentences about people and mornings, and their steps cannot pass without running."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import PROJECT
from tests.features.conftest import pytest_bdd_before_step_call

FEATURES = sorted((PROJECT / "features").glob("*.feature"))
TECHNICAL = re.compile(
    r"\b(api|cache|database|endpoint|false|get request|http\w*|id|json|key|null|post request|postgres\w*|redis|row|"
    r"schema|sql|status|table|true|url|utc|uuid)\b|[{}]|://",
    re.IGNORECASE,
)

every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: str(feature.stem))


def test_there_are_features() -> None:
    assert {feature.stem for feature in FEATURES} >= {"nine_in_the_morning", "leap_day", "once_a_year"}


@every_feature
def test_a_manager_can_read_it(feature: Path) -> None:
    assert not TECHNICAL.findall(feature.read_text(encoding="utf-8"))


@every_feature
def test_every_scenario_stands_under_a_rule_and_has_one_when(feature: Path) -> None:
    text = feature.read_text(encoding="utf-8")
    before, *rules = re.split(r"^  Rule:", text, flags=re.MULTILINE)
    assert "Scenario" not in before
    for rule in rules:
        for scenario in re.split(r"^    Scenario(?: Outline)?:", rule, flags=re.MULTILINE)[1:]:
            words = [line.split()[0] for line in scenario.splitlines()[1:] if line.strip()]
            assert words.count("Then") == 1, scenario
            assert words.count("When") <= 1, scenario


def test_no_step_is_a_coroutine() -> None:
    for file in (PROJECT / "tests" / "features").glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.AsyncFunctionDef), f"{file.name}:{node.lineno}"


def test_a_step_that_is_a_coroutine_is_refused() -> None:
    async def step() -> None:
        """Never run, so that it would pass."""

    with pytest.raises(AssertionError, match="steps are synchronous"):
        pytest_bdd_before_step_call(step_func=step)
    pytest_bdd_before_step_call(step_func=test_no_step_is_a_coroutine)
