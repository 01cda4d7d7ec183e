"""An import is taken back: who came with it leaves, and the others are as they were."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import attrs

from application.errors import EmailTaken, ExternalIdTaken, ImportNotFound
from application.import_ports import ImportChange, ImportId
from application.imports import CHUNK
from application.ports import UnitOfWork, UnitOfWorkFactory
from application.users import replan
from domain.due import SendPolicy
from domain.user import User, change, remove, restore


@attrs.frozen
class UndoReport:
    """How many people were taken back so far, and how many were not.

    *changed_since* are left alone, since somebody has changed them after the import; *in_the_way* would
    need an address or id that somebody else has now.
    """

    undone: int = 0
    changed_since: int = 0
    in_the_way: int = 0

    def plus(self, part: "UndoReport") -> "UndoReport":
        return UndoReport(
            self.undone + part.undone,
            self.changed_since + part.changed_since,
            self.in_the_way + part.in_the_way,
        )


@attrs.frozen
class UndoImport:
    """What an import changed is as it was, but for what somebody has changed since; then it is forgotten.

    Who was new is deleted, as by ``RemoveUser``. What was sent stays sent. An undo that broke off goes on where
    it was when it is asked for again.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(self, import_id: ImportId) -> AsyncIterator[UndoReport]:
        """Yield a report after every few hundred people; the last one is the whole. Raises ImportNotFound."""
        report = UndoReport()
        is_over = False
        while not is_over:
            async with self.unit_of_work() as uow:
                changes = await uow.imports.take(import_id, CHUNK)
                if changes is None:
                    raise ImportNotFound
                if changes:
                    report = report.plus(await self._undo(uow, changes))
                else:
                    await uow.imports.forget(import_id)
                    is_over = True
                await uow.commit()
            yield report

    async def _undo(self, uow: UnitOfWork, changes: Sequence[ImportChange]) -> UndoReport:
        now = await uow.now()
        found = await uow.users.by_ids([one.user_id for one in changes])
        pairs = [
            (found[one.user_id], _as_before(found[one.user_id], one, now))
            for one in changes
            if one.user_id in found and found[one.user_id].version == one.version
        ]
        stored = await self._store(uow, pairs)
        await replan(uow, [after for _, after in stored], self.policy, now)
        return UndoReport(len(stored), len(changes) - len(pairs), len(pairs) - len(stored))

    async def _store(
        self, uow: UnitOfWork, pairs: Sequence[tuple[User, User]]
    ) -> Sequence[tuple[User, User]]:
        """Store what can be, one by one where it cannot be all at once."""
        try:
            async with uow.savepoint():
                await uow.users.save(pairs)
        except (EmailTaken, ExternalIdTaken):
            if len(pairs) == 1:
                return []
            middle = len(pairs) // 2
            return [*await self._store(uow, pairs[:middle]), *await self._store(uow, pairs[middle:])]
        return pairs


def _as_before(user: User, made: ImportChange, now: datetime) -> User:
    if made.before is None:
        return remove(user, now)
    if user.deleted_at is not None:
        return restore(user, made.before, now)
    before = change(user, made.before, now)
    return remove(before, now) if made.was_deleted else before
