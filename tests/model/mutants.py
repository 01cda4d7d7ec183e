"""The protocol with one rule left out or changed, and the least in which that can be seen to be wrong."""

import attrs

from tests.model.rules import Acknowledging, Bounds, Filling, Rules


@attrs.frozen
class Mutant:
    """A protocol that must fail; *remark* says what an engineer has to know besides."""

    name: str
    rules: Rules
    bounds: Bounds
    remark: str = ""


_FAILOVER = Bounds(copies=1, upsets=1, failovers=True)

# The rows of the specification's table, in its order.
LISTED = (
    Mutant("the lease: a plain SET instead", Rules(filling=Filling.SET), Bounds()),
    Mutant("the lease: SET NX instead", Rules(filling=Filling.NX), Bounds()),
    Mutant("the lease is not deleted with the value", Rules(deletes_leases=False), Bounds()),
    Mutant(
        "tombstones instead of leases",
        Rules(filling=Filling.TOMBSTONE),
        Bounds(upsets=1, epochs=1, flushes=True),
        "Tombstones are never evicted here and have no lifetime. A lease lives under one epoch, and so does what "
        "is stored over it; nothing ties a reader without a lease to the epoch in which it began.",
    ),
    Mutant("the outbox", Rules(has_outbox=False), Bounds()),
    Mutant(
        "the reader's lease from PostgreSQL",
        Rules(has_reader_lease=False),
        Bounds(),
        "The same steps break a lease whose time is counted from PostgreSQL's answer: a process may be paused "
        "between the answer and its look at the clock.",
    ),
    Mutant(
        "acknowledged in PostgreSQL before Redis answered",
        Rules(acknowledging=Acknowledging.ROWS_BEFORE),
        Bounds(),
        "The rows are what must not be marked early. Raising the shard's number early as well is safe: it makes "
        "every watermark too old, so that the missing batch is found to be a gap.",
    ),
    Mutant(
        "the watermark",
        Rules(has_watermark=False),
        _FAILOVER,
        "It takes no failover: the watermark also dates a reply on which a paused process comes late.",
    ),
    Mutant(
        "the watermark, with a failover and nobody paused",
        Rules(has_watermark=False),
        attrs.evolve(_FAILOVER, watches=False),
    ),
    Mutant(
        "batch numbers reused after a rollback",
        Rules(never_reuses_numbers=False),
        Bounds(commits=2, acknowledged_max=2),
        "A rollback is not the only way to use a number again. What nextval gives is durable only when the "
        "transaction that asked for it has committed, so a number that was shown to Redis before may be drawn "
        "again after PostgreSQL was killed.",
    ),
    Mutant(
        "batch numbers reused after a rollback, with a failover and nobody paused",
        Rules(never_reuses_numbers=False),
        attrs.evolve(_FAILOVER, commits=2, acknowledged_max=2, watches=False),
    ),
    Mutant("a gap 'repaired' by writing the watermark", Rules(redelivers=False), _FAILOVER),
    Mutant("fills from a lagging PostgreSQL replica", Rules(fills_from_primary=False), Bounds()),
    Mutant(
        "delivering again without the base, two failovers",
        Rules(redelivers_on_base=False),
        Bounds(copies=2, upsets=2, failovers=True, others=True, watches=False),
    ),
)

# What the table does not name, and an implementation gets wrong easily.
FURTHER = (
    Mutant(
        "the lease's token names the process, not the task",
        Rules(has_unique_tokens=False),
        Bounds(fills=2, watches=False),
        "Step 7 is another reader of the same process, with the same token and so the same name.",
    ),
    Mutant(
        "the reader's lease is looked at before the read, and not after the reply",
        Rules(checks_after_reply=False),
        Bounds(),
        "After the last step the process is paused for as long as it takes.",
    ),
    Mutant(
        "a reply is not held against the epoch of the newest poll",
        Rules(checks_epoch=False),
        Bounds(upsets=1, epochs=1, bulk=True),
    ),
    Mutant(
        "the value is read first and the watermark after it",
        Rules(reads_at_once=False),
        Bounds(),
        "Two commands in one pipeline are two reads: another client's script may run in between.",
    ),
    Mutant(
        "a poll asks for the acknowledged number first and for overdue keys after it",
        Rules(polls_at_once=False),
        _FAILOVER,
        "One statement has one snapshot; two statements at READ COMMITTED have two.",
    ),
    Mutant(
        "a missing watermark passes the check",
        Rules(needs_watermark=False),
        Bounds(copies=1, upsets=2, failovers=True, loses_watermark=True, watches=False),
    ),
    Mutant(
        "a missing watermark is written again instead of a new epoch",
        Rules(begins_epochs=False),
        Bounds(copies=1, upsets=2, failovers=True, loses_watermark=True, watches=False),
    ),
    Mutant(
        "delivered rows are purged, and nobody remembers how far",
        Rules(remembers_purges=False),
        attrs.evolve(_FAILOVER, purges=True, watches=False),
    ),
    Mutant(
        "a sweeper acknowledges although it has lost the lock",
        Rules(acknowledges_under_lock=False),
        Bounds(commits=2, stragglers=1, splits_batches=True),
        "The batches are parts of what waits, as when more rows wait than a batch takes.",
    ),
    Mutant(
        "a change by hand leaves the version as it was, and the sweep keeps 'the same version'",
        Rules(versions_every_change=False),
        Bounds(),
        "So versions are the database's business (a trigger counts where a statement does not), or the sweep deletes whatever it finds. The key of "
        "an e-mail address goes from one user to another, whose versions have nothing to do with each other: "
        "there it must.",
    ),
    Mutant(
        "the writer deletes in one epoch only",
        Rules(deletes_in_old_epochs=False),
        Bounds(commits=2, upsets=1, epochs=1, bulk=True, promises=True),
        "G2, not the bound: for up to T processes read two epochs side by side.",
    ),
)
