"""Nothing is held for longer than it is needed for."""

from datetime import timedelta

import attrs

from application.ports import UnitOfWorkFactory


@attrs.frozen
class ForgetWhatIsOld:
    """Who left long ago is erased, and what was done long ago is forgotten."""

    unit_of_work: UnitOfWorkFactory
    keep_audit: timedelta

    async def __call__(self) -> None:
        async with self.unit_of_work() as uow:
            await uow.audit.forget_before(await uow.now() - self.keep_audit)
            await uow.commit()
