"""The sweeper's steps: claim, deliver, acknowledge; find a gap; begin an epoch; die anywhere."""

from itertools import combinations

from tests.model.canonical import newest_number
from tests.model.rules import Acknowledging, Bounds, Rules
from tests.model.shelves import swept
from tests.model.state import ABSENT, GONE, PENDING, Postgres, Script, State, Sweep
from tests.model.steps import Steps, with_shelf


def sweeper_steps(state: State, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Add what the one sweeper that holds the lock can do, and the scripts of those that lost it."""
    sweep = state.sweep
    if sweep is None:
        _claim(state, rules, bounds, out)
        if bounds.purges:
            _purge(state, out)
    else:
        if sweep.is_answered:
            _acknowledge(state, sweep, out)
        elif sweep.script.begins:
            _prepare_epoch(state, sweep, rules, out)
        else:
            _deliver(state, sweep, rules, bounds, out)
        out.append((("dies",), state._replace(sweep=None)))
        if not sweep.is_answered and len(state.stragglers) < bounds.stragglers:
            stragglers = tuple(sorted((*state.stragglers, sweep.script)))
            out.append((("dies_sending",), state._replace(sweep=None, stragglers=stragglers)))
    for index, script in enumerate(state.stragglers):
        left = state.stragglers[:index] + state.stragglers[index + 1 :]
        shelf = swept(state.primary[script.epoch], script, rules)
        primary = state.primary if shelf is None else with_shelf(state.primary, script.epoch, shelf)
        label = ("straggles", script.number, int(shelf is not None))
        out.append((label, state._replace(primary=primary, stragglers=left)))


def _number(state: State, rules: Rules) -> int:
    return state.postgres.acknowledged + 1 if rules.reuses_numbers else newest_number(state) + 1


def _claim(state: State, rules: Rules, bounds: Bounds, out: Steps) -> None:
    postgres = state.postgres
    if postgres.acknowledged >= bounds.acknowledged_max:
        return
    pending = [version for version, row in enumerate(postgres.rows, 1) if row == PENDING]
    watermark = state.primary[postgres.epoch].watermark
    if not pending and (not rules.has_watermark or watermark >= postgres.acknowledged):
        return  # it looked, and there is nothing to do
    sizes = range(1, len(pending) + 1) if bounds.splits_batches else [len(pending)]
    chosen = [rows for size in sizes for rows in combinations(pending, size)] or [()]
    number = _number(state, rules)
    for rows in chosen:
        script = Script(False, number, postgres.acknowledged, max(rows, default=0), postgres.epoch)
        known = postgres
        if rules.acknowledging is not Acknowledging.AFTER:
            known = _delivered(known, rows, number)
        if rules.acknowledging is Acknowledging.BEFORE:
            known = known._replace(acknowledged=number)
        out.append(
            (("claims", number, *rows), state._replace(postgres=known, sweep=Sweep(False, script, rows)))
        )


def _deliver(state: State, sweep: Sweep, rules: Rules, bounds: Bounds, out: Steps) -> None:
    """Run the script; what it reports is acted upon in the same step, up to the next script."""
    script, postgres = sweep.script, state.postgres
    shelf, found = swept(state.primary[script.epoch], script, rules), state.primary[script.epoch].watermark
    if shelf is not None:
        primary = with_shelf(state.primary, script.epoch, shelf)
        after = state._replace(primary=primary, sweep=sweep._replace(is_answered=True))
        out.append((("delivers", script.number), after))
    elif found == ABSENT and not rules.begins_epochs:
        primary = with_shelf(
            state.primary, script.epoch, state.primary[script.epoch]._replace(watermark=script.base)
        )
        out.append((("rewrites",), state._replace(primary=primary)))
    elif found < postgres.purged or found == ABSENT:
        if script.epoch < bounds.epochs:
            begin = Script(True, _number(state, rules), 0, 0, script.epoch + 1)
            out.append((("finds_nothing", found), state._replace(sweep=Sweep(False, begin, ()))))
    elif rules.repairs_gaps_by_writing:
        again = script._replace(base=0)
        out.append((("ignores_gap", found), state._replace(sweep=sweep._replace(script=again))))
    else:
        missed = {version for version, row in enumerate(postgres.rows, 1) if row > found}.union(sweep.rows)
        base = found if rules.redelivers_on_base else 0
        again = Script(False, _number(state, rules), base, max(missed, default=0), script.epoch)
        redelivery = Sweep(False, again, tuple(sorted(missed)))
        out.append((("finds_gap", found, again.number), state._replace(sweep=redelivery)))


def _prepare_epoch(state: State, sweep: Sweep, rules: Rules, out: Steps) -> None:
    script = sweep.script
    shelf = swept(state.primary[script.epoch], script, rules)
    assert shelf is not None
    primary = with_shelf(state.primary, script.epoch, shelf)
    after = state._replace(primary=primary, sweep=sweep._replace(is_answered=True))
    out.append((("prepares_epoch", script.epoch, script.number), after))


def _acknowledge(state: State, sweep: Sweep, out: Steps) -> None:
    script, known = sweep.script, state.postgres
    if script.begins:
        known = known._replace(epoch=max(known.epoch, script.epoch), acknowledged=script.number)
        out.append((("begins_epoch", script.epoch), state._replace(postgres=known, sweep=None)))
    else:
        known = _delivered(known, sweep.rows, script.number)._replace(acknowledged=script.number)
        out.append((("acknowledges", script.number), state._replace(postgres=known, sweep=None)))


def _purge(state: State, out: Steps) -> None:
    postgres = state.postgres
    for index, row in enumerate(postgres.rows[: postgres.overdue]):
        if row not in {PENDING, GONE}:
            rows = (*postgres.rows[:index], GONE, *postgres.rows[index + 1 :])
            purged = postgres._replace(rows=rows, purged=max(postgres.purged, row))
            out.append((("purges", index + 1), state._replace(postgres=purged)))


def _delivered(postgres: Postgres, versions: tuple[int, ...], number: int) -> Postgres:
    rows = [number if version in versions else row for version, row in enumerate(postgres.rows, 1)]
    return postgres._replace(rows=tuple(rows))
