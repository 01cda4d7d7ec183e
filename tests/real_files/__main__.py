"""Import real files and print what came of it, as docs/imports.md has it: python -m tests.real_files [folder]."""

import sys
import tempfile
from pathlib import Path

from tests.real_files.files import FOLDER
from tests.real_files.importing import UNLIMITED, import_all, listed
from tests.service.running import running


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not folder.is_dir():
        sys.exit(f"There is no folder {folder}: name the one with the files.")
    with (
        tempfile.TemporaryDirectory(prefix="birthdays-files-") as work,
        running(Path(work) / "var", BIRTHDAYS_LIMITS=UNLIMITED) as service,
    ):
        sys.stdout.write(listed(import_all(folder, service, Path(work))))


if __name__ == "__main__":
    main()
