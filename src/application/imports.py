"""Many people at once, from a file: new ones are registered, known ones changed, the same ones left alone."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from uuid import UUID

import attrs

from application.errors import EmailTaken, ExternalIdTaken, TooManyDeactivations
from application.import_matching import Known, Matched, change_of, match_rows
from application.import_ports import ImportId
from application.people_rows import BadRow, PeopleFile, Row, RowProblem
from application.ports import UnitOfWork, UnitOfWorkFactory
from application.users import remember_greetings, replan
from domain.due import SendPolicy
from domain.user import UserId, remove

TOLD_MAX = 1000
"""How many errors a report lists, and how many warnings; all are counted."""
CHUNK = 500
_KEYS_AT_ONCE = 5000


@attrs.frozen(kw_only=True)
class ImportOptions:
    """How an import is done.

    A complete list names everybody: who is not in it is deactivated, unless a row was bad. If these are more
    than the brake allows, *confirmed* must be their number.
    """

    is_dry_run: bool = False
    is_complete: bool = False
    confirmed: int | None = None


AS_USUAL = ImportOptions()


@attrs.frozen(kw_only=True)
class ImportReport:
    """What the rows came to. In the middle of an import it tells of the rows so far.

    *import_id* is None for a dry run. *errors* and *warnings* are the first thousand of each, in the order of
    their lines; *failed* and *warned* count all rows that have any.
    """

    rows: int = 0
    import_id: ImportId | None = None
    done: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: int = 0
    failed: int = 0
    warned: int = 0
    errors: Sequence[RowProblem] = ()
    warnings: Sequence[RowProblem] = ()

    def plus(self, part: "ImportReport") -> "ImportReport":
        """Return this report with that of later rows."""
        return attrs.evolve(
            self,
            errors=[*self.errors, *part.errors][:TOLD_MAX],
            warnings=[*self.warnings, *part.warnings][:TOLD_MAX],
            **{name: getattr(self, name) + getattr(part, name) for name in _COUNTS},
        )


_COUNTS = ("done", "created", "updated", "unchanged", "deactivated", "failed", "warned")


@attrs.frozen
class ImportUsers:
    """The people of a file are in the service afterwards; a second time, nothing changes.

    A row is known by its external id, or else by its address. Bad rows are told and left out, the others kept.
    A dry run does all of it and keeps nothing. Of a complete list, more than *brake_percent* of the people may
    be missing only if somebody has confirmed their number.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy
    brake_percent: int = 10

    async def __call__(
        self, people: PeopleFile, options: ImportOptions = AS_USUAL
    ) -> AsyncIterator[ImportReport]:
        """Yield a report after every few hundred rows; the last one is the whole.

        Raises TooManyDeactivations before anything is changed.
        """
        missing = await self._missing(people, options) if options.is_complete else ()
        import_id = None if options.is_dry_run else await self._begin()
        report = ImportReport(rows=people.lines, import_id=import_id, warnings=people.warnings)
        yield report
        rows, lines = people.rows(), dict[UserId, int]()
        # Reading takes as long as storing: meanwhile others are served.
        while chunk := await asyncio.to_thread(_take, rows):
            report = report.plus(await self._import(chunk, lines, import_id))
            yield report
        if missing and not report.failed:
            gone = [user_id for user_id in missing if user_id not in lines]
            for start in range(0, len(gone), CHUNK):
                report = report.plus(await self._deactivate(gone[start : start + CHUNK], import_id))
                yield report

    async def _begin(self) -> ImportId:
        import_id = ImportId(UUID(bytes=secrets.token_bytes(16), version=4))
        async with self.unit_of_work() as uow:
            now = await uow.now()
            await uow.imports.begin(import_id, now)
            await uow.commit()
        return import_id

    async def _missing(self, people: PeopleFile, options: ImportOptions) -> Sequence[UserId]:
        """Return who is not in the file; raises TooManyDeactivations."""
        emails, external_ids = await asyncio.to_thread(_keys, people)
        missing: list[UserId] = []
        live = 0
        last: UserId | None = None
        while True:
            async with self.unit_of_work() as uow:
                page = await uow.users.live_keys(last, _KEYS_AT_ONCE)
            if not page:
                break
            live, last = live + len(page), page[-1].id
            missing += [
                one.id for one in page if one.email_key not in emails and one.external_id not in external_ids
            ]
        is_within = len(missing) * 100 <= live * self.brake_percent
        if not (is_within or options.is_dry_run or options.confirmed == len(missing)):
            raise TooManyDeactivations(len(missing), live)
        return missing

    async def _import(
        self, chunk: Sequence[Row | BadRow], lines: dict[UserId, int], import_id: ImportId | None
    ) -> ImportReport:
        """Store a chunk, and note in *lines* whom it told of."""
        good = [row for row in chunk if isinstance(row, Row)]
        bad = [row.problems for row in chunk if isinstance(row, BadRow)]
        warned = [row.warnings for row in good if row.warnings]
        stored = ImportReport()
        for part in await self._stored(good, lines, import_id):
            lines |= part.lines
            bad += part.failed
            stored = stored.plus(
                ImportReport(
                    created=len(part.added) + part.restored,
                    updated=len(part.saved) - part.restored,
                    unchanged=len(part.unchanged),
                )
            )
        errors = sorted((problem for problems in bad for problem in problems), key=lambda one: one.line)
        warnings = [warning for warnings in warned for warning in warnings]
        return attrs.evolve(
            stored, done=len(chunk), failed=len(bad), warned=len(warned), errors=errors, warnings=warnings
        )

    async def _stored(
        self, rows: Sequence[Row], lines: Mapping[UserId, int], import_id: ImportId | None
    ) -> Sequence[Matched]:
        """Store the rows in one transaction, or in one each if that cannot be."""
        try:
            async with self.unit_of_work() as uow:
                matched = await self._store(uow, rows, lines, import_id)
                if import_id is not None:
                    await uow.commit()
        except (EmailTaken, ExternalIdTaken) as taken:
            # Somebody took it just now, or one row takes what another one gives up.
            if len(rows) > 1:
                return [part for row in rows for part in await self._stored([row], lines, import_id)]
            field = "email" if isinstance(taken, EmailTaken) else "external_id"
            return [Matched(failed=[[RowProblem(rows[0].line, field, str(taken))]])]
        return [matched]

    async def _store(
        self, uow: UnitOfWork, rows: Sequence[Row], lines: Mapping[UserId, int], import_id: ImportId | None
    ) -> Matched:
        now = await uow.now()
        ids = [row.external_id for row in rows if row.external_id is not None]
        known = Known.of(await uow.users.by_keys([row.email_key for row in rows], ids))
        matched = match_rows(rows, known, lines, now)
        await uow.users.add(matched.added)
        await uow.users.save(matched.saved)
        renamed = [after for before, after in matched.saved if after.email_key != before.email_key]
        await remember_greetings(uow, [*matched.added, *renamed], self.policy, now)
        moved = [after for before, after in matched.saved if after.moves_messages(before)]
        await replan(uow, [*matched.added, *moved], self.policy, now)
        if import_id is not None:
            await uow.imports.record(import_id, list(matched.changes()))
        return matched

    async def _deactivate(self, user_ids: Sequence[UserId], import_id: ImportId | None) -> ImportReport:
        async with self.unit_of_work() as uow:
            now = await uow.now()
            found = (await uow.users.by_ids(user_ids)).values()
            gone = [(user, remove(user, now)) for user in found if user.deleted_at is None]
            await uow.users.save(gone)
            await replan(uow, [after for _, after in gone], self.policy, now)
            if import_id is not None:
                await uow.imports.record(import_id, [change_of(before, after) for before, after in gone])
                await uow.commit()
        return ImportReport(deactivated=len(gone))


def _take(rows: Iterator[Row | BadRow]) -> Sequence[Row | BadRow]:
    return list(islice(rows, CHUNK))


def _keys(people: PeopleFile) -> tuple[AbstractSet[str], AbstractSet[str | None]]:
    """Return the addresses and the external ids of a whole file."""
    emails: set[str] = set()
    external_ids: set[str | None] = set()
    for row in people.rows():
        if isinstance(row, Row):
            emails.add(row.email_key)
            if row.external_id is not None:
                external_ids.add(row.external_id)
    return emails, external_ids
