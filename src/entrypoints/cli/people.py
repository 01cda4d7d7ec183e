"""The commands about a file of people: import it, or see what it would bring."""

import csv
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from application.people_file import NotAPeopleFile, RowProblem, read_people
from application.simulation import simulate
from domain.due import SendPolicy
from domain.occasion import LeapDayRule
from domain.plan import Owed
from entrypoints.cli.keys import local_headers
from entrypoints.cli.options import (
    SOME_LEFT_OUT,
    DateOption,
    one_sentence,
    ordered,
    settings,
    utc,
    write_json,
)

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
@click.option("--timezone", help="The time zone of rows that name none.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of CSV.")
@one_sentence(NotAPeopleFile)
def simulate_people(
    file: Path, first: date, last: date, leap_day_rule: str, timezone: str | None, *, as_json: bool
) -> None:
    """Print every message that the people of FILE (CSV) would get, in the order in which they go out.

    Needs no database and changes nothing. The columns are email, kind, occasion_date (local), due_at (UTC)
    and years (empty where the first year is not known).
    """
    ordered(first, last)
    policy = SendPolicy(leap_day_rule=LeapDayRule(leap_day_rule))
    simulation = simulate(read_people(file.read_bytes(), default_timezone=timezone), policy, first, last)
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


def _tell_problems(problems: Any) -> None:
    for problem in problems:
        _tell_problem(problem)
    if problems:
        sys.exit(SOME_LEFT_OUT)


def _tell_problem(problem: RowProblem) -> None:
    field = "" if problem.field is None else f"{problem.field}: "
    click.echo(f"line {problem.line}: {field}{problem.reason}", err=True)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@click.option("--timezone", help="The time zone of rows that name none.")
@click.option("--url", help="The running service; by default the one of this machine's settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_people(file: Path, timezone: str | None, url: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Put the people of FILE (CSV, UTF-8, a header line) into the running service.

    A person is known by the e-mail address: new ones are registered, known ones changed where a cell says
    something new. Bad rows are told with line and reason and left out, the others kept. Running it twice
    changes nothing.
    """
    chosen = settings()
    base = url or f"http://127.0.0.1:{chosen.port}"
    parameters = {"dryRun": "true" if dry_run else "false"}
    if timezone is not None:
        parameters["defaultTimezone"] = timezone
    try:
        report = _upload(base, file.read_bytes(), parameters, local_headers(chosen, is_local=url is None))
    except httpx.InvalidURL:
        raise click.BadParameter("write it as http://127.0.0.1:8000.", param_hint="--url") from None
    except httpx.TransportError as error:
        raise click.ClickException(
            f"No service answers at {base} ({type(error).__name__}). Start it with 'birthdays serve', or name it "
            "with --url."
        ) from None
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for problem in report["errors"]:
            _tell_problem(RowProblem(**problem))
        would = " would be" if dry_run else ""
        click.echo(
            f"{report['rows']} rows:{would} {report['created']} created, {report['updated']} updated, "
            f"{report['unchanged']} unchanged, {report['failed']} left out"
        )
    if report["failed"]:
        sys.exit(SOME_LEFT_OUT)


def _upload(base: str, data: bytes, parameters: dict[str, str], who: dict[str, str]) -> dict[str, Any]:
    """Send the file and follow the service's progress; return its report."""
    headers = {"Content-Type": "text/csv; charset=utf-8", "Accept": "application/x-ndjson", **who}
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
    console = Console(stderr=True)
    report: dict[str, Any] = {}
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        httpx.stream(
            "POST", f"{base}/users/import", content=data, headers=headers, params=parameters, timeout=60
        ) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            answer.read()
            raise click.ClickException(_problem(answer))
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


def _problem(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        texts = [problem.get("detail") or problem["title"]]
        texts += [f"{one['field']}: {one['detail']}" for one in problem.get("errors", ())]
        return " ".join(texts)
    except (ValueError, KeyError, AttributeError):
        return f"The service answered {answer.status_code}; is it the birthday service that runs there?"
