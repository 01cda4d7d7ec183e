"""A path through the model in sentences."""

from collections.abc import Sequence

from tests.model.explorer import Report, labels
from tests.model.protocol import Protocol
from tests.model.rules import Label
from tests.model.state import Accepted, Poll, Reply, State

_SENTENCES = {
    "commits": "Version {0} is committed.",
    "ages": "Version {0} becomes older than B.",
    "deletes": "The writer of version {0} deletes the key, and its response leaves.",
    "leases": "Reader {0} finds nothing and takes the lease.",
    "reads_row": "Reader {1} reads version {0} from PostgreSQL.",
    "commits_to_warm": "Reader {1}, which is a writer that warms, commits version {0}.",
    "stores": "Reader {1} stores version {0}.",
    "gives_up": "Reader {1} does not store version {0}: the key no longer holds its lease.",
    "emptied": "The key is evicted or expires, or its writer deletes it.",
    "polls": "A process polls: nothing is overdue, and batch {0} is the last acknowledged one.",
    "asks": "A process asks for the last acknowledged batch, which is {0}.",
    "lists": "The same process asks for overdue keys, and there is none.",
    "reads": "A process reads version {0} with watermark {1}; the reply is slow, or the process paused.",
    "reads_value": "A process reads version {0}.",
    "reads_watermark": "The same process reads the watermark, {0}.",
    "accepts": "A process polls, reads version {0} with a good watermark, and will not look again.",
    "copied": "A copy catches up: a replica, or a snapshot.",
    "fails_over": "The copy becomes the primary: a failover, or a restart from the snapshot.",
    "flushes": "FLUSHALL.",
    "watermark_lost": "Redis loses the watermark, and no other key.",
    "bulk": "A bulk statement commits version {0} and a new epoch.",
    "claims": "A sweeper takes the shard's lock and draws number {0} for {rows}.",
    "claims_all": "A sweeper takes the shard's lock and draws number {0} for a new epoch.",
    "delivers": "Redis carries out batch {0}.",
    "finds_gap": "Redis reports a gap: watermark {0}, base {1}. The sweeper draws number {2} for {rows}.",
    "ignores_gap": "Redis reports a gap: watermark {0}, base {1}. The sweeper sends its batch without a base.",
    "finds_nothing": "Redis reports that history is lost, and the sweeper draws a number for a new epoch.",
    "rewrites": "Redis reports that the watermark is gone. The sweeper sends its batch without a base.",
    "prepares_epoch": "Redis writes the new epoch's watermark, {0}.",
    "acknowledges": "PostgreSQL learns that batch {0} was carried out.",
    "begins_epoch": "PostgreSQL learns of the new epoch and of number {0}, and everybody uses it.",
    "purges": "The row of version {0} is purged.",
    "dies": "The sweeper dies, and its transaction is rolled back.",
    "dies_sending": "The sweeper loses the lock; its script is still on its way.",
    "straggles": "Redis runs the script of batch {0}, whose sweeper has lost the lock.",
    "straggles_and_acknowledges": "Redis runs the script of batch {0}, whose sweeper acknowledges it.",
}
_FIRST_ROW = {"claims": 1, "finds_gap": 3}


def story(protocol: Protocol, report: Report[State]) -> list[str]:
    """Return the counterexample of *report*, a sentence for each step and one for what is wrong."""
    found = labels(protocol.first(), report.path, protocol.plain_steps, protocol.name)
    assert report.violation is not None
    return [*[_sentence(label, protocol) for label in found], _last(report.path, report.violation)]


def _sentence(label: Label, protocol: Protocol) -> str:
    name, *values = label
    if name == "polls" and not protocol.rules.polls_at_once:
        name = "asks"
    rows = "other keys"
    if name in _FIRST_ROW and values[_FIRST_ROW[str(name)] :]:
        versions = [str(value) for value in values[_FIRST_ROW[str(name)] :]]
        rows = f"version{'s' * (len(versions) > 1)} {' and '.join(versions)}"
    return _SENTENCES[str(name)].format(*values, rows=rows)


def _last(path: Sequence[State], violation: str) -> str:
    match path[-1].watcher:
        case _ if not violation.startswith("G5"):
            begins = ""
        case Accepted():
            begins = "It serves what it read. "
        case Poll():
            begins = "Within T of its poll the process reads and serves the value. "
        case Reply():
            begins = "The process polls, gets to the reply and serves the value. "
        case _:
            begins = "A process polls, reads the value and serves it. "
    return begins + violation + "."
