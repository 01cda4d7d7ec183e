"""What is looked at to tell whether the service is in order, and what each finding means."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum

import attrs

from application.operator_ports import PausedChannel
from application.processes import SILENT_AFTER, Process, SeenProcess
from application.scheduler_observing import Backlog
from application.statistics import LATE_AFTER
from application.upkeep import CLOCK_OFFSET_MAX
from domain.message import IN_NEED, Status

_YEARS_OLD_MAX = 1
_TESTED_WITH = 18
_DISK_FREE_MIN_BYTES = 1024**3
_GIB = 1024**3


class Verdict(StrEnum):
    """How a check ended; what is unchecked could not be looked at from here."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNCHECKED = "unchecked"


class ReplicaState(StrEnum):
    """Whether a replica shows all that the database showed when it was asked."""

    CAUGHT_UP = "caught-up"
    BEHIND = "behind"
    AWAY = "away"
    NO_REPLICA = "no-replica"


@attrs.frozen
class Finding:
    """What one check found, as a sentence, and what to do about it."""

    check: str
    verdict: Verdict
    text: str
    advice: str | None = None


def ok(check: str, text: str) -> Finding:
    return Finding(check, Verdict.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    return Finding(check, Verdict.WARNING, text, advice)


def failed(check: str, text: str, advice: str) -> Finding:
    return Finding(check, Verdict.FAILED, text, advice)


def unchecked(check: str, text: str, advice: str | None = None) -> Finding:
    return Finding(check, Verdict.UNCHECKED, text, advice)


@attrs.frozen(kw_only=True)
class DatabaseFacts:
    """What a database says of itself; *revision* and *head* are those of its schema and of this program's."""

    server_version: int
    revision: str | None
    head: str
    known: frozenset[str]
    """All revisions that this program knows."""
    clock_offset: timedelta
    """By how much this machine's clock is ahead."""


@attrs.frozen(kw_only=True)
class LedgerFacts:
    """What a database of this program's schema holds."""

    now: datetime
    """By the service's clock."""
    is_clock_moved: bool
    planned_until: date | None
    months: frozenset[date]
    processes: Sequence[SeenProcess]
    in_need: Mapping[Status, int]
    backlog: Backlog
    paused: Sequence[PausedChannel]
    strange_zones: Sequence[str] = ()
    """Time zones of people that this program's zone data does not have."""


def of_server(facts: DatabaseFacts) -> Finding:
    version = f"PostgreSQL {facts.server_version}"
    if facts.server_version < _TESTED_WITH:
        return warning("database", f"It answers: {version}.", f"Tested with {_TESTED_WITH}; plan an upgrade.")
    return ok("database", f"It answers: {version}.")


def of_replica(state: ReplicaState) -> Finding:
    if state is ReplicaState.CAUGHT_UP:
        return ok("replica", "It has all that the database has; exports are read there.")
    why = {
        ReplicaState.BEHIND: ("It lags behind", "See whether it receives what the database writes."),
        ReplicaState.AWAY: ("It does not answer", "Check that it runs, and its address and password."),
        ReplicaState.NO_REPLICA: (
            "It is no replica of this database, or follows one that is not the primary any more",
            "Set BIRTHDAYS_REPLICA_URL to a streaming replica of DATABASE_URL.",
        ),
    }
    told, advice = why[state]
    return warning("replica", f"{told}, so exports are read from the database.", advice)


def of_schema(facts: DatabaseFacts) -> Finding:
    if facts.revision == facts.head:
        return ok("migrations", f"The schema is at revision {facts.head}.")
    if facts.revision is None:
        return failed(
            "migrations", "There is no schema yet.", "Run 'birthdays migrate', or start the service."
        )
    if facts.revision in facts.known:
        return failed(
            "migrations",
            f"The schema is at revision {facts.revision}, and this program needs {facts.head}.",
            "Run 'birthdays migrate', or restart the service.",
        )
    return failed(
        "migrations",
        f"The schema is at revision {facts.revision}, which this program does not know.",
        "A newer version has migrated the database: install that one here, too.",
    )


def of_clock(facts: DatabaseFacts) -> Finding:
    offset_s = facts.clock_offset.total_seconds()
    if abs(facts.clock_offset) > CLOCK_OFFSET_MAX:
        side = "ahead of" if offset_s > 0 else "behind"
        return failed(
            "clock",
            f"This machine's clock is {abs(offset_s):.1f} s {side} the database's, so nothing is planned here.",
            "Let both take the time from the network (chrony, systemd-timesyncd); the service notices by itself.",
        )
    return ok("clock", f"It differs from the database's by {abs(offset_s):.1f} s at least.")


def of_service_clock(facts: LedgerFacts) -> Finding:
    if facts.is_clock_moved:
        return warning(
            "service clock",
            f"It was moved and shows {facts.now:%Y-%m-%d %H:%M} UTC.",
            "Good for a demonstration; 'birthdays serve' without --clock-start returns to real time.",
        )
    return ok("service clock", "It shows real time.")


def of_months(facts: LedgerFacts) -> Finding:
    """The ledger has a partition a month; the planner makes them as it goes."""
    if not facts.months:
        return unchecked("partitions", "Nothing was ever planned, so there are none yet.")
    last = max(facts.planned_until or facts.now.date(), facts.now.date())
    missing = sorted({day.replace(day=1) for day in (facts.now.date(), last)} - facts.months)
    if missing:
        return failed(
            "partitions",
            f"The ledger has no room for {', '.join(f'{month:%Y-%m}' for month in missing)}.",
            "The next plan makes it; run 'birthdays plan' for those dates if none comes within the hour.",
        )
    return ok("partitions", f"The ledger holds {len(facts.months)} months, up to {max(facts.months):%Y-%m}.")


def of_plan(facts: LedgerFacts) -> Finding:
    if facts.planned_until is None:
        return warning("plan", "Nothing was ever planned.", "Start the service: it plans at once.")
    if facts.planned_until <= facts.now.date():
        return failed(
            "plan",
            f"It reaches only to {facts.planned_until}.",
            "Start the service, or look into its log for tick_failed and clock_doubted.",
        )
    return ok("plan", f"It reaches to {facts.planned_until}.")


def of_processes(facts: LedgerFacts, own: Process) -> Finding:
    there = [seen.process for seen in facts.processes if seen.silent_for <= SILENT_AFTER]
    if not there:
        return warning("processes", "None serves this database now.", "Start one with 'birthdays serve'.")
    versions = sorted({one.version for one in there} | {own.version})
    if len(versions) > 1:
        return warning(
            "processes",
            f"{_count(there)} and this program are of several versions: {', '.join(versions)}.",
            "In order for the minutes of an upgrade; else end the old ones.",
        )
    zone_data = sorted({one.zone_data for one in there} | {own.zone_data})
    if len(zone_data) > 1:
        return warning(
            "processes",
            f"{_count(there)} and this program have several releases of the zone data: {', '.join(zone_data)}.",
            "They reckon differently: install the same packages everywhere.",
        )
    return ok("processes", f"{_count(there)}, of version {versions[0]}.")


def of_zone_data(version: str, today: date) -> Finding:
    text = f"Release {version} is in use."
    if today.year - int(version[:4]) > _YEARS_OLD_MAX:
        return warning(
            "zone data",
            f"{text} It is more than a year old, and clocks somewhere have changed since.",
            "Install a newer tzdata package and restart; open messages are reckoned anew then.",
        )
    return ok("zone data", text)


def of_zones(facts: LedgerFacts) -> Finding:
    if facts.strange_zones:
        return failed(
            "time zones",
            f"Nothing new is planned for people in {', '.join(facts.strange_zones)}: this program's zone data lacks that.",
            "Install the tzdata package that was there before, or a newer one, or give those people another zone.",
        )
    return ok("time zones", "The zone data has all that people live in.")


def of_messages(facts: LedgerFacts) -> Finding:
    """What is late, and what waits for a person."""
    oldest = facts.backlog.oldest_at
    if oldest is not None and facts.now - oldest > LATE_AFTER and not facts.paused:
        return failed(
            "messages",
            f"{facts.backlog.messages} are due and have not left, the oldest since {oldest:%Y-%m-%d %H:%M} UTC.",
            "Look into the log for deliveries_failed and tick_failed, and try 'birthdays test-send'.",
        )
    for paused in facts.paused:
        if paused.braked is not None:
            return warning(
                "messages",
                f"The brake has stopped the channel {paused.name}: {paused.braked.messages} messages are due in an "
                f"hour, and {paused.braked.allowed} are usual enough.",
                "Undo the import if it was wrong; if it was right, confirm it on the page.",
            )
        return warning(
            "messages",
            f"The channel {paused.name} takes nothing for {paused.pause.total_seconds():.0f} s more.",
            "The far side asked for it, or is not there; the page lets the channel go on.",
        )
    waiting = {status: facts.in_need.get(status, 0) for status in IN_NEED}
    if any(waiting.values()):
        told = ", ".join(f"{number} {status}" for status, number in waiting.items() if number)
        return warning(
            "messages", f"Some need somebody: {told}.", "See 'birthdays messages --in-need', or the page."
        )
    return ok("messages", "Nothing is late, and nothing needs somebody.")


def of_disk(free_bytes: int) -> Finding:
    text = f"It can be written to, and {free_bytes / _GIB:.1f} GiB are free."
    if free_bytes < _DISK_FREE_MIN_BYTES:
        return warning("data folder", text, "Make room: a database on a full disk stops.")
    return ok("data folder", text)


def of_sender(sender: str) -> Finding:
    """What receivers look up about the sender's domain; nothing here asks a name server."""
    domain = sender.rpartition("@")[2]
    if "." not in domain.strip("."):
        return warning(
            "sender",
            f"Mails come from {domain}, which nobody else knows.",
            "Set BIRTHDAYS_SENDER to an address of a domain of yours.",
        )
    return unchecked(
        "sender",
        f"Whether receivers believe that mails come from {domain} stands in its DNS records.",
        f"Look up TXT {domain} for 'v=spf1' that names your mail server, TXT <selector>._domainkey.{domain} for the "
        f"DKIM key that it signs with, and TXT _dmarc.{domain} for 'v=DMARC1'.",
    )


def _count(there: Sequence[Process]) -> str:
    return f"{len(there)} process{'' if len(there) == 1 else 'es'}"
