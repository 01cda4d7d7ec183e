"""Fuzz everything in turn, and tell how much there was of it: python -m tests.fuzz [seconds]."""

import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.running import fuzz
from tests.fuzz.targets import TARGETS

SECONDS = 300


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    folder = Path(tempfile.mkdtemp(prefix="birthdays-fuzz-"))
    started_at = time.monotonic()
    found = [fuzz(name, max(seconds // len(TARGETS), 1), folder, seed=int(started_at)) for name in TARGETS]
    for one in found:
        result = (
            "nothing was found" if one.failure is None else f"this was found, see {folder}:\n{one.failure}"
        )
        sys.stdout.write(f"{one.target}: {one.executions:,} executions, {one.covered:,} edges; {result}\n")
    minutes = (time.monotonic() - started_at) / 60
    sys.stdout.write(f"{sum(one.executions for one in found):,} executions in {minutes:.1f} minutes\n")
    return any(one.failure is not None for one in found)


if __name__ == "__main__":
    sys.exit(main())
