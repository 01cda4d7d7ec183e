"""What a file of people would bring, reckoned without a database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from uuid import UUID

import attrs

from application.people_rows import BadRow, PeopleFile, RowProblem
from domain.due import SendPolicy
from domain.errors import InvalidField, InvalidFields
from domain.plan import Owed, owed
from domain.telling import told
from domain.user import UserId, register


@attrs.frozen
class Simulation:
    """Every message that would go out, in the order in which they would, and what is wrong with the rows."""

    messages: Sequence[Owed]
    problems: Sequence[RowProblem]


def simulate(people: PeopleFile, policy: SendPolicy, first: date, last: date) -> Simulation:
    """Reckon the occasions on the local dates from *first* to *last*, as if all had registered before."""
    before = datetime.combine(first, time(0), UTC)
    problems = list(people.warnings)
    messages: list[Owed] = []
    for number, row in enumerate(people.rows()):
        if isinstance(row, BadRow):
            problems.extend(row.problems)
            continue
        problems.extend(row.warnings)
        try:
            user = register(UserId(UUID(int=number)), told(row.values), before)
        except InvalidFields as invalid:
            problems.extend(RowProblem(row.line, one.field, one.reason) for one in invalid.problems)
        except InvalidField as problem:
            problems.append(RowProblem(row.line, problem.field, problem.reason))
        else:
            messages.extend(owed(user, policy, first, last, before))
    messages.sort(key=lambda one: (one.message.due_at, one.user.email, one.occasion.kind))
    return Simulation(messages, problems)
