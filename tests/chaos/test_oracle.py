"""The judge finds what it is there for, and nothing where nothing is wrong."""

import pytest

from tests.chaos.book import Entry, Fate
from tests.chaos.ledger import Row
from tests.chaos.oracle import Verdict, judge

ADA = "2027-03-14.birthday.ada"


def posted(*fates: Fate, at: float = 10.0, key: str = ADA) -> list[Entry]:
    return [Entry(at + number, key, ADA, "well", fate) for number, fate in enumerate(fates)]


def judged(
    status: str | None, *fates: Fate, deduplicates: bool = False, due_at: float = 10.0, rows: int = 1
) -> Verdict:
    ledger = {} if status is None else {ADA: [Row(status, due_at)] * rows}
    return judge([ADA], ledger, posted(*fates), deduplicates=deduplicates)


def test_an_entry_of_the_book_is_read_as_it_was_written() -> None:
    entry = Entry(1.5, ADA, ADA, "hangs", Fate.IN_DOUBT)
    assert Entry.parse(entry.line()) == entry


@pytest.mark.parametrize(
    ("status", "fates"),
    (
        ("SENT", (Fate.ACCEPTED,)),
        ("SENT", (Fate.REFUSED, Fate.REFUSED, Fate.ACCEPTED)),
        ("UNKNOWN", ()),
        ("UNKNOWN", (Fate.ACCEPTED,)),
        ("UNKNOWN", (Fate.REFUSED, Fate.IN_DOUBT)),
    ),
)
def test_what_was_sent_once_or_is_said_to_be_unknown_is_right(status: str, fates: tuple[Fate, ...]) -> None:
    assert not judged(status, *fates).violations


def test_a_provider_that_knows_the_key_may_get_it_again() -> None:
    verdict = judged("SENT", Fate.IN_DOUBT, Fate.ACCEPTED, Fate.REPEATED, deduplicates=True)
    assert not verdict.violations
    assert (verdict.accepted, verdict.twice, verdict.received_twice) == (1, 0, 1)


@pytest.mark.parametrize("status", (None, "SCHEDULED", "RETRYING", "SENDING", "FAILED", "EXPIRED", "SENT"))
def test_what_nobody_will_send_is_lost(status: str | None) -> None:
    verdict = judged(status)
    assert verdict.lost == 1
    assert verdict.violations


def test_what_was_accepted_and_is_not_known_to_be_sent_is_lost_to_its_ledger() -> None:
    assert judged("RETRYING", Fate.ACCEPTED).violations == ["lost: left RETRYING, though accepted: 1"]


@pytest.mark.parametrize("deduplicates", (True, False))
@pytest.mark.parametrize("status", ("SENT", "UNKNOWN"))
def test_what_was_accepted_twice_is_found(status: str, *, deduplicates: bool) -> None:
    verdict = judged(status, Fate.ACCEPTED, Fate.ACCEPTED, deduplicates=deduplicates)
    assert verdict.twice == 1
    assert "accepted more than once: 1" in verdict.violations


def test_another_key_makes_no_other_message_of_it() -> None:
    book = [*posted(Fate.ACCEPTED), *posted(Fate.ACCEPTED, at=11, key="another")]
    verdict = judge([ADA], {ADA: [Row("SENT", 10)]}, book, deduplicates=True)
    assert (verdict.accepted, verdict.twice) == (1, 1)


@pytest.mark.parametrize("last", (Fate.REFUSED, Fate.IN_DOUBT, Fate.ACCEPTED))
def test_nothing_may_come_after_what_nobody_knows_the_outcome_of(last: Fate) -> None:
    verdict = judged("UNKNOWN", Fate.IN_DOUBT, last)
    assert verdict.violations == ["sent again though its outcome was not known: 1"]


def test_who_is_greeted_too_early_or_without_a_reason_or_by_two_rows_is_found() -> None:
    assert judged("SENT", Fate.ACCEPTED, due_at=10.1).violations == ["sent before it was due: 1"]
    assert judged("SENT", Fate.ACCEPTED, rows=2).violations == ["more than one row: 1"]
    verdict = judge([], {}, posted(Fate.ACCEPTED), deduplicates=True)
    assert verdict.violations == ["of nobody who was to be greeted: 1"]


def test_a_step_that_nobody_may_take_is_told() -> None:
    verdict = judge(
        [ADA],
        {ADA: [Row("SENT", 1)]},
        posted(Fate.ACCEPTED),
        deduplicates=True,
        forbidden={"SENT -> RETRYING": 3},
    )
    assert verdict.violations == ["step that nobody may take: SENT -> RETRYING: 3"]
