"""Every part of the benchmarks has its line in docs/benchmarks/README.md, and every line its part."""

import re

import pytest
from benchmarks.__main__ import PARTS
from benchmarks.scaling import Assumptions, parts_by_what_they_carry

from tests.architecture.sources import PROJECT


def test_each_part_is_listed_with_its_page() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \|.*\| \[(\w+)\.md\]\(\2\.md\) \|$",
        (PROJECT / "docs/benchmarks/README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [line[0] for line in listed] == list(PARTS)
    assert all(part == page for part, page in listed)


def test_the_part_that_gives_out_first_comes_first() -> None:
    measured = {
        "processes": {"service us, 95 / 5": 200.0, "servers us, 95 / 5": 40.0},
        "scheduler": {"smtp per s": 1000.0, "smtp postgres us": 100.0},
        "costs": {"puts per s": 1000.0},
        "growth": {
            "a person": 200.0,
            "a person's indexes": 300.0,
            "a message": 150.0,
            "a message's indexes": 100.0,
            "people": 1_000_000,
            "plan ms": 100.0,
        },
    }
    parts = parts_by_what_they_carry(Assumptions(), measured)
    carried = [part.carries for part in parts]
    assert carried == sorted(carried)
    # 5,000 requests a second, of thirty a day each; 2,000 GB of 2,000 bytes each; an hour of a tenth of a second a million.
    known = {part.name: part.carries / 1e6 for part in parts}
    assert parts[0].name == "One process, by requests"
    assert known[parts[0].name] == pytest.approx(14.4)
    assert known["The disk"] == pytest.approx(1000)
    assert known[parts[-1].name] == pytest.approx(36_000)

    measured["scheduler"]["smtp per s"] = 1.0
    slower = parts_by_what_they_carry(Assumptions(), measured)
    assert slower[0].traced == "scheduler"
