"""The key of this machine's own command line: a file that its owner alone can read."""

import os
from contextlib import suppress
from pathlib import Path

_FILE = "local.key"


def read_local_key(folder: Path) -> str | None:
    """Return the key that a service on this data folder left for us; None where there is none for our eyes."""
    try:
        return (folder / _FILE).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def write_local_key(folder: Path, text: str) -> Path:
    """Put the key where ``read_local_key`` finds it, and return where; nobody else can read it at any time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f"{_FILE}.new"
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    return draft.replace(folder / _FILE)
