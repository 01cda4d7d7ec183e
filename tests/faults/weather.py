"""Which faults were active when, by the checker's monotonic clock, and what they excuse."""

import enum
import math
from collections import Counter

import attrs

SETTLE_S = 5.0
"""How long after the last fault the service may still be finding its feet."""
RECOVERY_S = 3.0
"""How long after a fault of PostgreSQL or of a process requests may still fail: pools connect anew."""


class Part(enum.Enum):
    """What a fault breaks, and so what it excuses."""

    CACHE = "cache"
    PROCESS = "process"
    DATABASE = "database"


@attrs.define(eq=False)
class Spell:
    """One fault from its beginning to the moment at which everything it broke runs again."""

    kind: str
    part: Part
    processes: frozenset[int]
    """The processes that are broken themselves; they alone are excused for it."""
    began_at: float
    ended_at: float = math.inf


@attrs.define
class Weather:
    """All faults of a run. They are few: hundreds in an hour."""

    settle_s: float = SETTLE_S
    recovery_s: float = RECOVERY_S
    spells: list[Spell] = attrs.field(factory=list, init=False)

    def begin(self, kind: str, part: Part, at: float, processes: frozenset[int] = frozenset()) -> Spell:
        spell = Spell(kind, part, processes, at)
        self.spells.append(spell)
        return spell

    def end(self, spell: Spell, at: float) -> None:
        spell.ended_at = at

    def is_quiet(self, since: float, until: float) -> bool:
        """Tell whether nothing was broken in this time, nor shortly before it."""
        return not any(
            spell.began_at <= until and spell.ended_at + self.settle_s > since for spell in self.spells
        )

    def excuses(self, process: int, since: float, until: float, *, is_write: bool) -> bool:
        """Tell whether a request to *process* may have failed because of PostgreSQL or of a process.

        A process that is stopped may hold the lock of a row, and then writes on others wait for it.
        """
        return any(
            spell.began_at <= until
            and spell.ended_at + self.recovery_s > since
            and (
                spell.part is Part.DATABASE
                or (spell.part is Part.PROCESS and (is_write or process in spell.processes))
            )
            for spell in self.spells
        )

    def counts(self) -> Counter[str]:
        return Counter(spell.kind for spell in self.spells)
