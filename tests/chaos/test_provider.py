"""The provider does as it is told, and its book says so."""

import os
from pathlib import Path

from tests.chaos.book import Fate, read_book
from tests.chaos.provider import STILL_S, WELL, Provider


def test_who_stands_still_takes_what_comes_and_answers_later(tmp_path: Path) -> None:
    book = os.open(tmp_path / "book", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    provider = Provider(book, seed=1, deduplicates=True, is_well=True)
    assert provider.take("first", "first") == (WELL, 0.0)
    provider.stand_still()
    whim, after_s = provider.take("second", "second")
    assert whim is WELL
    assert 0 < after_s <= STILL_S
    os.close(book)
    assert [entry.fate for entry in read_book(tmp_path / "book")] == [Fate.ACCEPTED, Fate.ACCEPTED]
