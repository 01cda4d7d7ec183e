"""The words of a message."""

import attrs

from application.deliveries import Delivery
from domain.occasion import Kind

_ELEVENTH, _THIRTEENTH = 11, 13


@attrs.frozen
class Text:
    """What a person reads."""

    subject: str
    body: str


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st ..."""
    if _ELEVENTH <= number % 100 <= _THIRTEENTH:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def text_of(delivery: Delivery) -> Text:
    """Return the text of a message; the years are left out where the first one is not known."""
    name = delivery.recipient.first_name
    if delivery.key.kind is Kind.BIRTHDAY:
        which = "" if delivery.years is None else f"{ordinal(delivery.years)} "
        return Text(
            f"Happy birthday, {name}!",
            f"Dear {name},\n\nhappy {which}birthday! All the best for the year ahead.\n",
        )
    years = "" if delivery.years is None else f" {delivery.years} year{'s' * (delivery.years != 1)}"
    return Text(
        f"Happy work anniversary, {name}!",
        f"Dear {name},\n\nthank you for{years or ' another year'} with us!\n",
    )
