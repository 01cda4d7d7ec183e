"""The list of what was tried, as the documentation has it."""

from pathlib import Path

from tests.attacks.tried import everything_tried, listed, total

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
LEAST = 60


def test_the_list_in_the_documentation_is_the_one_that_is_tried() -> None:
    """It is made by python -m tests.attacks."""
    assert listed() in DOCUMENT.read_text(encoding="utf-8")


def test_many_were_tried_of_many_classes() -> None:
    found = everything_tried()
    number = total(list(found.values()))
    assert number >= LEAST
    assert all(found.values())
    assert f"{number} attacks of {len(found)} classes" in DOCUMENT.read_text(encoding="utf-8")
