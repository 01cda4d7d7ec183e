"""Real files imported as people do it, and what came of it: every count, and every refusal."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from click.testing import CliRunner

from application.imports import TOLD_MAX
from entrypoints.cli.main import main
from tests.real_files.files import RealFile, real_files
from tests.service.running import RunningService, environment

LINES_MAX = 40
"""How many lines are listed that were left out for one reason."""
UNLIMITED = "import=100000"
"""The limit of imports per minute for who reads a whole folder."""
_COUNTS = ("created", "updated", "unchanged", "failed", "warned")


@attrs.frozen
class Outcome:
    """What an import of *file* came to: a report, or the sentence with which the whole was refused."""

    file: RealFile
    report: Mapping[str, Any]
    refusal: str = ""

    def count(self, name: str) -> int:
        return int(self.report.get(name, 0))


def import_all(folder: Path, service: RunningService, work: Path) -> Sequence[Outcome]:
    """Import each file into the *service*, twice, and take it back; *work* is for the copies."""
    return [_imported(file, folder, service, work) for file in real_files(folder)]


def _imported(file: RealFile, folder: Path, service: RunningService, work: Path) -> Outcome:
    undone = [] if file.over is None else [_known(folder / file.over, service)]
    copy = work / Path(file.path).name
    copy.write_bytes(file.content(folder))
    command = ("import", str(copy), *file.options, "--json")
    code, text = _called(service, *command, "--dry-run")
    if code == 1:
        return Outcome(file, {}, text.partition("Error: ")[2].strip())
    tried = json.loads(text)
    report, again = (json.loads(_called(service, *command)[1]) for _ in range(2))
    counts = [report[name] for name in _COUNTS]
    good = report["rows"] - report["failed"]
    assert code == (3 if report["failed"] else 0), file.path
    assert counts == [tried[name] for name in _COUNTS], f"{file.path}: the dry run said something else"
    assert sum(counts[:3]) == good, f"{file.path}: somebody is missing"
    assert [again[name] for name in _COUNTS] == [0, 0, good, *counts[3:]], f"{file.path}: it changed twice"
    undone.append((report["importId"], report["created"] + report["updated"]))
    for import_id, number in reversed(undone):
        code, text = _called(service, "undo", import_id)
        assert (code, text.split()[0]) == (0, f"{number:,}"), text
    return Outcome(file, report)


def _known(file: Path, service: RunningService) -> tuple[str, int]:
    """Let the people of *file* be there; return what takes them back, and how many they are."""
    report = json.loads(_called(service, "import", str(file), "--json")[1])
    return str(report["importId"]), int(report["created"])


def _called(service: RunningService, *arguments: str) -> tuple[int, str]:
    """Call birthdays in this process: most of the time of one of its own is imports."""
    settings = environment(service.folder, service.port)
    done = CliRunner().invoke(main, arguments, env=settings, catch_exceptions=False)
    return done.exit_code, done.stdout if done.exit_code in {0, 3} else done.stderr


def listed(outcomes: Sequence[Outcome]) -> str:
    """Return the tables of docs/imports.md."""
    lines = [
        "| file | read as | said of it | rows | new | changed | the same | left out | with a warning |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [f"| {' | '.join(_line(one))} |" for one in outcomes]
    lines += ["", "| left out | line | field | why |", "|---|---|---|---|"]
    for one in outcomes:
        lines += [f"| {one.file.path} | {' | '.join(refusal)} |" for refusal in _refusals(one)]
    return "\n".join(lines) + "\n"


def _line(one: Outcome) -> Sequence[str]:
    told = one.report.get("recognised", {})
    layout = dict.fromkeys((told.get("format", "–"), told.get("layout", "–"), told.get("encoding", "–")))
    counts = [f"{one.count(name):,}" for name in ("rows", *_COUNTS)]
    return [one.file.path, ", ".join(layout), one.file.said, *counts]


def _refusals(one: Outcome) -> Iterator[tuple[str, str, str]]:
    """Yield the lines, the field and the reason of all that was left out, each reason once."""
    if one.refusal:
        yield "all", "", one.refusal

    if len(one.report.get("errors", ())) == TOLD_MAX:
        yield "more", "", f"A report lists the first {TOLD_MAX:,} problems."
    found: dict[tuple[str, str], list[str]] = {}
    for problem in one.report.get("errors", ()):
        found.setdefault((problem["field"] or "", problem["reason"]), []).append(str(problem["line"]))
    for (field, reason), lines in found.items():
        more = f" and {len(lines) - LINES_MAX:,} more" if len(lines) > LINES_MAX else ""
        yield ", ".join(lines[:LINES_MAX]) + more, field, reason
