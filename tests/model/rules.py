"""The protocol's rules, each of which can be left out or changed, and how much is explored."""

from enum import Enum
from typing import TypeAlias

import attrs

from tests.model.state import State

Label: TypeAlias = tuple[str | int, ...]
Steps: TypeAlias = list[tuple[Label, State]]


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
    never_reuses_numbers: bool = True
    redelivers: bool = True
    redelivers_on_base: bool = True
    fills_from_primary: bool = True
    # What the specification's table does not name.
    checks_after_reply: bool = True
    checks_epoch: bool = True
    reads_at_once: bool = True
    polls_at_once: bool = True
    needs_watermark: bool = True
    begins_epochs: bool = True
    remembers_purges: bool = True
    acknowledges_under_lock: bool = True
    versions_every_change: bool = True
    deletes_in_old_epochs: bool = True
    has_unique_tokens: bool = True


@attrs.frozen(kw_only=True)
class Bounds:
    """How much of everything there is; what is not named here happens any number of times.

    An upset is a failover or a restart from an old snapshot, a FLUSHALL, the loss of the watermark alone, or a
    bulk statement. *stragglers* are scripts whose sweeper has died and that Redis has yet to run. *others* are
    batches for other keys of the shard. *watches* lets a poll and the read of a hit lie far apart. *inside*
    asks for G4 in every state, and not for hits only; *promises* for G2 and G3 too, for which each server
    remembers what it has invalidated.
    """

    commits: int = 1
    fills: int = 1
    copies: int = 0
    stragglers: int = 0
    upsets: int = 0
    epochs: int = 0
    failovers: bool = False
    flushes: bool = False
    loses_watermark: bool = False
    bulk: bool = False
    purges: bool = False
    warms: bool = False
    splits_batches: bool = False
    others: bool = False
    watches: bool = True
    inside: bool = False
    promises: bool = False
    acknowledged_max: int = 1_000_000
