"""The command by which all people leave as a file."""

from typing import BinaryIO

import click

from application.exports import ExportFormat
from entrypoints.cli.service_client import opened_client, refuse_problem


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in ExportFormat]),
    default="csv",
    show_default=True,
    help="What is written.",
)
@click.option("--years", is_flag=True, help="Let a calendar tell the years of birth and of hiring.")
@click.option("--output", type=click.File("wb", lazy=True), default="-", help="A file; else standard output.")
@click.option("--url", help="The running service; by default the one of this machine's settings.")
def export_people(form: str, output: BinaryIO, url: str | None, *, years: bool) -> None:
    """Write every person of the running service as CSV, vCards, or a calendar.

    The CSV can be imported again; a quote stands before what a spreadsheet would take for a formula.
    """
    parameters = {"format": form, "years": "true" if years else "false"}
    with (
        opened_client(url) as client,
        client.stream("GET", "/users/export", params=parameters) as answer,
    ):
        refuse_problem(answer)
        output.writelines(answer.iter_bytes())
