"""What is said of an audit: well only if everything was looked up and nothing found."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.audit.__main__ import NOT_FOUND_OUT, NOTHING_KNOWN, VULNERABLE, audit

GOOD: dict[str, Any] = {"name": "attrs", "version": "26.1.0", "vulns": []}
BAD: dict[str, Any] = {**GOOD, "vulns": [{"id": "PYSEC-2027-1", "fix_versions": ["26.1.1"]}]}
UNKNOWN: dict[str, Any] = {"name": "attrs", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("told", "code", "words"),
    (
        (
            {"dependencies": [GOOD, GOOD]},
            NOTHING_KNOWN,
            "2 of 2 dependencies were audited.\nNo vulnerability",
        ),
        ({"dependencies": [GOOD, BAD]}, VULNERABLE, "attrs 26.1.0: PYSEC-2027-1, mended in 26.1.1"),
        ({"dependencies": [BAD, UNKNOWN]}, VULNERABLE, "1 of 2 dependencies were audited."),
        ({"dependencies": [GOOD, UNKNOWN]}, NOT_FOUND_OUT, "1 of 2 dependencies were audited."),
        ({"dependencies": []}, NOT_FOUND_OUT, "0 of 0"),
        (None, NOT_FOUND_OUT, "Nothing was audited"),
    ),
)
def test_an_audit_is_well_only_if_it_took_place(
    tmp_path: Path, told: dict[str, Any] | None, code: int, words: str
) -> None:
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{'' if told is None else json.dumps(told)}\nEND\n")
    program.chmod(0o700)
    assert audit(str(program), tmp_path / "requirements.txt")[0] == code
    assert words in audit(str(program), tmp_path / "requirements.txt")[1]
