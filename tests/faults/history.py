"""What was written and what was read, and which reads should not have been: the judgement, without any I/O.

A state of a person is what one commit left: the marker that the write put into it, and the address. PostgreSQL
tells the order in which the states of a person were committed. *When* is never asked of it: a state is known to
be committed from the moment on at which somebody had seen it, by the checker's own clock, and a read that
began later than that and shows an earlier state is stale by at least the difference. What is counted is
thereby never more than the truth.
"""

import enum
import math
from collections.abc import Iterable, Sequence

import attrs

from tests.faults.weather import Weather

BOUND_S = 5.0
"""The largest staleness that is promised."""


class Guarantee(enum.Enum):
    """What a read, a write or a request may violate."""

    G2 = "G2 read your writes"
    G3 = "G3 no stale value stays"
    G4 = "G4 no lost invalidation"
    G5 = "G5 staleness bound"
    G6 = "G6 answers without Redis"
    G9 = "G9 checked reference"
    G10 = "G10 changes by hand"
    REAL = "only what was committed"
    DURABLE = "no lost write"


@attrs.frozen
class Violation:
    """A guarantee that did not hold, told without anybody's name or address."""

    guarantee: Guarantee
    text: str


class Fate(enum.Enum):
    """What is known of a write by its answer."""

    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"
    AMBIGUOUS = "ambiguous"


@attrs.define(eq=False)
class Write:
    """A write, known by its marker. *process* is None for SQL by hand."""

    marker: int
    process: int | None
    begun_at: float
    fate: Fate = Fate.OPEN
    done_at: float = math.inf
    was_killed: bool = False
    """Its process was killed while the write was under way."""


@attrs.define(eq=False)
class State:
    """What a commit left of a person."""

    write: Write
    person: int
    address: str
    seen_at: float

    @property
    def known_at(self) -> float:
        """From when on it is certain that this is committed."""
        return min(self.seen_at, self.write.done_at)


@attrs.frozen
class Read:
    """An answered read; ``shown`` is None where nobody was found, which only a read by address may say."""

    process: int
    begun_at: float
    ended_at: float
    source: str
    shown: tuple[int, int, str] | None
    """Person, marker, address."""
    asked: str | int
    """The person, or the address."""


@attrs.frozen
class Tenure:
    """From this state on an address is a person's; nobody's if that is None."""

    state: State
    person: int | None


@attrs.define
class History:
    """The writes of a run, and the judgement of its reads, which are not kept.

    A read may be judged once every commit is told that was visible when the read had ended, and reads are
    judged in the order in which they ended.
    """

    weather: Weather
    bound_s: float = BOUND_S
    worst_s: float = attrs.field(default=0.0, init=False)
    worst_by_source: dict[str, float] = attrs.field(factory=dict, init=False)
    _writes: dict[int, Write] = attrs.field(factory=dict, init=False)
    _states: dict[int, list[State]] = attrs.field(factory=dict, init=False)
    _index: dict[tuple[int, int], int] = attrs.field(factory=dict, init=False)
    _tenures: dict[str, list[Tenure]] = attrs.field(factory=dict, init=False)

    def begin(self, marker: int, process: int | None, at: float) -> Write:
        write = self._writes[marker] = Write(marker, process, at)
        return write

    def done(self, write: Write, at: float) -> None:
        """Note that the write was answered with success, or that SQL's commit has returned."""
        write.fate = Fate.DONE
        write.done_at = at

    def committed(self, person: int, marker: int, address: str, seen_at: float) -> None:
        """Note the next state of a person, in PostgreSQL's order, which was visible before *seen_at*."""
        # A marker of nobody's is somebody else's write: it may have begun at any time.
        write = self._writes.setdefault(marker, Write(marker, None, -math.inf, Fate.AMBIGUOUS))
        state = State(write, person, address, seen_at)
        states = self._states.setdefault(person, [])
        before = states[-1].address if states else None
        self._index[person, marker] = len(states)
        states.append(state)
        if before != address:
            if before is not None:
                self._tenures.setdefault(before, []).append(Tenure(state, None))
            self._tenures.setdefault(address, []).append(Tenure(state, person))

    def current(self, person: int) -> State | None:
        states = self._states.get(person)
        return states[-1] if states else None

    def owner(self, address: str) -> int | None:
        tenures = self._tenures.get(address)
        return tenures[-1].person if tenures else None

    def unlearned(self) -> Iterable[Violation]:
        """Tell of every write that was answered with success and is in no history; asked at the end."""
        stored = {marker for _, marker in self._index}
        for write in self._writes.values():
            if write.fate is Fate.DONE and write.marker not in stored:
                yield Violation(
                    Guarantee.DURABLE, f"write {write.marker} was answered and is not in PostgreSQL"
                )
            elif write.fate is Fate.REFUSED and write.marker in stored:
                yield Violation(Guarantee.DURABLE, f"write {write.marker} was refused and is in PostgreSQL")

    def resolved(self) -> tuple[int, int]:
        """Return how many ambiguous writes were committed, and how many of these had their process killed."""
        stored = {marker for _, marker in self._index}
        found = [
            write
            for write in self._writes.values()
            if write.fate in {Fate.AMBIGUOUS, Fate.OPEN}
            and write.marker in stored
            and write.begun_at > -math.inf
        ]
        return len(found), sum(write.was_killed for write in found)

    def judge(self, read: Read) -> Violation | None:
        """Return what is wrong with a read, the worst of it; remember how stale it was."""
        if read.shown is None:
            return self._judge_absence(read)
        person, marker, address = read.shown
        where = f"{_what(read)} on process {read.process} ({read.source})"
        if isinstance(read.asked, str) and address.lower() != read.asked.lower():
            return Violation(Guarantee.G9, f"{where} answered somebody who has another address")
        index = self._index.get((person, marker))
        if (
            index is None
            or self._states[person][index].address != address
            or read.asked not in {person, address}
        ):
            return Violation(Guarantee.REAL, f"{where} showed what was never committed (marker {marker})")
        states = self._states[person]
        states[index].seen_at = min(states[index].seen_at, read.ended_at)
        return self._judge_age(read, where, states[index + 1 :])

    def _judge_absence(self, read: Read) -> Violation | None:
        where = f"{_what(read)} on process {read.process}"
        tenures = self._tenures.get(str(read.asked), []) if isinstance(read.asked, str) else None
        if tenures is None:
            return Violation(Guarantee.REAL, f"{where} found nobody, and nobody was ever removed")
        # The last time at which nobody had it that may have begun before the read ended.
        for index in range(len(tenures) - 1, -1, -1):
            tenure = tenures[index]
            if tenure.person is None and tenure.state.write.begun_at <= read.ended_at:
                return self._judge_age(read, where, [one.state for one in tenures[index + 1 :]])
        return self._judge_age(read, where, [one.state for one in tenures])

    def _judge_age(self, read: Read, where: str, later: Sequence[State]) -> Violation | None:
        """Judge a read by the states that came after the one it shows."""
        if not later:
            return None
        known_at = min(state.known_at for state in later)
        stale_s = read.begun_at - known_at
        if stale_s <= 0:
            return None
        self.worst_s = max(self.worst_s, stale_s)
        self.worst_by_source[read.source] = max(self.worst_by_source.get(read.source, 0.0), stale_s)
        if stale_s > self.bound_s:
            missed = [state.write for state in later if read.begun_at - state.known_at > self.bound_s]
            return Violation(_blame(missed), f"{where} was {stale_s:.3f} s stale (write {missed[0].marker})")
        for state in later:
            write = state.write
            if (
                write.process is not None
                and write.done_at < read.begun_at
                and self.weather.is_quiet(write.begun_at, read.ended_at)
            ):
                late_s = read.begun_at - write.done_at
                return Violation(
                    Guarantee.G2,
                    f"{where} missed write {write.marker}, answered by process {write.process} {late_s:.3f} s before",
                )
        return None


def _blame(missed: Sequence[Write]) -> Guarantee:
    """Say whose invalidation is missing: of a killed process, of anybody over HTTP, or only of SQL by hand."""
    over_http = [write for write in missed if write.process is not None]
    if not over_http:
        return Guarantee.G10
    return Guarantee.G4 if all(write.was_killed for write in over_http) else Guarantee.G5


def _what(read: Read) -> str:
    return "a read by address" if isinstance(read.asked, str) else "a read by id"
