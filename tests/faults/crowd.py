"""The people of a run, and the choice among them: few are asked for often, most seldom."""

import bisect
import itertools
from random import Random
from uuid import UUID

import attrs


@attrs.define(eq=False)
class Crowd:
    """People by their number, and twice as many addresses as people: there is always a free one."""

    seed: int
    size: int
    ids: list[UUID] = attrs.field(factory=list, init=False)
    numbers: dict[UUID, int] = attrs.field(factory=dict, init=False)
    _weights: list[float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # Zipf with the exponent 1.
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, self.size + 1)))

    def add(self, person: UUID) -> None:
        self.numbers[person] = len(self.ids)
        self.ids.append(person)

    def address(self, number: int) -> str:
        """Return one of the addresses, with a number below twice the size."""
        return f"p{number}.{self.seed}@example.com"

    def any_address(self, random: Random) -> str:
        return self.address(random.randrange(2 * self.size))

    def person(self, random: Random) -> int:
        return bisect.bisect_left(self._weights, random.random() * self._weights[-1])
