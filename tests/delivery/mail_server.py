"""A mail server, aiosmtpd, that keeps what it takes over and answers as it is told."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import attrs
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from adapters.delivery.smtp_line import MailServer
from tests.delivery.certificates import certified

USER, PASSWORD = "ada", "c0rrect horse/battery@staple"
Hook = Callable[[SMTP, Envelope], str | None]
"""Says something else than 250; or does something to the connection."""


@attrs.define(eq=False)
class Postbox:
    """What the server has taken over, and how it is told to answer."""

    port: int = 0
    tls: str = "starttls"
    mails: list[Envelope] = attrs.field(factory=list)
    connections: int = 0
    hooks: dict[str, Hook] = attrs.field(factory=dict)
    """By the command that they answer: EHLO, MAIL, RCPT, DATA."""
    late_s: float = 0.0
    """How long the server thinks about every mail."""

    @property
    def address(self) -> MailServer:
        user, password = (None, None) if self.tls == "none" else (USER, PASSWORD)
        return MailServer(host="localhost", port=self.port, tls=self.tls, user=user, password=password)

    @property
    def contents(self) -> list[EmailMessage]:
        return [message_from_bytes(one.original_content or b"", policy=policy.default) for one in self.mails]

    def answer(self, command: str, text: str) -> None:
        """Answer *command* with *text* from now on."""
        self.hooks[command] = lambda _server, _envelope: text

    def hang_up(self, command: str) -> None:
        """Break the connection instead of answering."""

        def broken(server: SMTP, _envelope: Envelope) -> None:
            _abort(server)

        self.hooks[command] = broken

    def _said(self, command: str, server: SMTP, envelope: Envelope) -> str | None:
        return self.hooks[command](server, envelope) if command in self.hooks else None

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        said = self._said("EHLO", server, envelope)
        return responses if said is None else [said]

    async def handle_MAIL(  # noqa: N802  # same
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        said = self._said("MAIL", server, envelope)
        if said is None or said.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(mail_options)
        return said or "250 OK"

    async def handle_RCPT(  # noqa: N802  # same
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        said = self._said("RCPT", server, envelope)
        if said is not None and not said.startswith("2"):
            envelope.rcpt_tos.pop()
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # same
        await asyncio.sleep(self.late_s)
        said = self._said("DATA", server, envelope)
        if said is None or said.startswith("2"):
            self.mails.append(envelope)
        return said or "250 OK"


def _logged_in(_server: SMTP, _session: Session, _envelope: Envelope, _method: str, data: Any) -> AuthResult:
    right = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == right, handled=False)


def _abort(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


@asynccontextmanager
async def mail_server(
    tls: str = "starttls", *, certificate: ssl.SSLContext | None = None, utf8: bool = True
) -> AsyncIterator[Postbox]:
    """Run a server until the end of the block; it wants a login unless it has no TLS."""
    postbox = Postbox(tls=tls)
    context = certificate or certified("localhost")
    protocols: list[SMTP] = []

    def connected() -> SMTP:
        postbox.connections += 1
        with warnings.catch_warnings():
            # It takes no notice of the TLS that was there from the beginning, and warns of logins without.
            warnings.simplefilter("ignore", UserWarning)
            protocol = SMTP(
                postbox,
                enable_SMTPUTF8=utf8,
                tls_context=context if tls == "starttls" else None,
                require_starttls=tls == "starttls",
                auth_require_tls=tls == "starttls",
                auth_required=tls != "none",
                authenticator=_logged_in,
                loop=asyncio.get_running_loop(),
                hostname="mail.example.org",
            )
        protocols.append(protocol)
        return protocol

    server = await asyncio.get_running_loop().create_server(
        connected, "127.0.0.1", 0, ssl=context if tls == "implicit" else None
    )
    postbox.port = server.sockets[0].getsockname()[1]
    try:
        yield postbox
    finally:
        server.close()
        for protocol in protocols:
            _abort(protocol)
        await asyncio.sleep(0)


@asynccontextmanager
async def scripted_server(*answers: bytes | None, hangs: bool = False) -> AsyncIterator[MailServer]:
    """Run a server that says these lines, one after each that it hears, and hangs up at None; or *hangs*.

    After 354 it hears the whole mail.
    """
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, answer in enumerate(answers):
            if number:
                await reader.readuntil(b"\r\n.\r\n" if answers[number - 1] == b"354 go" else b"\r\n")
            if answer is None:
                break
            writer.write(answer + b"\r\n")
        if hangs:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield MailServer(host="localhost", port=server.sockets[0].getsockname()[1], tls="none")
    finally:
        over.set()
        server.close()
        await asyncio.sleep(0.01)
