"""Look the pinned dependencies up in the database of known vulnerabilities: python -m tests.audit PIP-AUDIT FILE.

pip-audit calls it well when it could not find out anything; here that is a failure of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

NOTHING_KNOWN, VULNERABLE, NOT_FOUND_OUT = 0, 1, 2


def audit(program: str, requirements: Path) -> tuple[int, str]:
    """Return the exit code and what to say."""
    ran = subprocess.run(
        [
            program,
            "--requirement",
            requirements,
            "--require-hashes",
            "--disable-pip",
            "--format",
            "json",
            "--progress-spinner",
            "off",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        return NOT_FOUND_OUT, "Nothing was audited: the database of vulnerabilities cannot be reached.\n"
    vulnerable = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no release'}\n"
        for one in found
        for flaw in one.get("vulns", ())
    ]
    unknown = [one["name"] for one in found if "skip_reason" in one]
    text = "".join(vulnerable) + f"{len(found) - len(unknown)} of {len(found)} dependencies were audited.\n"
    if vulnerable:
        return VULNERABLE, text
    if unknown or not found:
        return NOT_FOUND_OUT, f"{text}The database does not answer for the others, or is not the real one.\n"
    return NOTHING_KNOWN, f"{text}No vulnerability is known.\n"


if __name__ == "__main__":
    code, said = audit(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.write(said)
    sys.exit(code)
