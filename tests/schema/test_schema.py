"""The API keeps to its document, and the document says what the API does."""

from pathlib import Path

import pytest

from tests.schema.asking import ask

CASES_MIN = 500


@pytest.mark.servers
@pytest.mark.slow
def test_whatever_the_document_allows_is_served_and_all_else_refused(tmp_path: Path) -> None:
    """A short form; make schema-test asks more."""
    asked = ask(tmp_path, 3, "--seed", "1")
    assert asked.is_well, asked.text
    assert asked.cases >= CASES_MIN, asked.text
