"""Many people at once, from a file: new ones are registered, known ones changed, the same ones left alone."""

from collections.abc import AsyncIterator, Sequence

import attrs

from application.errors import EmailTaken
from application.people_file import PeopleFile, Row, RowProblem
from application.ports import UnitOfWork, UnitOfWorkFactory
from application.users import changed_user, new_user_id, replan
from domain.due import SendPolicy
from domain.errors import InvalidField, InvalidFields
from domain.user import User, register, restore, told

_CHUNK = 500


@attrs.frozen
class ImportReport:
    """What the rows came to. In the middle of an import it tells of the rows so far."""

    rows: int
    done: int
    created: int
    updated: int
    unchanged: int
    problems: Sequence[RowProblem]


@attrs.define
class _Tally:
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[RowProblem] = attrs.field(factory=list)


@attrs.frozen
class ImportUsers:
    """The people of a file are in the service afterwards; a second time, nothing changes.

    A row is known by its address. Bad rows are told and left out, the others kept. A dry run does all of it
    and keeps nothing.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(self, people: PeopleFile, *, dry_run: bool = False) -> AsyncIterator[ImportReport]:
        """Yield a report after every few hundred rows; the last one is the whole."""
        tally = _Tally(problems=list(people.problems))
        done = people.lines - len(people.rows)
        yield self._report(people, done, tally)
        for start in range(0, len(people.rows), _CHUNK):
            chunk = people.rows[start : start + _CHUNK]
            await self._import(chunk, tally, dry_run=dry_run)
            done += len(chunk)
            yield self._report(people, done, tally)

    async def _import(self, chunk: Sequence[Row], tally: _Tally, *, dry_run: bool) -> None:
        try:
            part = _Tally()
            async with self.unit_of_work() as uow:
                await self._store(uow, chunk, part)
                if not dry_run:
                    await uow.commit()
        except EmailTaken:
            # Somebody registered one of these addresses just now: find out which, row by row.
            if len(chunk) == 1:
                part = _Tally(problems=[RowProblem(chunk[0].line, "email", str(EmailTaken()))])
            else:
                for row in chunk:
                    await self._import([row], tally, dry_run=dry_run)
                return
        tally.created += part.created
        tally.updated += part.updated
        tally.unchanged += part.unchanged
        tally.problems.extend(part.problems)

    async def _store(self, uow: UnitOfWork, chunk: Sequence[Row], tally: _Tally) -> None:
        now = await uow.now()
        known = await uow.users.by_emails([row.email_key for row in chunk])
        added: list[User] = []
        saved: list[tuple[User, User]] = []
        for row in chunk:
            user = known.get(row.email_key)
            try:
                if user is None:
                    added.append(register(new_user_id(now), told(row.values), now))
                elif user.deleted_at is not None:
                    saved.append((user, restore(user, told(row.values), now)))
                elif (changed := changed_user(user, row.values, now)) is not user:
                    saved.append((user, changed))
                else:
                    tally.unchanged += 1
            except InvalidFields as invalid:
                tally.problems.extend(
                    RowProblem(row.line, problem.field, problem.reason) for problem in invalid.problems
                )
            except InvalidField as problem:
                tally.problems.append(RowProblem(row.line, problem.field, problem.reason))
        await uow.users.add(added)
        await uow.users.save(saved)
        moved = [after for before, after in saved if after.moves_messages(before)]
        await replan(uow, [*added, *moved], self.policy, now)
        restored = sum(before.deleted_at is not None for before, _ in saved)
        tally.created += len(added) + restored
        tally.updated += len(saved) - restored

    @staticmethod
    def _report(people: PeopleFile, done: int, tally: _Tally) -> ImportReport:
        problems = sorted(tally.problems, key=lambda problem: problem.line)
        return ImportReport(people.lines, done, tally.created, tally.updated, tally.unchanged, problems)
