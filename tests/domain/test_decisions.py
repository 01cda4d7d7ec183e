"""What an operator may decide, and what a reason is."""

import pytest

from application.trail import SERVICE
from domain.audit import Entry
from domain.decision import REASON_LENGTH_MAX, allowed_to_operators
from domain.errors import InvalidField
from domain.message import Action, Status
from tests.contract.adapters import START


def decision(reason: str) -> Entry:
    return Entry(subject="smtp", action="resume", reason=reason, at=START, actor=SERVICE)


@pytest.mark.parametrize(
    ("reason", "kept"),
    (
        ("They rang.", "They rang."),
        ("  They \n\t rang.  ", "They rang."),
        ("Das Postfach läuft über 🎂", "Das Postfach läuft über 🎂"),
        ("x" * REASON_LENGTH_MAX, "x" * REASON_LENGTH_MAX),
    ),
)
def test_a_reason_is_kept_in_one_line(reason: str, kept: str) -> None:
    assert decision(reason).reason == kept


@pytest.mark.parametrize("reason", ("", " \n ", "x" * (REASON_LENGTH_MAX + 1), "a\0b", "a\x1bb", "a\u202eb"))
def test_what_says_nothing_or_cannot_be_read_is_no_reason(reason: str) -> None:
    with pytest.raises(InvalidField) as refused:
        decision(reason)
    assert refused.value.field == "reason"


@pytest.mark.parametrize(
    ("status", "allowed"),
    (
        (Status.SCHEDULED, [Action.CANCEL]),
        (Status.RETRYING, [Action.CANCEL]),
        (Status.SENDING, []),
        (Status.SENT, []),
        (Status.FAILED, [Action.RETRY, Action.LEAVE]),
        (Status.EXPIRED, [Action.RETRY, Action.LEAVE]),
        (Status.UNKNOWN, [Action.RETRY, Action.MARK_SENT, Action.LEAVE]),
        (Status.CANCELLED, [Action.RETRY]),
        (Status.SKIPPED, [Action.RETRY]),
    ),
)
def test_what_an_operator_may_do(status: Status, allowed: list[Action]) -> None:
    assert allowed_to_operators(status) == allowed
