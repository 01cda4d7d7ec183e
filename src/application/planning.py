"""The plan: everybody's next messages, put into the ledger ahead of time."""

from datetime import date

import attrs

from application.ports import PlanReport, UnitOfWorkFactory
from domain.due import SendPolicy, zone_table


@attrs.frozen
class PlanMessages:
    """What the calendar owes to anybody in the planning window stands in the ledger afterwards.

    Safe to run at any time, twice, and on two machines at once.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(
        self, first: date | None = None, last: date | None = None, *, dry_run: bool = False
    ) -> PlanReport:
        """Plan the local dates from *first* to *last*, by default the window; *dry_run* keeps nothing."""
        async with self.unit_of_work() as uow:
            window = self.policy.plan_dates(await uow.now())
            first, last = first or window[0], last or window[1]
            await uow.messages.prepare(first, last)
            report = await uow.messages.plan(zone_table(self.policy, first, last), self.policy)
            if not dry_run:
                await uow.commit()
        return report
