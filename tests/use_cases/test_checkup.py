"""What a check-up makes of what it sees."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from application import checkup
from application.checkup import DatabaseFacts, Finding, LedgerFacts, Verdict
from application.operator_ports import PausedChannel
from application.processes import Process, SeenProcess
from application.scheduler_observing import Backlog
from domain.brake import Braked
from domain.message import Status

OK, WARNING, FAILED, UNCHECKED = Verdict.OK, Verdict.WARNING, Verdict.FAILED, Verdict.UNCHECKED
NOW = datetime(2027, 3, 30, 12, tzinfo=UTC)
OWN = Process(version="1.0.0", zone_data="2027a")
DATABASE = DatabaseFacts(
    server_version=18,
    revision="0028",
    head="0028",
    known=frozenset({"0001", "0028"}),
    clock_offset=timedelta(seconds=0.2),
)
LEDGER = LedgerFacts(
    now=NOW,
    is_clock_moved=False,
    planned_until=date(2027, 4, 1),
    months=frozenset({date(2027, 3, 1), date(2027, 4, 1)}),
    processes=[SeenProcess(OWN, timedelta(seconds=3))],
    in_need={},
    backlog=Backlog(0, None),
    paused=[],
)

BRAKED = PausedChannel("smtp", timedelta(0), Braked(NOW, messages=300, allowed=200))


def seen(silent_s: float = 3, **values: Any) -> SeenProcess:
    return SeenProcess(attrs.evolve(OWN, **values), timedelta(seconds=silent_s))


def of_processes(facts: LedgerFacts) -> Finding:
    return checkup.of_processes(facts, OWN)


@pytest.mark.parametrize(
    ("check", "values", "verdict", "said"),
    (
        (checkup.of_server, {}, OK, "PostgreSQL 18"),
        (checkup.of_server, {"server_version": 15}, WARNING, "PostgreSQL 15"),
        (checkup.of_schema, {}, OK, "0028"),
        (checkup.of_schema, {"revision": None}, FAILED, "no schema"),
        (checkup.of_schema, {"revision": "0001"}, FAILED, "0001"),
        (checkup.of_schema, {"revision": "0099"}, FAILED, "does not know"),
        (checkup.of_clock, {}, OK, "0.2 s"),
        (checkup.of_clock, {"clock_offset": timedelta(seconds=3)}, FAILED, "3.0 s ahead"),
        (checkup.of_clock, {"clock_offset": timedelta(seconds=-3)}, FAILED, "3.0 s behind"),
    ),
)
def test_a_database_is_judged(
    check: Callable[[DatabaseFacts], Finding], values: dict[str, Any], verdict: Verdict, said: str
) -> None:
    assert_found(check(attrs.evolve(DATABASE, **values)), verdict, said)


@pytest.mark.parametrize(
    ("check", "values", "verdict", "said"),
    (
        (checkup.of_service_clock, {}, OK, "real time"),
        (checkup.of_service_clock, {"is_clock_moved": True}, WARNING, "2027-03-30 12:00"),
        (checkup.of_plan, {}, OK, "2027-04-01"),
        (checkup.of_plan, {"planned_until": None}, WARNING, "Nothing"),
        (checkup.of_plan, {"planned_until": NOW.date()}, FAILED, "2027-03-30"),
        (checkup.of_months, {}, OK, "2 months"),
        (checkup.of_months, {"months": frozenset()}, UNCHECKED, "Nothing"),
        (checkup.of_months, {"months": frozenset({date(2027, 3, 1)})}, FAILED, "2027-04"),
        (of_processes, {}, OK, "1 process, of version 1.0.0"),
        (of_processes, {"processes": []}, WARNING, "None serves"),
        (of_processes, {"processes": [seen(silent_s=61)]}, WARNING, "None serves"),
        (of_processes, {"processes": [seen(version="1.1.0")]}, WARNING, "1.0.0, 1.1.0"),
        (of_processes, {"processes": [seen(), seen(silent_s=61, version="0.9.0")]}, OK, "1 process,"),
        (of_processes, {"processes": [seen(), seen(zone_data="2026f")]}, WARNING, "2026f, 2027a"),
        (checkup.of_zones, {}, OK, "has all"),
        (checkup.of_zones, {"strange_zones": ["Mars/Olympus_Mons"]}, FAILED, "Mars/Olympus_Mons"),
        (checkup.of_messages, {}, OK, "Nothing is late"),
        (checkup.of_messages, {"in_need": {Status.UNKNOWN: 2}}, WARNING, "2 UNKNOWN"),
        (checkup.of_messages, {"paused": [PausedChannel("smtp", timedelta(seconds=30))]}, WARNING, "smtp"),
        (checkup.of_messages, {"paused": [BRAKED]}, WARNING, "The brake has stopped the channel smtp: 300"),
        (checkup.of_messages, {"backlog": Backlog(3, NOW - timedelta(minutes=9))}, OK, "Nothing is late"),
        (checkup.of_messages, {"backlog": Backlog(3, NOW - timedelta(minutes=11))}, FAILED, "3 are due"),
    ),
)
def test_a_ledger_is_judged(
    check: Callable[[LedgerFacts], Finding], values: dict[str, Any], verdict: Verdict, said: str
) -> None:
    assert_found(check(attrs.evolve(LEDGER, **values)), verdict, said)


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    (
        (checkup.of_zone_data("2027a", NOW.date()), OK, "2027a"),
        (checkup.of_zone_data("2026f", NOW.date()), OK, "2026f"),
        (checkup.of_zone_data("2025c", NOW.date()), WARNING, "more than a year"),
        (checkup.of_disk(5 * 1024**3), OK, "5.0 GiB"),
        (checkup.of_disk(1024**2), WARNING, "0.0 GiB"),
        (checkup.of_sender("birthdays@localhost"), WARNING, "localhost"),
        (checkup.of_sender("hr@example.com"), UNCHECKED, "example.com"),
    ),
)
def test_a_machine_is_judged(found: Finding, verdict: Verdict, said: str) -> None:
    assert_found(found, verdict, said)


def assert_found(found: Finding, verdict: Verdict, said: str) -> None:
    assert (found.verdict, said in found.text) == (verdict, True), found
    if verdict in {WARNING, FAILED}:
        assert found.advice


def test_the_records_that_make_mail_believed_are_named() -> None:
    advice = checkup.of_sender("hr@example.com").advice or ""
    for record in ("TXT example.com", "TXT <selector>._domainkey.example.com", "TXT _dmarc.example.com"):
        assert record in advice
