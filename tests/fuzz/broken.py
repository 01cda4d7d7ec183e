"""A target with a mistake that random bytes do not find, to see that the fuzzer does."""

from domain.errors import InvalidField
from domain.occasion import AnnualDate


def leap_days(data: bytes) -> None:
    try:
        day = AnnualDate.parse(data.decode("ascii", "replace"), field="birthday")
    except InvalidField:
        return
    assert (day.month, day.day) != (2, 29)


TARGETS = {"leap_days": leap_days}
SEEDS = {"leap_days": (b"--12-10",)}
WORDS = ("02-29",)
