"""The options that say how a file of people is read, for every command that reads one."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import wraps
from typing import Any, TypeVar

import attrs
import click

from application.file_text import ENCODINGS
from application.people_rows import ReadOptions
from domain.written_dates import DateOrder, DateReading

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Reading:
    """What was said of a file of people."""

    timezone: str | None
    date_order: str | None
    day_numbers: bool
    encoding: str | None
    anniversaries_are_work: bool

    def options(self, today: date) -> ReadOptions:
        """Return it for a file that is read here."""
        order = None if self.date_order is None else DateOrder(self.date_order)
        return ReadOptions(
            default_timezone=self.timezone,
            encoding=self.encoding,
            dates=DateReading(order=order, day_numbers=self.day_numbers, today=today),
            anniversaries_are_work=self.anniversaries_are_work,
        )

    def parameters(self) -> Mapping[str, str]:
        """Return it for the service that is to read the file."""
        given = {
            "defaultTimezone": self.timezone,
            "dateOrder": self.date_order,
            "encoding": self.encoding,
            "dayNumbers": "true" if self.day_numbers else None,
            "anniversariesAreWork": "true" if self.anniversaries_are_work else None,
        }
        return {name: value for name, value in given.items() if value is not None}


_OPTIONS = (
    click.option("--timezone", help="The time zone of rows that name none."),
    click.option(
        "--date-order",
        type=click.Choice([order.value for order in DateOrder]),
        help="What comes first in dates such as 3/4/1990, which are errors otherwise.",
    ),
    click.option("--day-numbers", is_flag=True, help="Take 29281 for a spreadsheet's count of days."),
    click.option(
        "--encoding", type=click.Choice(ENCODINGS), help="The encoding, if another one is recognised."
    ),
    click.option(
        "--anniversaries-are-work",
        is_flag=True,
        help="Take an address book's anniversaries, mostly weddings, for first days at work.",
    ),
)


def reading_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of how a file is read, as the value *reading*."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> R:
        names = [field.name for field in attrs.fields(Reading)]
        return command(*args, reading=Reading(**{name: kwargs.pop(name) for name in names}), **kwargs)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
