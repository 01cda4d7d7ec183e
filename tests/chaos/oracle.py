"""The judge: people who were to be greeted, the ledger and the provider's book, compared once all is quiet."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import attrs

from tests.chaos.book import Entry, Fate
from tests.chaos.ledger import Row

_CLOSED = {"SENT", "UNKNOWN"}


@attrs.frozen(kw_only=True)
class Verdict:
    """What was found; *violations* is empty if all is well."""

    messages: int
    accepted: int
    lost: int
    """Nobody will send it, or it is said to be sent and was not."""
    twice: int
    """Accepted more than once."""
    unknown: int
    unknown_and_accepted: int
    received_twice: int
    """Accepted, and posted again: a provider that de-duplicates lets it count once."""
    requests: int
    whims: Mapping[str, int]
    violations: Sequence[str]


def judge(
    expected: Collection[str],
    ledger: Mapping[str, Sequence[Row]],
    book: Sequence[Entry],
    *,
    deduplicates: bool,
    forbidden: Mapping[str, int] | None = None,
) -> Verdict:
    """Compare. A message counts by its occasion, whatever key it was posted under."""
    requests: dict[str, list[Entry]] = {}
    for entry in book:
        requests.setdefault(entry.occasion, []).append(entry)
    accepted = Counter(entry.occasion for entry in book if entry.fate is Fate.ACCEPTED)
    status = {occasion: rows[0].status for occasion, rows in ledger.items()}
    lost = {
        occasion: _what_is_lost(status.get(occasion), accepted[occasion])
        for occasion in expected
        if status.get(occasion) not in _CLOSED or (status[occasion] == "SENT" and not accepted[occasion])
    }
    twice = [occasion for occasion, times in accepted.items() if times > 1]
    repeated = [] if deduplicates else [one for one, some in requests.items() if _was_repeated(some)]
    early = [
        occasion
        for occasion, some in requests.items()
        if occasion in ledger and some[0].at < ledger[occasion][0].due_at
    ]
    found = {
        **{f"lost: {what}": times for what, times in Counter(lost.values()).items()},
        "accepted more than once": len(twice),
        "sent again though its outcome was not known": len(repeated),
        "sent before it was due": len(early),
        "of nobody who was to be greeted": len(requests.keys() - set(expected)),
        "more than one row": sum(len(rows) > 1 for rows in ledger.values()),
        **{f"step that nobody may take: {step}": times for step, times in (forbidden or {}).items()},
    }
    unknown = [occasion for occasion, told in status.items() if told == "UNKNOWN"]
    return Verdict(
        messages=len(expected),
        accepted=len(accepted),
        lost=len(lost),
        twice=len(twice),
        unknown=len(unknown),
        unknown_and_accepted=sum(accepted[occasion] > 0 for occasion in unknown),
        received_twice=sum(_times_received(some) > 1 for some in requests.values()),
        requests=len(book),
        whims=Counter(entry.whim for entry in book),
        violations=[f"{what}: {times}" for what, times in found.items() if times],
    )


def _what_is_lost(status: str | None, accepted: int) -> str:
    if status is None:
        return "never planned"
    if status == "SENT":
        return "SENT, and not in the book"
    return f"left {status}{', though accepted' if accepted else ''}"


def _was_repeated(requests: Sequence[Entry]) -> bool:
    """Tell whether anything came after a request of which nobody but the provider knew what became of it."""
    return any(entry.fate is not Fate.REFUSED for entry in requests[:-1])


def _times_received(requests: Sequence[Entry]) -> int:
    return sum(entry.fate in {Fate.ACCEPTED, Fate.REPEATED} for entry in requests)
