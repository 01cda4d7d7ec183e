"""The real files: which there are, and what has to be said of each to import it."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.architecture.sources import PROJECT

FOLDER = Path(os.environ.get("REAL_FILES") or PROJECT.parent / "shared" / "data")

_ZONE = ("--timezone", "America/New_York")
_AS_WORK = "--anniversaries-are-work"


@attrs.frozen
class RealFile:
    """A file below the folder, and the options that its people need.

    Of a file that has no addresses, each row gets one made of the column *made_of*. One that has no names is
    imported *over* another file's people.
    """

    path: str
    options: Sequence[str] = ()
    made_of: str | None = None
    over: str | None = None

    @property
    def said(self) -> str:
        """Return the options as somebody types them."""
        parts = [] if self.made_of is None else [f"addresses made of {self.made_of}"]
        parts += [] if self.over is None else [f"over those of {self.over}"]
        return ", ".join([*parts, *([f"`{' '.join(self.options)}`"] if self.options else [])])

    def content(self, folder: Path) -> bytes:
        data = (folder / self.path).read_bytes()
        return data if self.made_of is None else _with_addresses(data, self.made_of)


def _with_addresses(data: bytes, column: str) -> bytes:
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    place = header.index(column)
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow([*header, "email"])
    writer.writerows([*row, f"{row[place].lower()}@example.com" if row[place] else ""] for row in rows)
    return written.getvalue().encode()


TABLES = (
    RealFile("people-current.csv"),
    RealFile("people-edge.csv"),
    RealFile("leap-day-people.csv", _ZONE, "external_id"),
    RealFile("congress-legislators/legislators-current.csv", _ZONE, "bioguide_id"),
    RealFile("congress-legislators/legislators-historical.csv", _ZONE, "bioguide_id"),
    RealFile("csv-headers/google-new.csv", (*_ZONE, _AS_WORK)),
    RealFile("csv-headers/google-old.csv", (*_ZONE, _AS_WORK)),
    RealFile("csv-headers/outlook-classic.csv", (*_ZONE, "--date-order", "month-first", _AS_WORK)),
    RealFile("csv-headers/outlook-com.csv", (*_ZONE, "--date-order", "month-first", _AS_WORK)),
    RealFile("csv-headers/confetti.csv", over="people-edge.csv"),
    RealFile("csv-headers/excel-de-semicolon.csv"),
    RealFile("csv-headers/canonical-with-errors.csv"),
)
NO_PEOPLE = ("README.md", "bday-vectors.csv", "timezones-edge.csv")
"""What lies there and is no file of people; the two tables are tests of their own."""


def real_files(folder: Path) -> Sequence[RealFile]:
    """Return the tables and whatever cards and other files lie in *folder*, which may be another one than ours."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    known = {file.path for file in TABLES}
    others = [path for path in found if path not in {*known, *NO_PEOPLE} and not path.endswith("LICENSE")]
    return [*(file for file in TABLES if file.path in found), *(RealFile(path, _ZONE) for path in others)]
