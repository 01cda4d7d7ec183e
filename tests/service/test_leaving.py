"""From a registration to a mail server and a webhook: settings, container, PostgreSQL, TLS."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from domain.message import Status
from entrypoints.container.opening import opened_service
from entrypoints.settings import Settings
from tests.delivery.certificates import authority
from tests.delivery.mail_server import PASSWORD, USER, mail_server
from tests.delivery.web_server import web_server
from tests.servers import fresh_database

pytestmark = [pytest.mark.servers, pytest.mark.slow]

QUOTED = PASSWORD.replace("/", "%2F").replace("@", "%40").replace(" ", "%20")
SECRET = "whsec_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz"


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine trust the authority of the tests, as an operator lets it trust their own."""
    file = tmp_path / "authority.pem"
    authority("known").cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


async def greeted(postgres_url: str, folder: Path, **told: str) -> dict[Status, int]:
    """Register somebody whose birthday message is due in a moment, send it, and return what became of it."""
    async with fresh_database(postgres_url) as database:
        settings = Settings.from_environment(
            {"DATABASE_URL": database, "BIRTHDAYS_DATA_DIR": str(folder), "BIRTHDAYS_LANGUAGE": "de", **told}
        )
        due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
        policy = attrs.evolve(settings.policy, send_time=due_at.time())
        async with opened_service(attrs.evolve(settings, policy=policy), serves_at="http://x") as opened:
            ada = {
                "first_name": "Zoë",
                "last_name": "Ä",
                "email": "zoe@example.com",
                "timezone": "UTC",
                "birthday": f"--{due_at:%m-%d}",
            }
            await opened.service.http().register_user(ada)
            await asyncio.sleep((due_at - datetime.now(UTC)).total_seconds() + 0.1)
            await opened.service.scheduler().send_due()
            counts = await opened.adapters.message_reader().counts()
        return {status: count for status, count in counts.items() if count}


async def test_a_mail_leaves(postgres_url: str, tmp_path: Path) -> None:
    async with mail_server() as postbox:
        url = f"smtp://{USER}:{QUOTED}@localhost:{postbox.port}"
        told = {"BIRTHDAYS_CHANNEL": "smtp", "BIRTHDAYS_SMTP_URL": url, "BIRTHDAYS_SENDER": "hr@example.com"}
        assert await greeted(postgres_url, tmp_path, **told) == {Status.SENT: 1}
        [mail] = postbox.contents
        assert mail["Subject"] == "Alles Gute zum Geburtstag, Zoë!"
        assert mail["From"].addresses[0].addr_spec == "hr@example.com"


async def test_a_webhook_is_called(postgres_url: str, tmp_path: Path) -> None:
    async with web_server() as inbox:
        told = {
            "BIRTHDAYS_CHANNEL": "webhook",
            "BIRTHDAYS_WEBHOOK_URL": inbox.url,
            "BIRTHDAYS_WEBHOOK_SECRET": SECRET,
            "BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE": "true",
        }
        assert await greeted(postgres_url, tmp_path, **told) == {Status.SENT: 1}
        [post] = inbox.posts
        assert post.data["subject"] == "Alles Gute zum Geburtstag, Zoë!"
