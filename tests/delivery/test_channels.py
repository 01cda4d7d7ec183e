"""The channels that stay on this machine: standard output and a Maildir."""

import io
import mailbox
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.policy import SMTP
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from adapters.delivery import mail
from adapters.delivery.console import ConsoleChannel
from adapters.delivery.mail import mail_of
from adapters.delivery.maildir import MaildirChannel
from application.deliveries import Delivery, FailedForGood, FailedForNow, Recipient, Sent
from application.texts import Text, TextUnwritable
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

    async def test_each_has_its_line_and_what_has_no_text_has_none(self, stream: io.StringIO) -> None:
        def write(delivery: Delivery) -> Text:
            if delivery.recipient.first_name == "Grace":
                raise TextUnwritable
            return WRITE(delivery)

        ada, grace, zoe = (delivery(name) for name in ("Ada", "Grace", "Zoë"))
        late = zoe._replace(due_at=ada.due_at + timedelta(minutes=90))
        outcomes = await ConsoleChannel(write, stream).send_many([ada, grace, late])
        assert outcomes == [
            Sent(),
            FailedForGood("The template cannot be filled in for this message."),
            Sent(),
        ]
        assert stream.getvalue().splitlines() == [
            f"{one.due_at:%Y-%m-%dT%H:%M}:00Z  {one.recipient.email}  Happy birthday, {one.recipient.first_name}!"
            for one in (ada, late)
        ]

    async def test_every_line_arrives_where_a_write_takes_what_fits(self) -> None:
        """As an unbuffered standard output does whose reader is slow; what is left over is nobody's business there."""
        narrow = _Narrow()
        stream = io.TextIOWrapper(narrow, encoding="utf-8", write_through=True)  # type: ignore[type-var]  # raw, as Python's own is with -u
        crowd = [delivery(f"P{number}") for number in range(200)]
        assert await ConsoleChannel(WRITE, stream).send_many(crowd) == [Sent()] * len(crowd)
        assert len(narrow.taken.splitlines()) == len(crowd)


class _Narrow(io.RawIOBase):
    """Takes a page at a time."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        part = bytes(data)[:4096]
        self.taken += part
        return len(part)


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


@pytest.mark.parametrize("html", (None, "<p>Zoë</p>"))
def test_what_mails_have_alike_is_written_as_the_library_writes_it(html: str | None) -> None:
    one, other = delivery("Zoë"), delivery("Ada")
    crowd = [one, other, other._replace(due_at=other.due_at + timedelta(hours=1)), one]
    library = SMTP.clone(linesep="\n", max_line_length=990, cte_type="7bit")
    for letter, sender in product(crowd, (SENDER, "greetings@example.net")):
        written = mail_of(letter, Text("Hi", "Zoë!\n.\n" * 30, html), sender).content
        assert written.as_bytes() == written.as_bytes(policy=library)
        assert written["Date"].datetime == letter.due_at
        assert written["From"].addresses[0].addr_spec == sender
        assert written["To"].addresses[0].addr_spec == letter.recipient.email


@pytest.mark.parametrize("html", (None, "<p>Zoë</p>"))
def test_nothing_of_a_person_is_kept_when_their_mail_is_written(html: str | None) -> None:
    """Neither in what is remembered of headers nor in that of their lines: another person's mail adds nothing."""
    remembered = [mail._Headers._alike, mail._Policy._alike]
    sizes = []
    for name in ("Ada", "Grace", "Zoë"):
        mail_of(delivery(name), Text("Hi", "Zoë!\n", html), SENDER).on_the_wire()
        sizes.append([one.cache_info().currsize for one in remembered])
    assert sizes[0] == sizes[1] == sizes[2]
