"""What a hundred million people would need, reckoned from the figures that the other parts have measured.

Nothing is run here. The assumptions about people and machines stand in the page; change them and reckon again.
"""

from collections.abc import Mapping, Sequence

import attrs

from benchmarks.report import Report, Table, read_figures

_DAY_S = 86_400
_HOUR_S = 3600
_CONNECTIONS_EACH = 18  # of one process: docs/scaling.md

Figures = Mapping[str, Mapping[str, float]]


@attrs.frozen(kw_only=True)
class Assumptions:
    """What nobody can measure beforehand, and one machine for the servers."""

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
    cores: int = 16
    disk_gb: float = 2000.0
    connections: int = 500

    @property
    def at_once(self) -> float:
        """For each person: messages of the busiest instant."""
        return self.messages_a_year / 365.25 * self.busiest_day * self.busiest_instant

    @property
    def requests_per_s(self) -> float:
        """For each person, in the busiest hour."""
        return self.reads_a_day / _DAY_S * self.busiest_hour


@attrs.frozen
class Part:
    """A part, how many people it carries, and what carries more; *traced* says which page the figure is on."""

    name: str
    carries: float
    then: str
    traced: str


async def measure(assumed: Assumptions) -> Report:
    """Reckon. Raises LookupError where a part has not been measured yet."""
    measured = read_figures()
    parts = parts_by_what_they_carry(assumed, measured)
    room_of = measured["growth"]["people"]
    return Report(
        name="scaling",
        title="A hundred million people, reckoned",
        about=(
            f"From the figures on the other pages, measured on a small machine. Assumed: {assumed.messages_a_year:.0f} "
            f"messages a year for each of {assumed.people:,} people, {assumed.busiest_day} times as many on the busiest "
            f"day, {assumed.busiest_instant:.0%} of them at one instant; {assumed.reads_a_day:.0f} requests a day for each "
            f"person, one in {1 / assumed.writes:.0f} a write, {assumed.busiest_hour:.0f} times as many in the busiest hour; "
            f"the ledger keeps {assumed.kept_years:.0f} years; the machine of PostgreSQL and Valkey has {assumed.cores} "
            f"cores like ours, {assumed.disk_gb:,.0f} GB, and takes {assumed.connections} connections. What was tried of "
            "that is in [past one machine](../scaling.md)."
        ),
        tables=[
            (
                "Which part gives out first",
                Table(
                    ["", "carries people", f"needed for {assumed.people:,}", "then", "from"],
                    [
                        [
                            part.name,
                            f"{part.carries:,.0f}",
                            f"{assumed.people / part.carries:,.1f}",
                            part.then,
                            part.traced,
                        ]
                        for part in parts
                    ],
                ),
            ),
            (
                f"What {assumed.people:,} people ask for",
                Table(["", "", "from"], _rows(assumed, measured)),
            ),
        ],
        findings=[
            f"{parts[0].name} gives out first, at {parts[0].carries:,.0f} people: {parts[0].then}.",
            f"Everything is taken to grow evenly; plan and room were measured up to {room_of:,.0f} people.",
        ],
    )


def parts_by_what_they_carry(assumed: Assumptions, measured: Figures) -> Sequence[Part]:
    """Return the parts, the one first that gives out first."""
    processes, sends, room = measured["processes"], measured["scheduler"], measured["growth"]
    of_a_process = 1e6 / processes["service us, 95 / 5"] / assumed.requests_per_s
    of_a_core = 1e6 / processes["servers us, 95 / 5"] / assumed.requests_per_s
    found = [
        Part("One process, by requests", of_a_process, "more processes", "processes"),
        Part(
            "One process, by mails within an hour of the busiest instant",
            sends["smtp per s"] * _HOUR_S / assumed.at_once,
            "more processes, and more `BIRTHDAYS_CHANNEL_CONNECTIONS` each",
            "scheduler",
        ),
        Part(
            "Connections to PostgreSQL, as many processes as it takes",
            of_a_process * (assumed.connections // _CONNECTIONS_EACH),
            "PgBouncer in transaction mode",
            "processes",
        ),
        Part(
            "The cores of PostgreSQL and Valkey",
            of_a_core * assumed.cores,
            "a machine for each, a larger one, and then partitions by person",
            "processes",
        ),
        Part(
            "One process, by writes",
            measured["costs"]["puts per s"] / (assumed.requests_per_s * assumed.writes),
            "more processes",
            "costs",
        ),
        Part(
            "PostgreSQL's processor for the busiest instant, one core for an hour",
            _HOUR_S * 1e6 / sends["smtp postgres us"] / assumed.at_once,
            "more cores; claims pass by what others have locked",
            "scheduler",
        ),
        Part(
            "The disk",
            assumed.disk_gb * 1e9 / _bytes_each(assumed, room),
            "a shorter `BIRTHDAYS_RETENTION_DAYS`, a larger disk, then partitions by person",
            "growth",
        ),
        Part(
            "Planning a day that is planned already, within the hour until the next time",
            room["people"] * _HOUR_S / (room["plan ms"] / 1000),
            "partitions by person, planned shard by shard",
            "growth",
        ),
    ]
    return sorted(found, key=lambda part: part.carries)


def _bytes_each(assumed: Assumptions, room: Mapping[str, float]) -> float:
    """Return what a person needs, with all messages that are kept."""
    messages = assumed.messages_a_year * assumed.kept_years
    return (
        room["a person"]
        + room["a person's indexes"]
        + messages * (room["a message"] + room["a message's indexes"])
    )


def _rows(assumed: Assumptions, measured: Figures) -> Sequence[Sequence[str]]:
    at_once = assumed.people * assumed.at_once
    requests = assumed.people * assumed.requests_per_s
    processes, room, sends = measured["processes"], measured["growth"], measured["scheduler"]
    people_gb = assumed.people * (room["a person"] + room["a person's indexes"]) / 1e9
    all_gb = assumed.people * _bytes_each(assumed, room) / 1e9
    shards = measured.get("shards", {})
    return [
        ["messages on the busiest day", f"{at_once / assumed.busiest_instant:,.0f}", "assumed"],
        ["messages at the busiest instant", f"{at_once:,.0f}", "assumed"],
        [
            "until the last of them has left, one process, Maildir",
            f"{at_once / sends['maildir per s'] / 60:,.1f} min",
            "scheduler",
        ],
        ["the same, SMTP", f"{at_once / sends['smtp per s'] / 60:,.1f} min", "scheduler"],
        [
            "processor time of PostgreSQL for these",
            f"{at_once * sends['maildir postgres us'] / 1e6:,.0f} s",
            "scheduler",
        ],
        *(
            [f"claim and completion of these, {layout}", f"{at_once / per_s:,.0f} s", "shards"]
            for layout, per_s in shards.items()
        ),
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
        ["writes a second", f"{requests * assumed.writes:,.0f}", "assumed"],
        ["one process' writes a second", f"{measured['costs']['puts per s']:,.0f}", "costs"],
        ["people and their indexes", f"{people_gb:,.0f} GB", "growth"],
        ["the ledger and its indexes", f"{all_gb - people_gb:,.0f} GB", "growth"],
        [
            "plan of a day that is planned already, if it grows as it does up to here",
            f"{room['plan ms'] * assumed.people / room['people'] / 1000:,.1f} s",
            "growth",
        ],
    ]
