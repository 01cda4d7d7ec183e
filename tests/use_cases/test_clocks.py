"""CompareClocks."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from adapters.clock import SystemClock
from application.upkeep import CompareClocks
from tests.use_cases.service import Service


@pytest.mark.parametrize("ahead_s", (0, 5, -5))
async def test_it_tells_by_how_much_the_machine_is_ahead(service: Service, ahead_s: float) -> None:
    service.store.real_now = lambda: datetime.now(UTC) - timedelta(seconds=ahead_s)
    offset = await CompareClocks(service.unit_of_work, SystemClock())()
    assert abs(offset - timedelta(seconds=ahead_s)) < timedelta(seconds=0.5)


async def test_a_slow_answer_is_no_difference(service: Service) -> None:
    """The store was asked at some instant between: nobody knows at which."""

    @attrs.define
    class Slow(SystemClock):
        instants: list[datetime] = attrs.field(factory=list)

        def now(self) -> datetime:
            return self.instants.pop(0)

    asked = datetime(2027, 3, 13, tzinfo=UTC)
    service.store.real_now = lambda: asked + timedelta(seconds=7)
    clock = Slow(instants=[asked, asked + timedelta(seconds=10)])
    assert await CompareClocks(service.unit_of_work, clock)() == timedelta(0)
