"""The sweeper: claim, deliver, acknowledge; find a gap; begin an epoch; be killed anywhere."""

from itertools import combinations

from tests.model.canonical import newest_number
from tests.model.rules import Acknowledging, Bounds, Label, Rules, Steps
from tests.model.shelves import promising, swept
from tests.model.state import (
    ABSENT,
    GONE,
    PENDING,
    Postgres,
    Script,
    Server,
    State,
    Sweep,
    pending,
    with_shelf,
)


def sweeper_steps(state: State, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Add what the sweeper that holds the lock can do, and the scripts of those that have lost it."""
    sweep = state.sweep
    if sweep is None:
        _claim(state, rules, bounds, out)
        if bounds.purges:
            _purge(state, rules, out)
    else:
        if sweep.is_answered:
            _acknowledge(state, sweep.script, out)
        else:
            _send(state, sweep.script, rules, bounds, out)
        out.append((("dies",), state._replace(sweep=None)))
        if not sweep.is_answered and len(state.stragglers) < bounds.stragglers:
            script = sweep.script
            if rules.acknowledges_under_lock:
                script = script._replace(rows=script.rows[-1:])
            stragglers = tuple(sorted((*state.stragglers, script)))
            out.append((("dies_sending",), state._replace(sweep=None, stragglers=stragglers)))
    for index in range(len(state.stragglers)):
        _straggle(state, index, rules, bounds, out)


def _claim(state: State, rules: Rules, bounds: Bounds, out: Steps) -> None:
    postgres = state.postgres
    if postgres.acknowledged >= bounds.acknowledged_max:
        return
    waiting, watermark = pending(postgres), state.primary[postgres.epoch].watermark
    sizes = range(1, len(waiting) + 1) if bounds.splits_batches else [len(waiting)] if waiting else []
    chosen = [rows for size in sizes for rows in combinations(waiting, size)]
    if bounds.others or (not waiting and rules.has_watermark and watermark < postgres.acknowledged):
        chosen.append(())  # rows of other keys wait, or it looked and found a gap
    number = _number(state, rules)
    for rows in chosen:
        script = Script(False, number, postgres.acknowledged, rows, postgres.epoch)
        known = postgres
        if rules.acknowledging is not Acknowledging.AFTER:
            known = _delivered(known, rows, number)
        if rules.acknowledging is Acknowledging.BEFORE:
            known = known._replace(acknowledged=number)
        out.append((("claims", number, *rows), state._replace(postgres=known, sweep=Sweep(False, script))))
        if bounds.bulk and state.upsets and postgres.epoch < bounds.epochs:
            begin = Script(True, number, 0, rows, postgres.epoch + 1)
            after = state._replace(sweep=Sweep(False, begin), upsets=state.upsets - 1)
            out.append((("claims_all", number), after))


def _send(state: State, script: Script, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Run the script; what it reports is acted upon in the same step, up to the next script."""
    postgres, found = state.postgres, state.primary[script.epoch].watermark
    primary = _ran(state, script, rules, bounds)
    if primary is not None:
        label = ("prepares_epoch", script.number) if script.begins else ("delivers", script.number)
        out.append((label, state._replace(primary=primary, sweep=Sweep(True, script))))
    elif found == ABSENT and not rules.begins_epochs:
        again = script._replace(base=ABSENT)
        out.append((("rewrites", script.base), state._replace(sweep=Sweep(False, again))))
    elif found < postgres.purged or found == ABSENT:
        if script.epoch < bounds.epochs:
            begin = Script(True, _number(state, rules), 0, script.rows, script.epoch + 1)
            out.append((("finds_nothing", found), state._replace(sweep=Sweep(False, begin))))
    elif not rules.redelivers:
        again = script._replace(base=0)
        out.append((("ignores_gap", found, script.base), state._replace(sweep=Sweep(False, again))))
    else:
        missed = {version for version, row in enumerate(postgres.rows, 1) if row > found}
        rows = tuple(sorted(missed.union(script.rows)))
        base = found if rules.redelivers_on_base else 0
        again = Script(False, _number(state, rules), base, rows, script.epoch)
        gap: Label = ("finds_gap", found, script.base, again.number, *rows)
        out.append((gap, state._replace(sweep=Sweep(False, again))))


def _straggle(state: State, index: int, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Let Redis run a script whose sweeper has lost the lock; nobody waits for the answer."""
    script = state.stragglers[index]
    stragglers = state.stragglers[:index] + state.stragglers[index + 1 :]
    primary = _ran(state, script, rules, bounds)
    after = state._replace(primary=primary or state.primary, stragglers=stragglers)
    out.append((("straggles", script.number, int(primary is not None)), after))
    if not rules.acknowledges_under_lock and primary is not None and not script.begins:
        known = _delivered(state.postgres, script.rows, script.number)
        known = known._replace(acknowledged=max(known.acknowledged, script.number))
        out.append((("straggles_and_acknowledges", script.number), after._replace(postgres=known)))


def _ran(state: State, script: Script, rules: Rules, bounds: Bounds) -> Server | None:
    shelf = swept(state.primary[script.epoch], script, rules)
    if shelf is None:
        return None
    if bounds.promises and script.rows and not script.begins:
        shelf = promising(shelf, script.rows[-1])
    return with_shelf(state.primary, script.epoch, shelf)


def _acknowledge(state: State, script: Script, out: Steps) -> None:
    known = _delivered(state.postgres, script.rows, script.number)
    known = known._replace(acknowledged=script.number)
    if script.begins:
        known = known._replace(epoch=max(known.epoch, script.epoch))
    label = "begins_epoch" if script.begins else "acknowledges"
    out.append(((label, script.number), state._replace(postgres=known, sweep=None)))


def _purge(state: State, rules: Rules, out: Steps) -> None:
    """Forget a row that was delivered long ago."""
    postgres = state.postgres
    for index, row in enumerate(postgres.rows[: postgres.aged]):
        if row not in {PENDING, GONE}:
            rows = (*postgres.rows[:index], GONE, *postgres.rows[index + 1 :])
            through = max(postgres.purged, row) if rules.remembers_purges else postgres.purged
            known = postgres._replace(rows=rows, purged=through)
            out.append((("purges", index + 1), state._replace(postgres=known)))


def _number(state: State, rules: Rules) -> int:
    return newest_number(state) + 1 if rules.never_reuses_numbers else state.postgres.acknowledged + 1


def _delivered(postgres: Postgres, versions: tuple[int, ...], number: int) -> Postgres:
    rows = [number if version in versions else row for version, row in enumerate(postgres.rows, 1)]
    return postgres._replace(rows=tuple(rows))
