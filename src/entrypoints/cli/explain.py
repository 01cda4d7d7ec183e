"""The command that says when a person's messages leave, why then, and what became of the last ones."""

import json
from collections.abc import Mapping
from typing import Any

import click
import httpx

from entrypoints.cli.messages import read_argument
from entrypoints.cli.service_client import opened_client, refuse_problem


@click.command("explain")
@click.argument("user")
@click.option("--url", help="The running service; by default the one of this machine's settings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(user: str, url: str | None, *, as_json: bool) -> None:
    """Say when the messages of USER leave, why then, and what became of the last ones.

    USER is an id or an e-mail address, or - to read it from standard input: others on this machine can see
    what stands in a command.
    """
    wanted = read_argument(user)
    with opened_client(url) as client:
        person = _person(client, wanted)
        answer = client.get(f"/users/{person['id']}/upcoming")
        refuse_problem(answer)
    found = answer.json()
    if as_json:
        click.echo(json.dumps({"user": person, **found}, ensure_ascii=False, indent=2))
        return
    click.echo(f"{person['firstName']} {person['lastName']}, {person['timezone']}, id {person['id']}")
    if not found["upcoming"]:
        click.echo("Nothing is coming: no birthday and no anniversary is known.")
    for one in found["upcoming"]:
        _tell_upcoming(one)
    if found["past"]:
        click.echo("So far:")
    for one in found["past"]:
        _tell_past(one)


def _person(client: httpx.Client, wanted: str) -> Mapping[str, Any]:
    if "@" in wanted:
        answer = client.get("/users", params={"email": wanted})
    else:
        answer = client.get(httpx.URL(path=f"/users/{wanted}"))
    refuse_problem(answer)
    person: Mapping[str, Any] = answer.json()
    return person


def _tell_upcoming(one: Mapping[str, Any]) -> None:
    years = "" if one["years"] is None else f" ({one['years']} years)"
    status = "not planned yet" if one["status"] is None else one["status"]
    click.echo(
        f"{one['kind']}{years} of {one['occasionDate']}: leaves {one['dueLocal']}, which is {one['dueAt']}\n"
        f"  why:   {one['why']}\n"
        f"  state: {status}, key {one['key']}"
    )


def _tell_past(one: Mapping[str, Any]) -> None:
    sent = f", sent {one['sentAt']}" if one["sentAt"] else ""
    reason = f", {one['reason']}" if one["reason"] else ""
    click.echo(f"  {one['occasionDate']} {one['kind']}: {one['status']}{reason}{sent}, key {one['key']}")
