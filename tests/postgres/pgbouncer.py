"""A real PgBouncer before the PostgreSQL of the tests, where one is installed."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL

from sqlalchemy import make_url

from adapters.embedded.supervisor import account_for, launch
from tests.service.running import free_port

_START_WITHIN_S = 10.0
# Debian puts it where root alone looks.
_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")


def _version() -> tuple[int, int]:
    if _PROGRAM is None:
        return 0, 0
    told = subprocess.run([_PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else (0, 0)


VERSION = _version()
IS_THERE = VERSION > (0, 0)
KEEPS_STATEMENTS = VERSION >= (1, 21)


@asynccontextmanager
async def pgbouncer(url: str, folder: Path, **settings: str) -> AsyncIterator[str]:
    """Lend the address of the database at *url* behind a PgBouncer; *settings* are those of pgbouncer.ini."""
    assert _PROGRAM is not None
    parsed, port = make_url(url), free_port()
    chosen = {"auth_type": "any", "listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": ""}
    lines = [f"{name} = {value}" for name, value in {**chosen, **settings}.items()]
    where = f"host={parsed.query['host']} port={parsed.query['port']} user={parsed.username}"
    file = folder / f"pgbouncer-{port}.ini"
    file.write_text("\n".join(["[databases]", f"* = {where}", "[pgbouncer]", *lines, ""]))
    with (folder / f"pgbouncer-{port}.log").open("wb") as log:
        # It does not run as root either, and reaches the server's socket as the server's own account does.
        process = await launch([_PROGRAM, str(file)], account_for(folder), SIGKILL, log)
    try:
        await _wait_until_it_listens(port, Path(log.name))
        yield str(parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _wait_until_it_listens(port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"PgBouncer does not listen: {log.read_text()}") from None
