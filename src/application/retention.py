"""Nothing is held for longer than it is needed for."""

from datetime import datetime, timedelta

import attrs

from application.ports import UnitOfWorkFactory
from application.traces import kept_for
from domain.brake import LOOKS_BACK
from domain.due import SendPolicy

_AT_ONCE = 100
_HOUR = timedelta(hours=1)


@attrs.frozen
class ForgetWhatIsOld:
    """Who left long ago is erased; what was done, who was greeted, and how busy it was, long ago is forgotten.

    *forget_deleted* is None where people who left are kept until somebody erases them.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy
    keep_audit: timedelta
    forget_deleted: timedelta | None = None

    async def __call__(self) -> int:
        """Return how many people were erased."""
        async with self.unit_of_work() as uow:
            now = await uow.now()
            await uow.audit.forget_before(now - self.keep_audit)
            await uow.greeted.forget_before((now - kept_for(self.policy)).date())
            # The brake looks so far back from the oldest hour of which a message may still leave.
            await uow.upkeep.forget_due_hours_before(now - self.policy.window - LOOKS_BACK - _HOUR)
            await uow.commit()
        if self.forget_deleted is None:
            return 0
        erased = 0
        while (number := await self._erase(now - self.forget_deleted)) > 0:
            erased += number
        return erased

    async def _erase(self, before: datetime) -> int:
        """Erase some of those who left before that."""
        async with self.unit_of_work() as uow:
            users = await uow.users.deleted_before(before, _AT_ONCE)
            for user in users:
                await uow.users.erase(user)
            await uow.commit()
        return len(users)
