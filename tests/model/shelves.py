"""The scripts that run inside Redis, each in one step, on the key and the watermark of one epoch."""

from tests.model.rules import Filling, Rules
from tests.model.state import EMPTY, Script, Shelf

_TOMBSTONE = 100


def version_in(shelf: Shelf) -> int | None:
    """Return the version of the value, if there is one."""
    return shelf.cell - 1 if EMPTY < shelf.cell < _TOMBSTONE else None


def stored(shelf: Shelf, token: int, version: int, rules: Rules) -> Shelf:
    """Store *version*, if the rules allow it."""
    cell = shelf.cell
    match rules.filling:
        case Filling.LEASE:
            may = cell == -token
        case Filling.SET:
            may = True
        case Filling.NX:
            may = cell == EMPTY
        case Filling.TOMBSTONE:
            may = version > _version_known(cell)
    return shelf._replace(cell=version + 1) if may else shelf


def invalidated(shelf: Shelf, version: int, rules: Rules, *, keeps: bool) -> Shelf:
    """Delete value or lease, *keeps* what is as new as *version*; leave a tombstone where those are used."""
    cell, held = shelf.cell, version_in(shelf)
    if keeps and held is not None and held >= version - (not rules.versions_every_change):
        return shelf
    if rules.filling is Filling.TOMBSTONE:
        return shelf._replace(cell=max(cell, _TOMBSTONE + version))
    if cell > EMPTY or (cell < EMPTY and rules.deletes_leases):
        return shelf._replace(cell=EMPTY)
    return shelf


def swept(shelf: Shelf, script: Script, rules: Rules) -> Shelf | None:
    """Carry *script* out; None if the watermark is absent or below the script's base."""
    watermark = shelf.watermark
    if script.begins:
        return shelf._replace(watermark=max(watermark, script.number))
    if rules.has_watermark and watermark < script.base:
        return None
    deleted = invalidated(shelf, script.rows[-1], rules, keeps=True) if script.rows else shelf
    if not rules.has_watermark:
        return deleted
    return deleted._replace(watermark=max(watermark, script.number))


def promising(shelf: Shelf, version: int) -> Shelf:
    """Return *shelf* on which nothing older than *version* may be seen from now on."""
    return shelf._replace(promised=max(shelf.promised, version))


def may_be_evicted(shelf: Shelf) -> bool:
    """Tombstones are spared, to be fair to them."""
    return EMPTY != shelf.cell < _TOMBSTONE


def _version_known(cell: int) -> int:
    if cell >= _TOMBSTONE:
        return cell - _TOMBSTONE - 1  # a tombstone forbids what is older than it
    return cell - 1
