"""Every part of the benchmarks has its line in docs/benchmarks/README.md, and every line its part."""

import re

from benchmarks.__main__ import PARTS

from tests.architecture.sources import PROJECT


def test_each_part_is_listed_with_its_page() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \|.*\| `(\w+)\.md` \|$",
        (PROJECT / "docs/benchmarks/README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [line[0] for line in listed] == list(PARTS)
    assert all(part == page for part, page in listed)
