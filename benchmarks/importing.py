"""How long a large file takes, end to end by HTTP, and how much memory.

On PostgreSQL as it is served, over an empty database: a dry run, the import, the same again, a complete list
that lacks a tenth, an undo. Beside it the peer: the same rows by one bare COPY.
"""

import csv
import io
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

import asyncpg
import httpx

from benchmarks.processor import peak_mib
from benchmarks.report import Report, Table
from benchmarks.running import COMMAND, running_program, running_servers

ROWS = 100_000
_COUNTS = ("created", "updated", "unchanged", "deactivated", "failed", "undone")
_TIMEOUT_S = 600
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland", "America/Sao_Paulo")
_HEADER = ("external_id", "first_name", "last_name", "email", "timezone", "birthday", "work_anniversary")


def _rows(number: int) -> Iterator[tuple[str, ...]]:
    """Yield made-up people, every tenth with a birthday that has no year."""
    for count in range(number):
        born = date(1950, 1, 1) + timedelta(days=count * 7 % 20_000)
        hired = date(2000, 1, 1) + timedelta(days=count * 3 % 9_000)
        birthday = f"--{born:%m-%d}" if count % 10 == 0 else born.isoformat()
        zone = _ZONES[count % len(_ZONES)]
        yield (
            f"E{count}",
            f"First{count}",
            f"Last{count}",
            f"p{count}@example.com",
            zone,
            birthday,
            str(hired),
        )


def _file(number: int) -> bytes:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(_HEADER)
    writer.writerows(_rows(number))
    return written.getvalue().encode()


async def _copy_s(database_url: str, number: int) -> float:
    """Return how long the bare rows take, with nothing of a service around them."""
    database = await asyncpg.connect(database_url)
    try:
        await database.execute(
            f"CREATE TEMPORARY TABLE peer ({', '.join(f'{name} text' for name in _HEADER)})"
        )
        began = time.perf_counter()
        await database.copy_records_to_table("peer", records=_rows(number))
        return time.perf_counter() - began
    finally:
        await database.close()


async def measure(number: int = ROWS) -> Report:
    """Import so many people, again and in other ways."""
    rows: list[list[str]] = []
    load = os.getloadavg()[0]
    async with (
        running_servers() as servers,
        running_program([str(COMMAND), "serve"], servers, {"BIRTHDAYS_AUTH": "off"}) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", timeout=_TIMEOUT_S) as client,
    ):

        def add(what: str, took_s: float | None, outcome: str) -> None:
            told = ["", ""] if took_s is None else [f"{took_s:.1f}", f"{number / took_s:,.0f}"]
            rows.append([what, *told, f"{peak_mib(running.process.pid):.0f}", outcome])

        async def ask(what: str, path: str, data: bytes = b"") -> dict[str, Any]:
            began = time.perf_counter()
            answer = await client.post(path, content=data, headers={"content-type": "text/csv"})
            took_s = time.perf_counter() - began
            if answer.status_code != HTTPStatus.OK:
                raise RuntimeError(f"The service answered {answer.status_code}: {answer.text}")
            report: dict[str, Any] = answer.json()
            add(what, took_s, ", ".join(f"{report[name]:,} {name}" for name in _COUNTS if report.get(name)))
            return report

        whole, most = _file(number), _file(number - number // 10)
        add("started", None, "")
        await ask("dry run", "/users/import?dryRun=true", whole)
        await ask("import", "/users/import", whole)
        await ask("the same again", "/users/import", whole)
        confirmed = f"/users/import?complete=true&confirm={number // 10}"
        report = await ask("a complete list without a tenth", confirmed, most)
        await ask("undo of that", f"/imports/{report['importId']}/undo")
        copy_s = await _copy_s(servers.database_url, number)
        rows.append(["limit: the rows by one bare COPY", f"{copy_s:.1f}", f"{number / copy_s:,.0f}", "", ""])
    return _report(number, len(whole), load, rows)


def _report(number: int, size: int, load: float, rows: list[list[str]]) -> Report:
    return Report(
        name="importing",
        title="A large file",
        about=(
            f"A CSV of {number:,} people ({size / 1024**2:.1f} MiB), sent by HTTP to one process over an empty database, "
            "answered when all of it is done. The memory is the highest so far of the service's process (resident). "
            f"The machine's load, a minute's average, was {load:.1f} before."
        ),
        tables=[("", Table(["", "seconds", "rows/s", "peak MiB", "came to"], rows))],
    )
