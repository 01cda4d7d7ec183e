"""The commands about the ledger of the running service: look at messages, decide on one, try the channel."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import click
import httpx
from rich.console import Console
from rich.table import Table

from domain.message import IN_NEED, Status
from entrypoints.cli.options import FILE_WIDTH, write_json
from entrypoints.cli.service_client import opened_client, refuse_problem

_PAGE_MAX = 1000
_URL_HELP = "The running service; by default the one of this machine's settings."


@click.command("messages")
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in Status], case_sensitive=False),
    multiple=True,
    help="Only messages in this state; may be given several times.",
)
@click.option("--in-need", is_flag=True, help=f"Only {', '.join(sorted(IN_NEED))}: those that need somebody.")
@click.option("--user", "user_id", type=click.UUID, help="Only messages of the person with this id.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many at most."
)
@click.option("--after", help="Go on after the cursor that the command before told.")
@click.option("--url", help=_URL_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_messages(
    statuses: Sequence[str],
    user_id: UUID | None,
    limit: int,
    after: str | None,
    url: str | None,
    *,
    in_need: bool,
    as_json: bool,
) -> None:
    """List messages of the ledger, newest occasion first."""
    wanted = [*statuses, *(sorted(IN_NEED) if in_need else ())]
    filters: dict[str, Any] = {"status": wanted} if wanted else {}
    if user_id is not None:
        filters["userId"] = str(user_id)
    if after is not None:
        filters["after"] = after
    with opened_client(url) as client:
        pages = _Pages(client, filters, limit)
        if as_json:
            write_json(pages)
        else:
            _show(list(pages))
    if pages.next is not None:
        click.echo(f"There are more: go on with --after {pages.next}", err=True)


class _Pages:
    """The messages of as many pages as are needed; *next* is the cursor after the last, if there is more."""

    def __init__(self, client: httpx.Client, filters: Mapping[str, Any], limit: int) -> None:
        self._client, self._filters, self._limit = client, filters, limit
        self.next: str | None = None

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        left = self._limit
        cursor: Mapping[str, str] = {}
        while left > 0:
            parameters = {**self._filters, **cursor, "limit": min(left, _PAGE_MAX)}
            answer = self._client.get("/messages", params=parameters)
            refuse_problem(answer)
            page = answer.json()
            yield from page["items"]
            left -= len(page["items"])
            self.next = page["next"]
            if self.next is None:
                return
            cursor = {"after": self.next}


def _show(messages: Sequence[Mapping[str, Any]]) -> None:
    # The key is what the other commands take: it is never cut.
    table = Table("Due (UTC)", "Status", "Why", "Attempts", "Key", box=None)
    table.columns[-1].no_wrap = True
    for one in messages:
        table.add_row(one["dueAt"], one["status"], one["reason"] or "", str(one["attempt"]), one["key"])
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)
    click.echo(f"{len(messages)} messages")


_KEY = click.argument("key")
_REASON = click.option("--reason", help="Why; it is kept, and shown with the message.")
_URL = click.option("--url", help=_URL_HELP)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the message as JSON.")


@click.command("retry")
@_KEY
@_REASON
@_URL
@_JSON
def retry(key: str, reason: str | None, url: str | None, *, as_json: bool) -> None:
    """Send the message KEY after all: one that FAILED, EXPIRED, or is CANCELLED, SKIPPED or UNKNOWN."""
    _act(key, "retry", reason, url, as_json=as_json)


@click.command("cancel")
@_KEY
@_REASON
@_URL
@_JSON
def cancel(key: str, reason: str | None, url: str | None, *, as_json: bool) -> None:
    """Do not send the message KEY, which is SCHEDULED or RETRYING."""
    _act(key, "cancel", reason, url, as_json=as_json)


@click.command("mark-sent")
@_KEY
@click.option(
    "--reason", required=True, help="How you know that it arrived; it is kept, and shown with the message."
)
@_URL
@_JSON
def mark_sent(key: str, reason: str, url: str | None, *, as_json: bool) -> None:
    """Say that the message KEY arrived, which is UNKNOWN."""
    _act(key, "mark-sent", reason, url, as_json=as_json)


def _act(key: str, action: str, reason: str | None, url: str | None, *, as_json: bool) -> None:
    body = None if reason is None else {"reason": reason}
    with opened_client(url) as client:
        answer = client.post(httpx.URL(path=f"/messages/{key}/{action}"), json=body)
        refuse_problem(answer)
    message = answer.json()
    if as_json:
        click.echo(json.dumps(message, ensure_ascii=False, indent=2))
    else:
        click.echo(f"The message {message['key']} is {message['status']}.")


@click.command("test-send")
@click.argument("address")
@_URL
def send_test(address: str, url: str | None) -> None:
    """Send a birthday message, marked as a test, to ADDRESS by the service's channel, past the ledger.

    ADDRESS is an address of yours, or - to read it from standard input: others on this machine can see what
    stands in a command.
    """
    with opened_client(url) as client:
        answer = client.post("/channel/test", json={"email": read_argument(address)})
        refuse_problem(answer)
    told = answer.json()
    if told["outcome"] != "sent":
        raise click.ClickException(f"The channel {told['channel']} has not taken it: {told['reason']}")
    click.echo(f"The channel {told['channel']} has taken it over.")


def read_argument(text: str) -> str:
    """Return an argument, or the line of standard input for which - stands."""
    return sys.stdin.readline().strip() if text == "-" else text
