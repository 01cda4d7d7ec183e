"""What a part of the benchmarks has found: a table for people, a plot, and the machine it was found on."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"
_FIGURES = FOLDER / "figures.json"


@attrs.frozen
class Spread:
    """A median, and between which values the rounds lay."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def shown(self, digits: int = 0) -> str:
        return f"{self.median:,.{digits}f} ({self.lowest:,.{digits}f} … {self.highest:,.{digits}f})"


@attrs.frozen
class Table:
    """Rows under headings; the first column is text, the others are numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rule = ["---", *("---:" for _ in self.headings[1:])]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.headings, rule, *self.rows))


@attrs.frozen(kw_only=True)
class Bars:
    """One bar each, with its spread."""

    title: str
    unit: str
    bars: Sequence[tuple[str, Spread]]
    highlighted: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Lines:
    """Curves; over a quantity that grows by factors both axes are logarithmic."""

    title: str
    across: str
    unit: str
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    is_by_factors: bool = True


@attrs.frozen(kw_only=True)
class Report:
    """A page of the documentation."""

    name: str
    title: str
    about: str
    tables: Sequence[tuple[str, Table]]
    plots: Sequence[Bars | Lines] = ()
    texts: Sequence[tuple[str, str]] = ()
    """What programs have printed, under what they are."""
    findings: Sequence[str] = ()
    figures: Mapping[str, float] = attrs.field(factory=dict)
    """What other parts reckon with."""

    def write(self, *, quick: bool) -> Path:
        """Write the page and its plots; a quick look does not replace what was measured with care."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        name = f"{self.name}.quick" if quick else self.name
        parts = [f"# {self.title}", self.about, f"{machine()}; {datetime.now(UTC):%Y-%m-%d}."]
        for caption, table in self.tables:
            parts += [*([f"## {caption}"] if caption else []), table.markdown()]
        for number, plot in enumerate(self.plots, start=1):
            file = f"{name}-{number}.svg" if len(self.plots) > 1 else f"{name}.svg"
            if _draw(plot, FOLDER / file):
                parts.append(f"![{plot.title}]({file})")
        for caption, text in self.texts:
            parts += [f"## {caption}", f"```text\n{text}\n```"]
        if self.findings:
            parts.append("\n".join(f"- {finding}" for finding in self.findings))
        command = f"make bench PART={self.name}{' QUICK=1' if quick else ''}"
        parts.append(f"Printed by `{command}`.")
        page = FOLDER / f"{name}.md"
        page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        if self.figures and not quick:
            kept = {**_kept_figures(), self.name: self.figures}
            _FIGURES.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return page


def read_figures() -> Mapping[str, Mapping[str, float]]:
    """Return what the parts have measured last. Raises LookupError where one has not measured anything yet."""
    kept = _kept_figures()
    missing = {"processes", "growth", "scheduler", "costs"} - kept.keys()
    if missing:
        raise LookupError(f"Not measured yet: {', '.join(sorted(missing))}.")
    return kept


def _kept_figures() -> Mapping[str, Mapping[str, float]]:
    if not _FIGURES.exists():
        return {}
    kept: Mapping[str, Mapping[str, float]] = json.loads(_FIGURES.read_text(encoding="utf-8"))
    return kept


def machine() -> str:
    """Return what was measured on, in one line."""
    cores = os.cpu_count() or 1
    model = platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [
            line.partition(":")[2].strip()
            for line in described.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{cores} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def _draw(plot: Bars | Lines, file: Path) -> bool:
    """Draw, if matplotlib is there; it is in the extra 'peers' and nothing of the service needs it."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  # optional
        from matplotlib.figure import Figure  # noqa: PLC0415  # optional
    except ImportError:
        return False
    mpl.rcParams["svg.hashsalt"] = file.stem  # the same numbers give the same file
    if isinstance(plot, Bars):
        figure = Figure(figsize=(8, 0.6 + 0.34 * len(plot.bars)), layout="constrained")
        axes = figure.subplots()
        shown = list(reversed(plot.bars))
        middles = [spread.median for _, spread in shown]
        errors = [
            [spread.median - spread.lowest for _, spread in shown],
            [spread.highest - spread.median for _, spread in shown],
        ]
        names = [name for name, _ in shown]
        colours = ["#b3541e" if name in plot.highlighted else "#5b7fa6" for name in names]
        axes.barh(names, middles, xerr=errors, color=colours, ecolor="#333333", capsize=2)
        axes.set_xlabel(plot.unit)
    else:
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for name, points in plot.curves:
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
        if plot.is_by_factors:
            axes.set_xscale("log")
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(plot.across)
        axes.set_ylabel(plot.unit)
        axes.legend(fontsize=7)
    axes.set_title(plot.title, fontsize=10)
    figure.savefig(file, metadata={"Date": None})
    return True
