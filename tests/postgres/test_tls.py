"""TLS to PostgreSQL: what each sslmode insists on, spoken through a front that encrypts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from adapters.postgres.database import InvalidDatabaseUrl, connected, open_engine
from application.errors import StoreUnavailable
from tests.delivery.certificates import authority, certified
from tests.postgres.tls_front import Front, tls_front
from tests.servers import fresh_database


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Whom one may believe, and a certificate that says who we are."""
    for name in ("known", "unknown"):
        authority(name).cert_pem.write_to_path(str(tmp_path / name))
    ours = authority("known").issue_cert("birthdays")
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "ours"))
    return tmp_path


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[str]:
    async with fresh_database(postgres_url) as url:
        yield url


async def ask(url: str, front: Front, options: str, host: str = "localhost") -> str:
    """Return who answers at the front."""
    parsed = make_url(url).set(host=host, port=front.port, query={})
    engine = open_engine(f"{parsed.render_as_string(hide_password=False)}?{options}")
    try:
        async with connected(engine) as connection:
            return str(await connection.scalar(text("SELECT current_database()")))
    finally:
        await engine.dispose()


@pytest.mark.servers
@pytest.mark.parametrize(
    ("options", "host"),
    (
        ("sslmode=verify-full&sslrootcert={files}/known", "localhost"),
        ("sslmode=verify-ca&sslrootcert={files}/known", "127.0.0.1"),
        ("sslmode=require", "127.0.0.1"),
        ("sslmode=require&sslrootcert={files}/known", "localhost"),
        ("sslmode=prefer", "localhost"),
        ("ssl=verify-full&sslrootcert={files}/known&sslcert={files}/ours", "localhost"),
    ),
)
async def test_who_shows_the_right_certificate_is_spoken_to(
    database: str, files: Path, options: str, host: str
) -> None:
    async with tls_front(database, certified("localhost")) as front:
        assert await ask(database, front, options.format(files=files), host) == make_url(database).database
    assert front.ciphers
    assert front.in_the_clear == 0


@pytest.mark.servers
@pytest.mark.parametrize(
    ("options", "host"),
    (
        ("sslmode=verify-full&sslrootcert={files}/known", "127.0.0.1"),
        ("sslmode=verify-full&sslrootcert={files}/unknown", "localhost"),
        ("sslmode=verify-ca&sslrootcert={files}/unknown", "localhost"),
        ("sslmode=require&sslrootcert={files}/unknown", "localhost"),
        ("sslmode=verify-full", "localhost"),
        ("sslmode=verify-full&sslrootcert=system", "localhost"),
    ),
)
async def test_who_shows_another_gets_no_password(
    database: str, files: Path, options: str, host: str
) -> None:
    async with tls_front(database, certified("localhost")) as front:
        with pytest.raises(StoreUnavailable):
            await ask(database, front, options.format(files=files), host)
    assert front.ciphers == []
    assert front.in_the_clear == 0


@pytest.mark.servers
@pytest.mark.parametrize("mode", ("require", "verify-ca", "verify-full"))
async def test_nothing_is_sent_in_the_clear_where_tls_is_asked_for(
    database: str, files: Path, mode: str
) -> None:
    async with tls_front(database, None) as front:
        with pytest.raises(StoreUnavailable):
            await ask(database, front, f"sslmode={mode}&sslrootcert={files}/known")
        assert await ask(database, front, "sslmode=disable") == make_url(database).database
    assert front.in_the_clear == 2, "the one that was refused before a word, and the one that asked for it"


@pytest.mark.parametrize(
    ("options", "reason"),
    (
        ("sslmode=maybe", "sslmode is one of"),
        ("sslmode=require&ssl=require", "sslmode is one of"),
        ("sslmode=require&sslmode=require", "an option is given once"),
        ("sslrootcert=/s3cret", "sslmode is one of"),
        ("sslmode=prefer&sslrootcert=/s3cret", "certificates go with"),
        ("sslmode=verify-full&sslrootcert=/s3cret", "sslrootcert, sslcert and sslkey name PEM files"),
        ("sslmode=verify-full&sslkey=/s3cret", "sslrootcert, sslcert and sslkey name PEM files"),
        ("command_timeout=s3cret", "after the question mark it takes only host, passfile, pgbouncer, port,"),
    ),
)
def test_what_is_said_of_tls_is_looked_at_before_anything_is_connected(options: str, reason: str) -> None:
    with pytest.raises(InvalidDatabaseUrl) as raised:
        open_engine(f"postgresql://u:s3cret@localhost/n?{options}")
    assert str(raised.value).startswith(f"DATABASE_URL cannot be used: {reason}")
    assert "s3cret" not in str(raised.value)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(files: Path) -> None:
    (files / "locked").write_text(_LOCKED_KEY)
    with pytest.raises(InvalidDatabaseUrl):
        open_engine(f"postgresql://localhost/n?sslmode=require&sslcert={files}/ours&sslkey={files}/locked")


_LOCKED_KEY = """-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,00000000000000000000000000000000

AAAA
-----END EC PRIVATE KEY-----
"""
