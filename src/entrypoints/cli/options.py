"""What the commands share: dates, instants, settings, and errors as one sentence."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from entrypoints.settings import InvalidSetting, Settings

P = ParamSpec("P")
R = TypeVar("R")

SOME_LEFT_OUT = 3
"""Exit code: done, but some rows were left out."""

FILE_WIDTH = 200
"""Columns are cut to a terminal's width, not in a file or a pipe."""

_YEAR_MIN, _YEAR_MAX = 1900, 2200
_INSTANT_YEAR_MIN = 1970


class DateOption(click.ParamType[date]):
    """A calendar date such as 2027-01-31."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            day = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).date()
        except ValueError:
            self.fail("write the date as 2027-01-31.", param, ctx)
        if not _YEAR_MIN <= day.year <= _YEAR_MAX:
            self.fail(f"the year must be from {_YEAR_MIN} to {_YEAR_MAX}.", param, ctx)
        return day


class InstantOption(click.ParamType[datetime]):
    """An instant with its offset, such as 2027-01-03T13:59:50Z."""

    name = "INSTANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            self.fail("write the instant with its offset, as 2027-01-03T13:59:50Z.", param, ctx)
        if not _INSTANT_YEAR_MIN <= instant.year <= _YEAR_MAX:
            self.fail(f"the year must be from {_INSTANT_YEAR_MIN} to {_YEAR_MAX}.", param, ctx)
        return instant.astimezone(UTC)


def settings() -> Settings:
    """Read the settings; a mistake ends the command with its sentence."""
    try:
        return Settings.from_environment()
    except InvalidSetting as error:
        raise click.ClickException(str(error)) from None


def ordered(first: date, last: date) -> None:
    if last < first:
        raise click.BadParameter("it lies before --from.", param_hint="--to")


def one_sentence(*errors: type[Exception]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a command end with the text of one of *errors* and exit code 1, without a traceback."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except errors as error:
                raise click.ClickException(str(error)) from None

        return wrapped

    return decorate


def write_json(items: Iterable[Mapping[str, Any]]) -> None:
    """Print a JSON array, an object a line."""
    separator = "[\n  "
    for item in items:
        sys.stdout.write(separator + json.dumps(item, ensure_ascii=False, default=str))
        separator = ",\n  "
    sys.stdout.write("[]\n" if separator.startswith("[") else "\n]\n")


def utc(instant: datetime) -> str:
    """Write an instant as 2027-01-01T15:00:00Z."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
