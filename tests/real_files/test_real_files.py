"""Real files of people are imported, and the page says how many of each and what was left out."""

from pathlib import Path

import pytest

from tests.architecture.sources import PROJECT
from tests.real_files.files import TABLES, RealFile, real_files
from tests.real_files.importing import UNLIMITED, Outcome, import_all, listed
from tests.service.running import running


@pytest.mark.servers
@pytest.mark.slow
def test_every_real_file_is_imported_and_what_is_left_out_is_listed(folder: Path, tmp_path: Path) -> None:
    with running(tmp_path / "var", BIRTHDAYS_LIMITS=UNLIMITED) as service:
        outcomes = import_all(folder, service, tmp_path)
    page = (PROJECT / "docs" / "imports.md").read_text(encoding="utf-8")
    assert listed(outcomes) in page, listed(outcomes)


def test_every_table_that_is_listed_is_there_and_all_else_is_taken_for_cards(folder: Path) -> None:
    paths = [file.path for file in real_files(folder)]
    assert len(set(paths)) == len(paths)
    assert {file.path for file in TABLES} <= set(paths)
    assert sum(path.startswith("vcard/") for path in paths) == len(paths) - len(TABLES)


def test_an_address_is_made_for_those_who_have_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name\nX1,"Ada\nL."\n,Bob\n', encoding="utf-8")
    made = RealFile("a.csv", made_of="id").content(tmp_path)
    assert made == b'id,name,email\r\nX1,"Ada\nL.",x1@example.com\r\n,Bob,\r\n'


def test_the_list_names_counts_and_every_refusal() -> None:
    errors = [
        {"line": 3, "field": "email", "reason": "No."},
        {"line": 9, "field": None, "reason": "Why."},
        {"line": 7, "field": "email", "reason": "No."},
    ]
    recognised = {"format": "csv", "layout": "plain", "encoding": "utf-8"}
    report = {
        "rows": 1234,
        "created": 1200,
        "updated": 30,
        "unchanged": 1,
        "failed": 3,
        "warned": 0,
        "recognised": recognised,
        "errors": errors,
    }
    told = listed([Outcome(RealFile("a.csv", ("--x", "y")), report), Outcome(RealFile("b"), {}, "Empty.")])
    assert (
        "| a.csv | csv, plain, utf-8 | `--x y` | 1,234 | 1,200 | 30 | 1 | 3 | 0 |\n| b | – |  | 0 | 0 | 0 | 0 | 0 | 0 |\n"
        in told
    )
    assert told.endswith("| a.csv | 3, 7 | email | No. |\n| a.csv | 9 |  | Why. |\n| b | all |  | Empty. |\n")
