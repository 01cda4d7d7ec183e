"""Print the list of what is tried, as docs/security.md has it: python -m tests.attacks."""

import sys

from tests.attacks.tried import listed

if __name__ == "__main__":
    sys.stdout.write(listed())
