"""The protocol's rules, each of which can be left out or changed, and how much is explored."""

from enum import Enum

import attrs


class Filling(Enum):
    """How a value that was read gets into the cache."""

    LEASE = "only over the lease that was taken before the read"
    SET = "by a plain SET"
    NX = "by SET NX"
    TOMBSTONE = "unless an invalidation left a newer version there"


class Acknowledging(Enum):
    """When PostgreSQL is told that a batch was carried out."""

    AFTER = "after Redis has answered"
    ROWS_BEFORE = "the rows before, the shard's number after"
    BEFORE = "both before"


@attrs.frozen(kw_only=True)
class Rules:
    """What everybody keeps to; the defaults are the protocol."""

    filling: Filling = Filling.LEASE
    deletes_leases: bool = True
    has_outbox: bool = True
    has_reader_lease: bool = True
    acknowledging: Acknowledging = Acknowledging.AFTER
    has_watermark: bool = True
    reuses_numbers: bool = False
    repairs_gaps_by_writing: bool = False
    fills_from_replica: bool = False
    redelivers_on_base: bool = True
    checks_after_reply: bool = True
    checks_epoch: bool = True
    begins_epochs: bool = True
    versions_every_change: bool = True
    needs_watermark: bool = True
    marks_invalidations: bool = False  # no rule, a memory: which invalidations each server has carried out


@attrs.frozen(kw_only=True)
class Bounds:
    """How much of everything there is; what is not named here happens any number of times.

    An upset is a failover or a restart from an old snapshot, a FLUSHALL, the loss of the watermark alone, or a
    bulk statement. *stragglers* are scripts whose sweeper has died and that Redis has yet to run.
    """

    commits: int = 2
    fills: int = 2
    copies: int = 1
    stragglers: int = 1
    upsets: int = 2
    epochs: int = 2
    failovers: bool = True
    flushes: bool = True
    loses_watermark: bool = True
    bulk: bool = True
    purges: bool = True
    warms: bool = True
    splits_batches: bool = True
    acknowledged_max: int = 9
