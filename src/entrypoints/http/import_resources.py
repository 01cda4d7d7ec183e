"""What is answered of imports."""

from collections.abc import Mapping, Sequence

from application.imports import ImportReport
from application.people_rows import Recognised, RowProblem
from application.undoing import UndoReport
from entrypoints.http.resources import Resource


class RowProblemResource(Resource, frozen=True):
    """What is wrong with a row of a file, or doubtful; the header is line 1."""

    line: int
    field: str | None
    reason: str

    @classmethod
    def of(cls, problem: RowProblem) -> "RowProblemResource":
        return cls(problem.line, problem.field, problem.reason)


class ImportProgress(Resource, frozen=True):
    """How far an import is."""

    rows: int
    done: int


class RecognisedResource(Resource, frozen=True, kw_only=True):
    """What a file was taken for; *columns* has the field that each column was read as."""

    format: str
    layout: str
    encoding: str
    delimiter: str | None
    date_order: str | None
    columns: Mapping[str, str]

    @classmethod
    def of(cls, recognised: Recognised) -> "RecognisedResource":
        return cls(**{name: getattr(recognised, name) for name in cls.__struct_fields__})


class ImportResource(Resource, frozen=True, kw_only=True):
    """What an import came to. *errors* and *warnings* list the first thousand of each.

    *importId* is what it is undone by, null for a dry run.
    """

    import_id: str | None
    rows: int
    created: int
    updated: int
    unchanged: int
    deactivated: int
    failed: int
    warned: int
    dry_run: bool
    recognised: RecognisedResource
    ignored_columns: Sequence[str]
    errors: Sequence[RowProblemResource]
    warnings: Sequence[RowProblemResource]

    @classmethod
    def of(cls, report: ImportReport, *, recognised: Recognised) -> "ImportResource":
        return cls(
            import_id=None if report.import_id is None else str(report.import_id),
            rows=report.rows,
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            deactivated=report.deactivated,
            failed=report.failed,
            warned=report.warned,
            dry_run=report.import_id is None,
            recognised=RecognisedResource.of(recognised),
            ignored_columns=recognised.ignored_columns,
            errors=[RowProblemResource.of(problem) for problem in report.errors],
            warnings=[RowProblemResource.of(problem) for problem in report.warnings],
        )


class UndoResource(Resource, frozen=True, kw_only=True):
    """What an undo took back, and what it left: changed since by somebody, or in the way of somebody."""

    undone: int
    changed_since: int
    in_the_way: int

    @classmethod
    def of(cls, report: UndoReport) -> "UndoResource":
        return cls(undone=report.undone, changed_since=report.changed_since, in_the_way=report.in_the_way)
