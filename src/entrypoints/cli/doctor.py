"""The command that looks at everything the service stands on."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence

import click
import httpx
import structlog

from application import checkup
from application.checkup import Finding, Verdict
from entrypoints.container.checkup import examine
from entrypoints.settings import InvalidSetting, Settings

_TIMEOUT_S = 5.0
_COLOURS: Mapping[Verdict, str] = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAILED: "red",
    Verdict.UNCHECKED: "blue",
}


@click.command("doctor")
@click.option("--url", help="The running service; by default the one of this machine's settings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(url: str | None, *, as_json: bool) -> None:
    """Check everything that the service stands on, and say what to do. Changes nothing and sends nothing.

    Each check is ok, a warning, failed, or unchecked where it could not be made from here. The exit code is
    1 if one failed.
    """
    findings = _findings(url)
    if as_json:
        told = [
            {"check": one.check, "verdict": one.verdict.value, "text": one.text, "advice": one.advice}
            for one in findings
        ]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for one in findings:
            _tell(one)
    if any(one.verdict is Verdict.FAILED for one in findings):
        sys.exit(1)


def _findings(url: str | None) -> Sequence[Finding]:
    try:
        settings = Settings.from_environment()
    except InvalidSetting as error:
        return [checkup.failed("settings", str(error), "See 'birthdays config' and the README.")]
    # What the adapters would log is told as a finding.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    return [
        checkup.ok("settings", "They can be used; 'birthdays config' shows them."),
        *asyncio.run(examine(settings)),
        _service(url or f"http://127.0.0.1:{settings.port}"),
    ]


def _service(address: str) -> Finding:
    """Ask the service itself, for which no key is needed."""
    try:
        with httpx.Client(base_url=address, timeout=_TIMEOUT_S) as client:
            answers = [client.get(f"/health/{path}") for path in ("ready", "scheduler")]
            texts = [answer.json() for answer in answers]
    except httpx.InvalidURL:
        raise click.BadParameter("write it as http://127.0.0.1:8000.", param_hint="--url") from None
    except (httpx.TransportError, ValueError):
        return checkup.warning(
            "service",
            f"None answers at {address}.",
            "Start it with 'birthdays serve', or name it with --url.",
        )
    for answer, text in zip(answers, texts, strict=True):
        if not answer.is_success:
            return checkup.failed(
                "service", str(text.get("detail") or text.get("title")), "Its log tells more."
            )
    return checkup.ok("service", f"It answers at {address}, and messages can leave.")


def _tell(one: Finding) -> None:
    # A word, not the colour alone, says how it is.
    verdict = click.style(f"{one.verdict.value:<9}", fg=_COLOURS[one.verdict])
    click.echo(f"{verdict}  {one.check}: {one.text}")
    if one.advice:
        click.echo(f"{'':<11}{one.advice}")
