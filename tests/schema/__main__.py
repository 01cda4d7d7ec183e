"""Ask the service whatever its document allows, at length: python -m tests.schema [examples]."""

import sys
import tempfile
import time
from pathlib import Path

from tests.schema.asking import ask

EXAMPLES = 100


def main() -> int:
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="birthdays-schema-") as folder:
        asked = ask(Path(folder), examples)
    minutes = (time.monotonic() - started_at) / 60
    sys.stdout.write(f"{asked.text}\n{asked.cases:,} requests in {minutes:.1f} minutes; ")
    sys.stdout.write("nothing was wrong\n" if asked.is_well else "see above\n")
    return 0 if asked.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
