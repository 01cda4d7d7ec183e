"""The channels that stay on this machine: standard output and a Maildir."""

import io
import mailbox
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from adapters.delivery.console import ConsoleChannel
from adapters.delivery.maildir import MaildirChannel
from application.deliveries import FailedForGood, FailedForNow, Recipient, Sent
from tests.contract.channel import ChannelContract, Reached, delivery
from tests.delivery.words import SENDER, WRITE


def mails(folder: Path) -> list[EmailMessage]:
    files = [file for name in ("new", "cur") for file in (folder / name).glob("*")]
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


class TestConsole(ChannelContract):
    @pytest.fixture
    def stream(self) -> io.StringIO:
        return io.StringIO()

    @pytest.fixture
    def channel(self, stream: io.StringIO) -> ConsoleChannel:
        return ConsoleChannel(WRITE, stream)

    @pytest.fixture
    def reached(self, stream: io.StringIO) -> Reached:
        async def addresses() -> list[str]:
            return [line.split("  ")[1] for line in stream.getvalue().splitlines()]

        return addresses


class TestMaildir(ChannelContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "maildir"

    @pytest.fixture
    def channel(self, folder: Path) -> MaildirChannel:
        return MaildirChannel(folder, SENDER, WRITE)

    @pytest.fixture
    def reached(self, folder: Path) -> Reached:
        async def addresses() -> list[str]:
            return [mail["To"].addresses[0].addr_spec for mail in mails(folder)]

        return addresses

    async def test_a_mail_program_finds_a_whole_mail(self, channel: MaildirChannel, folder: Path) -> None:
        one = delivery(recipient=Recipient("Zoë", 'O"Brien, Jr.', "zoe@example.com"), years=21)
        await channel.send_many([one])
        box = mailbox.Maildir(folder, create=False)
        assert len(box) == 1
        [mail] = mails(folder)
        assert str(mail["To"].addresses[0].display_name) == 'Zoë O"Brien, Jr.'
        assert mail["Subject"] == "Happy birthday, Zoë!"
        assert "happy 21st birthday" in mail.get_content()
        assert mail["Message-ID"] == f"<{one.key}@example.org>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert list((folder / "tmp").iterdir()) == []

    async def test_what_a_mail_program_has_opened_is_not_delivered_again(
        self, channel: MaildirChannel, folder: Path
    ) -> None:
        one = delivery()
        await channel.send_many([one])
        name = str(one.key)
        (folder / "new" / name).rename(folder / "cur" / f"{name}:2,S")
        assert await channel.send_many([one._replace(fence=2, attempt=2)]) == [Sent()]
        assert len(mails(folder)) == 1

    async def test_a_name_that_would_write_its_own_headers_is_refused(
        self, channel: MaildirChannel, folder: Path
    ) -> None:
        evil = Recipient("Jo\r\nBcc: victim@example.com", "Crlf", "jo@example.com")
        [outcome, other] = await channel.send_many([delivery(recipient=evil), delivery()])
        assert isinstance(outcome, FailedForGood)
        assert other == Sent()
        assert len(mails(folder)) == 1

    async def test_a_folder_that_cannot_be_written_is_tried_again_later(
        self, channel: MaildirChannel, folder: Path
    ) -> None:
        folder.write_text("in the way")
        [outcome] = await channel.send_many([delivery()])
        assert isinstance(outcome, FailedForNow)
        folder.unlink()
        assert await channel.send_many([delivery()]) == [Sent()]
