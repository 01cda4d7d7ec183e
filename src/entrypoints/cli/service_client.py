"""How the commands speak to the running service."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
import httpx

from entrypoints.cli.options import settings
from entrypoints.container.opening import local_key
from entrypoints.secret_settings import with_secrets_of_files
from entrypoints.settings import Settings

KEY_VARIABLE = "BIRTHDAYS_KEY"

_TIMEOUT = httpx.Timeout(600, connect=5)
"""In seconds: an undo answers when it is done, and that may take as long as the import."""


@contextmanager
def opened_client(url: str | None) -> Iterator[httpx.Client]:
    """Lend a client of the service at *url*, else of this machine's; what goes wrong on the way is one sentence."""
    chosen = settings()
    base = url or f"http://127.0.0.1:{chosen.port}"
    try:
        with httpx.Client(
            base_url=base, timeout=_TIMEOUT, headers=_who(chosen, is_local=url is None)
        ) as client:
            yield client
    except httpx.InvalidURL:
        raise click.BadParameter("write it as http://127.0.0.1:8000.", param_hint="--url") from None
    except httpx.TransportError as error:
        raise click.ClickException(
            f"No service answers at {base} ({type(error).__name__}). Start it with 'birthdays serve', or name it "
            "with --url."
        ) from None


def _who(chosen: Settings, *, is_local: bool) -> dict[str, str]:
    """Return what shows the service who we are: BIRTHDAYS_KEY or its file, else, to a service of this machine, its own key."""
    given = with_secrets_of_files(os.environ).get(KEY_VARIABLE, "").strip()
    text = given or (local_key(chosen) if is_local else None)
    return {} if text is None else {"Authorization": f"Bearer {text}"}


def refuse_problem(answer: httpx.Response) -> None:
    """End the command with the problem that the service answered, if it did."""
    if answer.status_code == httpx.codes.UNAUTHORIZED and "authorization" not in answer.request.headers:
        raise click.ClickException(
            f"There is no key to show: {KEY_VARIABLE} is not set, and no service has left one in {settings().data_dir}. "
            f"Run this where the service runs, or set BIRTHDAYS_DATA_DIR or {KEY_VARIABLE}."
        )
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
