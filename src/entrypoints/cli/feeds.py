"""The commands about feeds: they work on the database, beside a running service and without one."""

from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Table

from application.errors import KeyNotFound
from domain.errors import DomainError
from entrypoints.cli.keys import state_of
from entrypoints.cli.options import FILE_WIDTH, one_sentence, settings, utc, write_json
from entrypoints.cli.own_service import on_service
from entrypoints.container.opening import FORESEEN


@click.group("feeds")
def feeds() -> None:
    """Make, list and revoke calendars at secret addresses."""


@feeds.command("make")
@click.argument("name")
@click.option("--years", is_flag=True, help="Tell the years of birth and of hiring.")
@click.option("--days", type=click.IntRange(1, 3660), help="For how long it is there; for ever by default.")
@click.option(
    "--url", help="Where calendar programs find the service; by default the one of this machine's settings."
)
@one_sentence(*FORESEEN, DomainError)
def make_feed(name: str, days: int | None, url: str | None, *, years: bool) -> None:
    """Make a feed called NAME and print its address, this once.

    Whoever has the address can read everybody's name and days, and nothing else.
    """
    lasts = None if days is None else timedelta(days=days)
    made = on_service(lambda opened: opened.service.http().feeds.make(name, tells_years=years, lasts=lasts))
    base = url.rstrip("/") if url else f"http://127.0.0.1:{settings().port}"
    click.echo(f"{base}/calendar/{made.text}.ics")
    click.echo(f"This is the feed {made.key.id}. Its address is shown this once, and is a secret.", err=True)


@feeds.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@one_sentence(*FORESEEN)
def list_feeds(*, as_json: bool) -> None:
    """List all feeds; when one was last asked for is written once a minute."""
    found = on_service(lambda opened: opened.service.http().feeds.list())
    now = datetime.now(UTC)
    if as_json:
        write_json(
            {
                "id": feed.id,
                "name": feed.name,
                "tellsYears": feed.tells_years,
                "createdAt": utc(feed.created_at),
                "expiresAt": None if feed.expires_at is None else utc(feed.expires_at),
                "revokedAt": None if feed.revoked_at is None else utc(feed.revoked_at),
                "lastUsedAt": None if feed.last_used_at is None else utc(feed.last_used_at),
            }
            for feed in found
        )
        return
    table = Table("Id", "Name", "Years", "Is", "Last used", box=None)
    for feed in found:
        used = "never" if feed.last_used_at is None else utc(feed.last_used_at)
        table.add_row(feed.id, feed.name, "told" if feed.tells_years else "no", state_of(feed, now), used)
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


@feeds.command("revoke")
@click.argument("feed_id", metavar="ID")
@one_sentence(*FORESEEN, KeyNotFound)
def revoke_feed(feed_id: str) -> None:
    """Let the address of the feed ID lead nowhere, within three seconds."""
    on_service(lambda opened: opened.service.http().feeds.revoke(feed_id))
    click.echo(f"The feed {feed_id} is revoked.")
