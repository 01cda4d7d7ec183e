"""The command that shows the audit trail: on the database, beside a running service and without one."""

from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from domain.audit import Entry
from domain.user import UserId
from entrypoints.cli.options import FILE_WIDTH, one_sentence, utc, write_json
from entrypoints.cli.own_service import on_service
from entrypoints.container.opening import FORESEEN


@click.command("audit")
@click.option("--user", type=click.UUID, help="Only what was done to this person, by id.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@one_sentence(*FORESEEN)
def show_audit(user: UUID | None, limit: int, *, as_json: bool) -> None:
    """Show who did what, the last first: ids and names of fields, and nobody's values."""
    user_id = None if user is None else UserId(user)
    entries = on_service(lambda opened: opened.adapters.audit_reader().page(None, limit, user_id)).items
    if as_json:
        write_json(_told(entry) for entry in entries)
        return
    table = Table("When", "Who", "Did", "To", "Fields", "Why", box=None)
    for entry in entries:
        told = _told(entry)
        who = " ".join(filter(None, (entry.actor.kind, entry.actor.name)))
        to = told["messageKey"] or told["subject"] or told["keyId"] or told["userId"] or ""
        table.add_row(told["at"], who, entry.action, to, " ".join(entry.fields), entry.reason or "")
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


def _told(entry: Entry) -> dict[str, str | None]:
    return {
        "at": utc(entry.at),
        "actorKind": entry.actor.kind.value,
        "actorId": entry.actor.id,
        "actorName": entry.actor.name,
        "action": str(entry.action),
        "userId": None if entry.user_id is None else str(entry.user_id),
        "messageKey": None if entry.message is None else str(entry.message),
        "subject": entry.subject,
        "keyId": entry.key_id,
        "fields": " ".join(entry.fields),
        "reason": entry.reason,
    }
