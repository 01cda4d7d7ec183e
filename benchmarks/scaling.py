"""What a hundred million people would need, reckoned from the figures that the other parts have measured.

Nothing is run here. The assumptions about people stand in the table; change them and reckon again.
"""

from collections.abc import Mapping

import attrs

from benchmarks.report import Report, Table, read_figures

_DAY_S = 86_400


@attrs.frozen(kw_only=True)
class Assumptions:
    """What nobody can measure beforehand."""

    people: int = 100_000_000
    messages_a_year: float = 2.0
    busiest_day: float = 1.5
    """Times an average day: births are not spread evenly, and those of unknown date are on 1 January."""
    busiest_instant: float = 0.2
    """Of a day's messages: at one offset from UTC lives a fifth of mankind."""
    reads_a_day: float = 10.0
    """Of each person's record."""
    writes: float = 0.05
    """Of all requests."""
    busiest_hour: float = 3.0
    """Times an average hour."""
    kept_years: float = 3.0


async def measure(assumed: Assumptions) -> Report:
    """Reckon. Raises LookupError where a part has not been measured yet."""
    rows = _rows(assumed, read_figures())
    return Report(
        name="scaling",
        title="A hundred million people, reckoned",
        about=(
            f"From the figures on the other pages, measured on a small machine. Assumed: {assumed.messages_a_year:.0f} "
            f"messages a year for each of {assumed.people:,} people, {assumed.busiest_day} times as many on the busiest "
            f"day, {assumed.busiest_instant:.0%} of them at one instant; {assumed.reads_a_day:.0f} requests a day for each "
            f"person, one in {1 / assumed.writes:.0f} a write, {assumed.busiest_hour:.0f} times as many in the busiest hour; "
            f"the ledger keeps {assumed.kept_years:.0f} years. What gives out first, and what to do then: "
            "[past one machine](../scaling.md)."
        ),
        tables=[("", Table(["", "", "from"], rows))],
    )


def _rows(assumed: Assumptions, measured: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    a_day = assumed.people * assumed.messages_a_year / 365.25 * assumed.busiest_day
    at_once = a_day * assumed.busiest_instant
    requests = assumed.people * assumed.reads_a_day / _DAY_S * assumed.busiest_hour
    writes, processes = requests * assumed.writes, measured["processes"]
    room, sends = measured["growth"], measured["scheduler"]
    people_gb = assumed.people * (room["a person"] + room["a person's indexes"]) / 1e9
    kept = assumed.people * assumed.messages_a_year * assumed.kept_years
    ledger_gb = kept * (room["a message"] + room["a message's indexes"]) / 1e9
    fastest, slowest = sends["maildir per s"], sends["smtp per s"]
    return [
        ["messages on the busiest day", f"{a_day:,.0f}", "assumed"],
        ["messages at the busiest instant", f"{at_once:,.0f}", "assumed"],
        [
            "until the last of them has left, one process, Maildir",
            f"{at_once / fastest / 60:,.1f} min",
            "scheduler",
        ],
        ["the same, SMTP", f"{at_once / slowest / 60:,.1f} min", "scheduler"],
        [
            "processor time of PostgreSQL for these",
            f"{at_once * sends['maildir postgres us'] / 1e6:,.0f} s",
            "scheduler",
        ],
        ["requests a second, busiest hour", f"{requests:,.0f}", "assumed"],
        [
            "cores for the service's processes",
            f"{requests * processes['service us, 95 / 5'] / 1e6:,.1f}",
            "processes",
        ],
        [
            "cores for PostgreSQL and Valkey together",
            f"{requests * processes['servers us, 95 / 5'] / 1e6:,.1f}",
            "processes",
        ],
        ["writes a second", f"{writes:,.0f}", "assumed"],
        ["one process' writes a second", f"{measured['costs']['puts per s']:,.0f}", "costs"],
        ["people and their indexes", f"{people_gb:,.0f} GB", "growth"],
        ["the ledger and its indexes", f"{ledger_gb:,.0f} GB", "growth"],
        [
            "plan of a day, if it grows as it does up to here",
            f"{room['plan ms'] * assumed.people / room['people'] / 1000:,.1f} s",
            "growth",
        ],
    ]
