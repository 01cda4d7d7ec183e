"""The plan: everybody's next messages, put into the ledger ahead of time."""

from collections.abc import Sequence
from datetime import date, timedelta

import attrs
import structlog

from application.ledger import PlanReport
from application.ports import Shard, UnitOfWorkFactory
from application.together import together
from application.upkeep_ports import Bookmark
from application.users import replan
from domain.due import SendPolicy, ZoneRow, is_zone, zone_table
from domain.user import UserId

log = structlog.get_logger()

_CAUGHT_UP = timedelta(days=31)
"""Of a longer time in which nobody planned, what was missed before is not shown."""
_ROOM_AHEAD = timedelta(days=92)
_SHARDS = (Shard(0, 2), Shard(1, 2))
"""Planned at once: the store works on each on a core of its own. More would take the connections of others for little
gain, since each looks at everybody of the day to find its own."""


@attrs.frozen
class PlanMessages:
    """What the calendar owes to anybody in the planning window stands in the ledger afterwards.

    After a time in which nobody planned, that of the time between as well: what missed its window is
    EXPIRED, and seen. There is room for the months to come, in case the next plan is late. Safe to run at
    any time, twice, and on two machines at once: what one that failed has kept, the next one goes on from.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(
        self, first: date | None = None, last: date | None = None, *, dry_run: bool = False
    ) -> PlanReport:
        """Plan the local dates from *first* to *last*, by default the window; *dry_run* keeps nothing."""
        async with self.unit_of_work() as uow:
            now = await uow.now()
            oldest, newest = self.policy.plan_dates(now)
            planned_until = (await uow.upkeep.bookmark()).planned_until
            if planned_until is not None:
                missed = planned_until + timedelta(days=1)
                oldest = min(oldest, max(missed, oldest - _CAUGHT_UP))
            is_of_window = first is None and last is None
            first, last = first or oldest, last or newest
            await uow.messages.prepare(first, max(last, newest + _ROOM_AHEAD))
            table = zone_table(self.policy, first, last)
            if dry_run:
                return await uow.messages.plan(table, self.policy)
            await uow.commit()
        report = await self._plan_shards(table)
        if is_of_window:
            async with self.unit_of_work() as uow:
                await uow.upkeep.note(Bookmark(planned_until=last))
                await uow.commit()
        return report

    async def _plan_shards(self, table: Sequence[ZoneRow]) -> PlanReport:
        reports = await together(*(self._plan_shard(table, shard) for shard in _SHARDS))
        return PlanReport(
            scheduled=sum(one.scheduled for one in reports),
            skipped=sum(one.skipped for one in reports),
            expired=sum(one.expired for one in reports),
        )

    async def _plan_shard(self, table: Sequence[ZoneRow], shard: Shard) -> PlanReport:
        async with self.unit_of_work() as uow:
            report = await uow.messages.plan(table, self.policy, shard)
            await uow.commit()
        return report


@attrs.frozen
class PlanAnew:
    """The messages of some people are what the calendar owes them now, whatever became of them before.

    Those of somebody whose time zone this release of the zone data does not have leave when they would have.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(self, user_ids: Sequence[UserId]) -> int:
        """Return how many messages changed."""
        async with self.unit_of_work() as uow:
            users = list((await uow.users.by_ids(user_ids)).values())
            changed = await replan(uow, users, self.policy, await uow.now())
            await uow.commit()
        if strange := sum(not is_zone(user.timezone) for user in users):
            log.error("people_not_planned", people=strange)
        return changed


@attrs.frozen
class PlanOpenAnew:
    """What is open is due when it should be by the rules of today: zone data and settings may be newer."""

    unit_of_work: UnitOfWorkFactory
    plan_anew: PlanAnew
    batch_size: int = 500

    async def __call__(self) -> int:
        """Return how many messages changed; none, at the cost of one row, where the rules are the same."""
        rules = self.plan_anew.policy.reckoning
        async with self.unit_of_work() as uow:
            if (await uow.upkeep.bookmark()).reckoned_with == rules:
                return 0
        changed = 0
        after: UserId | None = None
        while True:
            async with self.unit_of_work() as uow:
                page = await uow.upkeep.users_with_open_messages(after, self.batch_size)
            if not page:
                break
            changed += await self.plan_anew(page)
            after = page[-1]
        async with self.unit_of_work() as uow:
            await uow.upkeep.note(Bookmark(reckoned_with=rules))
            await uow.commit()
        return changed
