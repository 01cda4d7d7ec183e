"""The plan: everybody's next messages, put into the ledger ahead of time."""

from collections.abc import Sequence
from datetime import date

import attrs

from application.ledger import PlanReport
from application.ports import UnitOfWorkFactory
from application.users import replan
from domain.due import SendPolicy, zone_table
from domain.user import UserId


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


@attrs.frozen
class PlanAnew:
    """The messages of some people are what the calendar owes them now, whatever became of them before."""

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(self, user_ids: Sequence[UserId]) -> int:
        """Return how many messages changed."""
        async with self.unit_of_work() as uow:
            users = await uow.users.by_ids(user_ids)
            changed = await replan(uow, list(users.values()), self.policy, await uow.now())
            await uow.commit()
        return changed
