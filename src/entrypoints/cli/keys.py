"""The commands about keys: they work on the database, beside a running service and without one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Table

from application.access import NewKey
from application.errors import KeyNotFound
from domain.access import ApiKey, Scope
from domain.errors import DomainError
from entrypoints.cli.options import FILE_WIDTH, one_sentence, settings, utc, write_json
from entrypoints.cli.own_service import on_service
from entrypoints.container.opening import FORESEEN

_WITHIN = (
    "A running service knows it at once; what it revokes or rotates it stops accepting within three seconds."
)


@click.group("keys", epilog=_WITHIN)
def keys() -> None:
    """Make, list, rotate and revoke the keys of the HTTP API."""


@keys.command("make")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What the key may do; may be given several times.",
)
@click.option("--days", type=click.IntRange(1, 3660), help="For how long it is good; for ever by default.")
@one_sentence(*FORESEEN, DomainError)
def make_key(name: str, scopes: Sequence[str], days: int | None) -> None:
    """Make a key called NAME and print it, this once."""
    lasts = None if days is None else timedelta(days=days)
    _tell(on_service(lambda opened: opened.service.access().make_key(name, map(Scope, scopes), lasts=lasts)))


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@one_sentence(*FORESEEN)
def list_keys(*, as_json: bool) -> None:
    """List all keys and browser sessions; last use is written once a minute."""
    found = on_service(lambda opened: opened.service.access().list_keys())
    now = datetime.now(UTC)
    if as_json:
        write_json(
            {
                "id": key.id,
                "kind": key.kind.value,
                "name": key.name,
                "scopes": sorted(key.scopes),
                "createdAt": utc(key.created_at),
                "expiresAt": None if key.expires_at is None else utc(key.expires_at),
                "revokedAt": None if key.revoked_at is None else utc(key.revoked_at),
                "lastUsedAt": None if key.last_used_at is None else utc(key.last_used_at),
            }
            for key in found
        )
        return
    table = Table("Id", "Name", "Kind", "Scopes", "Is", "Last used", box=None)
    for key in found:
        used = "never" if key.last_used_at is None else utc(key.last_used_at)
        table.add_row(
            key.id, key.name, key.kind.value, " ".join(sorted(key.scopes)), state_of(key, now), used
        )
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


@keys.command("rotate")
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 168),
    default=0,
    show_default=True,
    help="How long the old one stays.",
)
@one_sentence(*FORESEEN, KeyNotFound)
def rotate_key(key_id: str, overlap_hours: int) -> None:
    """Give the key ID another secret and print it, this once."""
    overlap = timedelta(hours=overlap_hours)
    _tell(on_service(lambda opened: opened.service.access().rotate_key(key_id, overlap=overlap)))


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@one_sentence(*FORESEEN, KeyNotFound)
def revoke_key(key_id: str) -> None:
    """Make the key or session ID good for nothing."""
    on_service(lambda opened: opened.service.access().revoke_key(key_id))
    click.echo(f"The key {key_id} is revoked.")


@click.command("login")
@click.option(
    "--url", help="Where the browser finds the service; by default the one of this machine's settings."
)
@one_sentence(*FORESEEN)
def login(url: str | None) -> None:
    """Print a link that logs a browser in: once, within an hour."""
    text = on_service(lambda opened: opened.service.access().log_in.link())
    click.echo(f"{url or f'http://127.0.0.1:{settings().port}'}/login?token={text}")


def state_of(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {utc(key.revoked_at)}"
    if key.expires_at is None:
        return "good"
    return f"{'good until' if key.is_good_at(now) else 'over since'} {utc(key.expires_at)}"


def _tell(made: NewKey) -> None:
    click.echo(made.text)
    click.echo(
        f"This is the key {made.key.id}, shown this once. Send it as 'Authorization: Bearer <key>'.", err=True
    )
