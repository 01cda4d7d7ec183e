"""The commands about the calendar and the database's schema."""

from datetime import date, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from domain.plan import Owed
from entrypoints.cli.options import FILE_WIDTH, DateOption, one_sentence, ordered, utc, write_json
from entrypoints.cli.own_service import on_service
from entrypoints.container.opening import FORESEEN, OpenService

_DAYS_MAX = 3660
_PLAN_DAYS_MAX = 400


@click.command("migrate")
@one_sentence(*FORESEEN)
def migrate_schema() -> None:
    """Bring the database's schema up to date. 'serve' does the same at its start."""

    async def look(opened: OpenService) -> OpenService:
        return opened

    opened = on_service(look)
    if opened.revision_before == opened.revision:
        click.echo(f"The schema is up to date (revision {opened.revision}).")
    else:
        click.echo(
            f"The schema went from {opened.revision_before or 'nothing'} to revision {opened.revision}."
        )


@click.command("upcoming")
@click.option(
    "--days", type=click.IntRange(1, _DAYS_MAX), default=30, show_default=True, help="How far to look ahead."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@one_sentence(*FORESEEN)
def show_upcoming(days: int, *, as_json: bool) -> None:
    """Show what goes out in the next days: when, to whom, and why then.

    Works beside a running service, on its clock, and without one.
    """
    found = on_service(lambda opened: opened.service.upcoming_messages()(days))
    rows = [_shown(one) for one in found]
    if as_json:
        write_json(rows)
        return
    table = Table("Due (UTC)", "Local date", "Time zone", "Who", "What", "Years", box=None)
    for row in rows:
        table.add_row(
            row["dueAt"],
            row["occasionDate"],
            row["timezone"],
            row["email"],
            row["kind"],
            str(row["years"] or ""),
        )
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)
    click.echo(f"{len(rows)} messages in the next {days} days")


def _shown(one: Owed) -> dict[str, Any]:
    return {
        "dueAt": utc(one.message.due_at),
        "occasionDate": one.occasion.on.isoformat(),
        "timezone": one.user.timezone,
        "email": one.user.email,
        "kind": one.occasion.kind.value,
        "years": one.occasion.years,
        "wallTime": one.message.wall_time.value,
    }


@click.command("plan")
@click.option("--from", "first", type=DateOption(), required=True, help="The first local date.")
@click.option("--to", "last", type=DateOption(), required=True, help="The last local date, included.")
@click.option("--dry-run", is_flag=True, help="Tell what would be planned, and keep nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@one_sentence(*FORESEEN)
def plan_range(first: date, last: date, *, dry_run: bool, as_json: bool) -> None:
    """Put the messages of a range of dates into the ledger now, instead of two days ahead.

    What stands there already is left alone; what is past its window is written down as expired.
    """
    ordered(first, last)
    if last - first > timedelta(days=_PLAN_DAYS_MAX):
        raise click.BadParameter(f"at most {_PLAN_DAYS_MAX} days after --from.", param_hint="--to")
    report = on_service(lambda opened: opened.service.plan_messages()(first, last, dry_run=dry_run))
    if as_json:
        counts = {"scheduled": report.scheduled, "skipped": report.skipped, "expired": report.expired}
        write_json([{**counts, "dryRun": dry_run}])
    else:
        would = "would be " if dry_run else ""
        click.echo(
            f"{report.scheduled} messages {would}planned, {report.skipped} skipped, {report.expired} expired"
        )
