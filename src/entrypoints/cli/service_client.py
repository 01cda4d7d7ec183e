"""How the commands speak to the running service."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import httpx

from entrypoints.cli.options import settings

_TIMEOUT = httpx.Timeout(600, connect=5)
"""In seconds: an undo answers when it is done, and that may take as long as the import."""


def base_url(url: str | None) -> str:
    return url or f"http://127.0.0.1:{settings().port}"


@contextmanager
def opened_client(base: str) -> Iterator[httpx.Client]:
    """Lend a client of the service at *base*; what goes wrong on the way is one sentence."""
    try:
        with httpx.Client(base_url=base, timeout=_TIMEOUT) as client:
            yield client
    except httpx.InvalidURL:
        raise click.BadParameter("write it as http://127.0.0.1:8000.", param_hint="--url") from None
    except httpx.TransportError as error:
        raise click.ClickException(
            f"No service answers at {base} ({type(error).__name__}). Start it with 'birthdays serve', or name it "
            "with --url."
        ) from None


def refuse_problem(answer: httpx.Response) -> None:
    """End the command with the problem that the service answered, if it did."""
    if answer.status_code != httpx.codes.OK:
        answer.read()
        raise click.ClickException(_problem(answer))


def _problem(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        texts = [problem.get("detail") or problem["title"]]
        texts += [f"{one['field']}: {one['detail']}" for one in problem.get("errors", ())]
        return " ".join(texts)
    except (ValueError, KeyError, AttributeError):
        return f"The service answered {answer.status_code}; is it the birthday service that runs there?"
