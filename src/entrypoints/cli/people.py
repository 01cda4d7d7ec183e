"""The commands about a file of people: import it, or see what it would bring."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from application.headline import counted
from application.people_file import read_people
from application.people_rows import NotAPeopleFile, RowProblem
from application.simulation import simulate
from domain.due import SendPolicy
from domain.occasion import LeapDayRule
from domain.plan import Owed
from entrypoints.cli.options import (
    SOME_LEFT_OUT,
    DateOption,
    one_sentence,
    ordered,
    utc,
    write_json,
)
from entrypoints.cli.reading import Reading, reading_options
from entrypoints.cli.service_client import opened_client, refuse_problem

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_HEADER = ("email", "kind", "occasion_date", "due_at", "years")


@click.command("simulate")
@click.argument("file", type=_FILE)
@click.option("--from", "first", type=DateOption(), required=True, help="The first local date.")
@click.option("--to", "last", type=DateOption(), required=True, help="The last local date, included.")
@click.option(
    "--leap-day-rule",
    type=click.Choice([rule.value for rule in LeapDayRule]),
    default=LeapDayRule.FEB28.value,
    show_default=True,
    help="When a 29 February is kept in other years.",
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of CSV.")
@one_sentence(NotAPeopleFile)
def simulate_people(
    file: Path, first: date, last: date, leap_day_rule: str, reading: Reading, *, as_json: bool
) -> None:
    """Print every message that the people of FILE (CSV or vCards) would get, in the order in which they go out.

    Needs no database and changes nothing. The columns are email, kind, occasion_date (local), due_at (UTC)
    and years (empty where the first year is not known).
    """
    ordered(first, last)
    policy = SendPolicy(leap_day_rule=LeapDayRule(leap_day_rule))
    simulation = simulate(read_people(file.read_bytes(), reading.options(last)), policy, first, last)
    rows = (_row(one) for one in simulation.messages)
    if as_json:
        write_json(dict(zip(_HEADER, row, strict=True)) for row in rows)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(rows)
    sys.stdout.flush()
    _tell_problems(simulation.problems)


def _row(one: Owed) -> tuple[str, str, str, str, int | None]:
    occasion = one.occasion
    return (
        one.user.email,
        occasion.kind.value,
        occasion.on.isoformat(),
        utc(one.message.due_at),
        occasion.years,
    )


def _tell_problems(problems: Sequence[RowProblem]) -> None:
    for problem in problems:
        _tell_problem(problem)
    if not all(problem.is_warning for problem in problems):
        sys.exit(SOME_LEFT_OUT)


def _tell_problem(problem: RowProblem) -> None:
    field = "" if problem.field is None else f"{problem.field}: "
    warning = "warning: " if problem.is_warning else ""
    click.echo(f"line {problem.line}: {warning}{field}{problem.reason}", err=True)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@reading_options
@click.option("--complete", is_flag=True, help="FILE names everybody: deactivate who is not in it.")
@click.option("--confirm", type=click.IntRange(min=0), help="How many people --complete may deactivate.")
@click.option("--yes", is_flag=True, help="Do not ask; where nobody can answer, nothing is asked.")
@click.option("--url", help="The running service; by default the one of this machine's settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_people(
    file: Path,
    reading: Reading,
    confirm: int | None,
    url: str | None,
    *,
    dry_run: bool,
    complete: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put the people of FILE, CSV with a header line or vCards, into the running service.

    Encoding, delimiter and columns are recognised and told, among them the files of Google, Outlook and Excel.
    A person is known by the external id or the e-mail address: new ones are registered, known ones changed
    where a cell says something new. Bad rows are told with line and reason and left out, the others kept.
    Running it twice changes nothing, and 'birthdays undo' takes it back.

    On a terminal a dry run comes first, and then the question whether to go on.
    """
    parameters = {**reading.parameters(), "complete": "true" if complete else "false"}
    data = file.read_bytes()
    is_asked = sys.stdin.isatty() and sys.stdout.isatty() and not (yes or dry_run or as_json)
    if is_asked:
        tried = _upload(url, file, data, {**parameters, "dryRun": "true"})
        _tell(tried)
        click.confirm("Import them?", abort=True)
        confirm = tried["deactivated"] if complete and confirm is None else confirm
    parameters["dryRun"] = "true" if dry_run else "false"
    if confirm is not None:
        parameters["confirm"] = str(confirm)
    report = _upload(url, file, data, parameters)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _tell(report, with_problems=not is_asked)
    if report["failed"]:
        sys.exit(SOME_LEFT_OUT)


def _tell(report: Mapping[str, Any], *, with_problems: bool = True) -> None:
    if with_problems:
        _tell_recognised(report["recognised"], report["ignoredColumns"])
        problems = [RowProblem(**one) for one in report["errors"]]
        problems += [RowProblem(**one, is_warning=True) for one in report["warnings"]]
        for problem in sorted(problems, key=lambda one: one.line):
            _tell_problem(problem)
    would = " would be" if report["dryRun"] else ""
    deactivated = f", {report['deactivated']} deactivated" if report["deactivated"] else ""
    click.echo(
        f"{counted(report['rows'], 'row', 'rows')}:{would} {report['created']} created, {report['updated']} updated, "
        f"{report['unchanged']} unchanged{deactivated}, {report['failed']} left out"
    )
    if report["importId"] is not None and report["rows"] > report["unchanged"] + report["failed"]:
        click.echo(f"Take it back with: birthdays undo {report['importId']}", err=True)


def _tell_recognised(told: Mapping[str, Any], ignored: Sequence[str]) -> None:
    parts = [told["format"], told["layout"], told["encoding"]]
    if told["delimiter"] is not None:
        parts.append(
            {"\t": "tabs", ",": "commas", ";": "semicolons"}.get(told["delimiter"], told["delimiter"])
        )
    if told["dateOrder"] is not None:
        parts.append(f"dates {told['dateOrder']}")
    click.echo(f"read as: {', '.join(dict.fromkeys(parts))}", err=True)
    if ignored:
        click.echo(f"columns that say nothing here: {', '.join(repr(name) for name in ignored)}", err=True)


def _upload(url: str | None, file: Path, data: bytes, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Send the file and follow the service's progress; return its report."""
    media_type = "text/vcard" if file.suffix.lower() == ".vcf" else "text/csv"
    headers = {"Content-Type": media_type, "Accept": "application/x-ndjson"}
    columns = (
        TextColumn("importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    report: dict[str, Any] = {}
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        opened_client(url) as client,
        client.stream("POST", "/users/import", content=data, headers=headers, params=parameters) as answer,
    ):
        refuse_problem(answer)
        task = progress.add_task("import", total=None)
        for line in answer.iter_lines():
            report = json.loads(line)
            if "status" in report:
                raise click.ClickException(str(report.get("detail") or report["title"]))
            progress.update(task, total=report["rows"], completed=report.get("done", report["rows"]))
    if "errors" not in report:
        raise click.ClickException(
            "The service broke off in the middle; run the import again, nothing is done twice."
        )
    return report


@click.command("undo")
@click.argument("import_id", type=click.UUID)
@click.option("--url", help="The running service; by default the one of this machine's settings.")
def undo_import(import_id: UUID, url: str | None) -> None:
    """Take back what an import of the last thirty days did: its id is told when it ends.

    Who came with it is deleted, and the others are as they were, but for those who were changed since.
    """
    with opened_client(url) as client:
        answer = client.post(f"/imports/{import_id}/undo")
        refuse_problem(answer)
    report = answer.json()
    click.echo(
        f"{counted(report['undone'], 'person', 'people')} as before, {report['changedSince']} changed since and left alone, "
        f"{report['inTheWay']} whose address or id somebody else has now"
    )
