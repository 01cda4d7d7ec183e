"""The channel to a mail server, against a server program, over TLS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from aiosmtpd.smtp import SMTP, Envelope

from adapters.delivery.batch import UNTRIED
from adapters.delivery.smtp import SmtpChannel
from adapters.delivery.smtp_line import MailServer
from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Recipient, Sent
from application.texts import Text
from tests.contract.channel import ChannelContract, Reached, delivery
from tests.delivery.certificates import certified, trusting
from tests.delivery.mail_server import Postbox, mail_server, scripted_server
from tests.delivery.words import SENDER, WRITE


def channel_to(
    server: MailServer,
    *,
    connections: int = 2,
    message_s: float = 5.0,
    write: Callable[[Delivery], Text] = WRITE,
) -> SmtpChannel:
    return SmtpChannel(
        server, SENDER, write, connections=connections, message_s=message_s, trusted=trusting()
    )


def is_pause(outcome: Outcome) -> bool:
    """Tell whether the whole channel waits; such an attempt does not count."""
    return isinstance(outcome, FailedForNow) and bool(outcome.retry_after)


@pytest.fixture
async def postbox() -> AsyncIterator[Postbox]:
    async with mail_server() as postbox:
        yield postbox


@pytest.fixture
async def channel(postbox: Postbox) -> AsyncIterator[SmtpChannel]:
    channel = channel_to(postbox.address)
    yield channel
    await channel.close()


class TestSmtp(ChannelContract):
    @pytest.fixture
    def reached(self, postbox: Postbox) -> Reached:
        async def addresses() -> list[str]:
            return [address for mail in postbox.mails for address in mail.rcpt_tos]

        return addresses


@pytest.mark.parametrize("tls", ("starttls", "implicit", "none"))
async def test_a_mail_is_handed_over_however_the_server_is_talked_to(tls: str) -> None:
    async with mail_server(tls) as postbox:
        channel = channel_to(postbox.address)
        one = delivery(recipient=Recipient("Zoë", 'O"Brien, Jr.', "zoe@exämple.com"), years=21)
        assert await channel.send_many([one]) == [Sent()]
        await channel.close()
        [envelope] = postbox.mails
        assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["zoe@xn--exmple-cua.com"])
        assert (envelope.original_content or b"").isascii()
        [mail] = postbox.contents
        assert mail["To"].addresses[0].display_name == 'Zoë O"Brien, Jr.'
        assert mail["Subject"] == "Happy birthday, Zoë!"
        assert mail["Message-ID"] == f"<{one.key}@example.org>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_content_type() == "text/plain"
        assert "happy 21st birthday" in mail.get_content()


async def test_every_attempt_is_the_same_mail(channel: SmtpChannel, postbox: Postbox) -> None:
    one = delivery()
    await channel.send_many([one])
    await channel.send_many([one._replace(fence=2, attempt=2)])
    first, second = postbox.mails
    assert first.original_content == second.original_content


async def test_connections_are_few_and_stay_open(channel: SmtpChannel, postbox: Postbox) -> None:
    for _ in range(2):
        await channel.send_many([delivery() for _ in range(10)])
    assert len(postbox.mails) == 20
    assert postbox.connections == 2


@pytest.mark.parametrize("by_a_word", (True, False))
async def test_a_server_that_ended_an_idle_connection_is_called_again(
    channel: SmtpChannel, postbox: Postbox, *, by_a_word: bool
) -> None:
    await channel.send_many([delivery()])
    postbox.hang_up("MAIL")
    hang_up = postbox.hooks["MAIL"]

    def ended(server: SMTP, envelope: Envelope) -> str | None:
        del postbox.hooks["MAIL"]
        return "421 4.4.2 Idle for too long" if by_a_word else hang_up(server, envelope)

    postbox.hooks["MAIL"] = ended
    assert await channel.send_many([delivery()]) == [Sent()]
    assert postbox.connections == 2


async def test_lines_may_begin_with_a_dot(postbox: Postbox) -> None:
    body = "First.\n.\n..\n.hidden\n"
    channel = channel_to(postbox.address, write=lambda _delivery: Text("Dots", body))
    assert await channel.send_many([delivery()]) == [Sent()]
    await channel.close()
    assert postbox.contents[0].get_content().splitlines() == body.splitlines()


@pytest.mark.parametrize("command", ("MAIL", "RCPT", "DATA"))
async def test_what_is_refused_for_good_does_not_hold_up_the_others(
    channel: SmtpChannel, postbox: Postbox, command: str
) -> None:
    answers = iter(["550 5.1.1 <secret@example.com> is nobody here", None, None])
    postbox.hooks[command] = lambda _server, _envelope: next(answers)
    outcomes = await channel_to(postbox.address, connections=1).send_many([delivery() for _ in range(3)])
    assert outcomes == [FailedForGood("The mail server refused it (550 5.1.1)."), Sent(), Sent()]
    assert postbox.connections == 1


@pytest.mark.parametrize("command", ("RCPT", "DATA"))
async def test_what_is_refused_for_now_is_tried_again(
    channel: SmtpChannel, postbox: Postbox, command: str
) -> None:
    postbox.answer(command, "451 4.7.1 Greylisted")
    [outcome] = await channel.send_many([delivery()])
    assert outcome == FailedForNow("The mail server did not take it (451 4.7.1).")


@pytest.mark.parametrize(
    ("command", "text"),
    (
        ("MAIL", "450 4.7.0 Too many mails"),
        ("MAIL", "530 5.7.0 Log in first"),
        ("RCPT", "421 4.7.0 Try again later"),
        ("DATA", "454 Throttling failure: Maximum sending rate exceeded."),
    ),
)
async def test_a_server_that_is_busy_or_refuses_us_is_left_alone(
    postbox: Postbox, command: str, text: str
) -> None:
    asked = []

    def answer(_server: SMTP, envelope: Envelope) -> str:
        asked.append(envelope)
        return text

    postbox.hooks[command] = answer
    channel = channel_to(postbox.address, connections=1)
    outcomes = await channel.send_many([delivery() for _ in range(5)])
    await channel.close()
    assert is_pause(outcomes[0])
    assert [one.retry_after for one in outcomes[1:] if isinstance(one, FailedForNow)] == [timedelta(0)] * 4
    assert len(asked) == 1
    assert not [one for one in outcomes if isinstance(one, FailedForNow) and one.may_have_arrived]


class TestAConnectionThatBreaks:
    @pytest.mark.parametrize("command", ("MAIL", "RCPT"))
    async def test_before_the_mail_was_handed_over_it_is_tried_again(
        self, channel: SmtpChannel, postbox: Postbox, command: str
    ) -> None:
        postbox.hang_up(command)
        [outcome] = await channel.send_many([delivery()])
        assert isinstance(outcome, FailedForNow)
        assert not outcome.may_have_arrived

    async def test_afterwards_nobody_knows(self, channel: SmtpChannel, postbox: Postbox) -> None:
        postbox.hang_up("DATA")
        [outcome] = await channel.send_many([delivery()])
        assert isinstance(outcome, FailedForNow)
        assert outcome.may_have_arrived
        assert len(postbox.mails) == 1  # it was taken over, in fact
        del postbox.hooks["DATA"]
        assert await channel.send_many([delivery()]) == [Sent()]

    async def test_instead_of_the_answer_to_data_it_is_tried_again(self) -> None:
        async with scripted_server(b"220 x", b"250 x", b"250 ok", b"250 ok", None) as address:
            [outcome] = await channel_to(address).send_many([delivery()])
            assert isinstance(outcome, FailedForNow)
            assert not outcome.may_have_arrived

    async def test_an_answer_without_sense_leaves_it_in_doubt(self) -> None:
        async with scripted_server(b"220 x", b"250 x", b"250 ok", b"250 ok", b"354 go", b"???") as address:
            [outcome] = await channel_to(address).send_many([delivery()])
            assert isinstance(outcome, FailedForNow)
            assert outcome.may_have_arrived


class TestAServerThatIsSlow:
    async def test_the_batch_ends_in_time(self, postbox: Postbox) -> None:
        postbox.late_s = 60
        channel = channel_to(postbox.address, connections=2, message_s=1)
        outcomes = await asyncio.wait_for(channel.send_many([delivery() for _ in range(20)]), 3)
        await channel.close()
        in_doubt = [one for one in outcomes if isinstance(one, FailedForNow) and one.may_have_arrived]
        untried = [
            one for one in outcomes if isinstance(one, FailedForNow) and one.retry_after == timedelta(0)
        ]
        assert (len(in_doubt), len(untried)) == (2, 18)

    async def test_what_is_under_way_is_finished(self, postbox: Postbox) -> None:
        postbox.late_s = 0.6
        channel = channel_to(postbox.address, connections=1, message_s=1)
        outcomes = list(await channel.send_many([delivery() for _ in range(9)]))
        await channel.close()
        sent = outcomes.count(Sent())
        assert 1 <= sent == len(postbox.mails)
        assert outcomes[:sent] == [Sent()] * sent
        assert not [one for one in outcomes if isinstance(one, FailedForNow) and one.may_have_arrived]


class TestAServerThatCannotBeTalkedTo:
    async def everybody_waits(self, channel: SmtpChannel) -> str:
        outcomes = await channel.send_many([delivery() for _ in range(3)])
        await channel.close()
        assert all(is_pause(outcome) for outcome in outcomes)
        [reason] = {outcome.reason for outcome in outcomes if isinstance(outcome, FailedForNow)}
        return reason

    async def test_since_it_is_not_there(self, unused_tcp_port: int) -> None:
        server = MailServer(host="localhost", port=unused_tcp_port)
        assert "ConnectionRefusedError" in await self.everybody_waits(channel_to(server))

    async def test_since_it_says_nothing(self) -> None:
        async with scripted_server(None, hangs=True) as address:
            assert "TimeoutError" in await self.everybody_waits(channel_to(address, message_s=0.2))

    async def test_since_the_password_is_wrong(self, postbox: Postbox) -> None:
        server = attrs.evolve(postbox.address, password="wrong")
        assert await self.everybody_waits(channel_to(server)) == "The mail server refuses us (535 5.7.8)."

    @pytest.mark.parametrize("tls", ("starttls", "implicit"))
    async def test_since_nobody_we_know_certifies_it(self, tls: str) -> None:
        async with mail_server(tls, certificate=certified("localhost", "unknown")) as postbox:
            reason = await self.everybody_waits(channel_to(postbox.address))
            assert "SSLCertVerificationError" in reason

    @pytest.mark.parametrize("tls", ("starttls", "implicit"))
    async def test_since_it_is_certified_for_somebody_else(self, tls: str) -> None:
        async with mail_server(tls, certificate=certified("elsewhere.example")) as postbox:
            assert "SSLCertVerificationError" in await self.everybody_waits(channel_to(postbox.address))

    async def test_since_it_offers_no_tls(self) -> None:
        async with mail_server("none") as postbox:
            server = attrs.evolve(postbox.address, tls="starttls")
            await self.everybody_waits(channel_to(server))
            assert postbox.mails == []

    async def test_but_if_it_takes_one_connection_that_one_serves_all(self, postbox: Postbox) -> None:
        greeted: list[Envelope] = []

        def first_alone(_server: SMTP, envelope: Envelope) -> str | None:
            greeted.append(envelope)
            return None if postbox.connections == 1 else "421 Too many connections"

        postbox.hooks["EHLO"] = first_alone
        channel = channel_to(postbox.address, connections=3)
        assert await channel.send_many([delivery()]) == [Sent()]
        assert await channel.send_many([delivery() for _ in range(6)]) == [Sent()] * 6
        await channel.close()


class TestAddressesAndNames:
    @pytest.mark.parametrize("where", ("first_name", "last_name", "email"))
    @pytest.mark.parametrize("evil", ("\r\nBcc: victim@example.com", "\nX: y", "\r", "\0"))
    async def test_a_line_break_is_refused(
        self, channel: SmtpChannel, postbox: Postbox, where: str, evil: str
    ) -> None:
        good = Recipient("Jo", "Crlf", "jo@example.com")
        forged = good._replace(**{where: getattr(good, where) + evil})
        [outcome, other] = await channel.send_many([delivery(recipient=forged), delivery()])
        assert isinstance(outcome, FailedForGood)
        assert other == Sent()
        assert len(postbox.mails) == 1

    @pytest.mark.parametrize("where", ("first_name", "last_name"))
    @pytest.mark.parametrize(
        "encoded",
        (
            "=?utf-8?q?a=0d=0aBcc:_eve@example.com?=",
            "=?utf-8?b?YQ0KQmNjOiBldmVAZXhhbXBsZS5jb20=?=",
            "=?utf-8?q?=0a_X:_y?=",
            "=?us-ascii?q?a=0dX:=20y?=\u2026",
            "=?utf-8?b?}0=+?=",
        ),
    )
    async def test_what_a_mail_program_would_decode_stays_what_it_is(
        self, channel: SmtpChannel, postbox: Postbox, where: str, encoded: str
    ) -> None:
        """The library decodes it as it writes the header: a line break would be one of the mail's own."""
        said: dict[str, Any] = {where: encoded}
        told = Recipient("Jo", "Crlf", "jo@example.com")._replace(**said)
        outcomes = await channel.send_many([delivery(recipient=told), delivery()])
        assert outcomes == [Sent(), Sent()]
        [mail, other] = sorted(postbox.contents, key=lambda one: "jo@" not in str(one["To"]))
        assert mail.keys() == other.keys()
        assert encoded.replace("=?", "= ?") in str(mail["To"])

    @pytest.mark.parametrize("address", ("{}@example.com", "jo@{}.example.com", "zoë@{}"))
    async def test_an_address_that_a_mail_program_would_decode_is_refused(
        self, channel: SmtpChannel, postbox: Postbox, address: str
    ) -> None:
        told = Recipient("Jo", "Crlf", address.format("=?utf-8?q?a=0d=0aX=3a_y?="))
        [outcome, other] = await channel.send_many([delivery(recipient=told), delivery()])
        assert isinstance(outcome, FailedForGood)
        assert other == Sent()
        assert len(postbox.mails) == 1

    async def test_an_international_address_needs_a_server_that_takes_it(self) -> None:
        one = delivery(recipient=Recipient("Zoë", "李", "zoë@exämple.com"))
        async with mail_server(utf8=True) as postbox:
            channel = channel_to(postbox.address)
            assert await channel.send_many([one]) == [Sent()]
            await channel.close()
            assert postbox.mails[0].rcpt_tos == ["zoë@exämple.com"]
            assert postbox.contents[0]["Subject"] == "Happy birthday, Zoë!"
        async with mail_server(utf8=False) as postbox:
            channel = channel_to(postbox.address)
            [outcome, other] = await channel.send_many([one, delivery()])
            await channel.close()
            assert isinstance(outcome, FailedForGood)
            assert "SMTPUTF8" in outcome.reason
            assert other == Sent()


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(MailServer(host="x", port=25, user="ada", password="s3cret"))


async def test_a_mail_whose_turn_does_not_come_was_not_tried(postbox: Postbox) -> None:
    channel = channel_to(postbox.address, connections=1, message_s=0.1)
    async with channel._lines[0]._turn:  # as while a mail of another batch is on its way
        assert await channel.send_many([delivery()]) == [UNTRIED]
    assert postbox.connections == 0


async def test_what_keeps_us_from_a_mail_server_is_told_without_a_mail(postbox: Postbox) -> None:
    stranger = attrs.evolve(postbox.address, password="wrong")
    assert await channel_to(stranger).trouble() == "The mail server refuses us (535 5.7.8)."
    nobody = attrs.evolve(postbox.address, port=1)
    assert "cannot be reached" in (await channel_to(nobody).trouble() or "")
    async with scripted_server(hangs=True) as server:
        late = await channel_to(server, message_s=0.1).trouble()
    assert late == "The mail server did not answer in time."
    assert postbox.mails == []
