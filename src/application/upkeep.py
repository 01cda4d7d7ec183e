"""What keeps the ledger small, and this machine honest about the time."""

from datetime import timedelta

import attrs

from application.ports import Clock, UnitOfWorkFactory

CLOCK_OFFSET_MAX = timedelta(seconds=2)


@attrs.frozen
class DropOldMonths:
    """The ledger keeps months for as long as the settings say, and no longer."""

    unit_of_work: UnitOfWorkFactory
    retention: timedelta

    async def __call__(self) -> int:
        """Return how many months were dropped."""
        async with self.unit_of_work() as uow:
            oldest = await uow.now() - self.retention
            dropped = await uow.upkeep.drop_months_before(oldest.date())
            await uow.commit()
        return dropped


@attrs.frozen
class CompareClocks:
    """How far this machine's clock is from the database's, of which all processes take the time."""

    unit_of_work: UnitOfWorkFactory
    clock: Clock

    async def __call__(self) -> timedelta:
        """Return by how much it is ahead at least; negative if it is behind, 0 within the time of the question."""
        async with self.unit_of_work() as uow:
            await uow.now()  # the connection is open, and what follows is one round trip
            before = self.clock.now()
            real_now = await uow.upkeep.real_now()
            after = self.clock.now()
        if real_now < before:
            return before - real_now
        return min(after - real_now, timedelta(0))
