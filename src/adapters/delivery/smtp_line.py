"""One connection to a mail server, and what its answers mean."""

import asyncio
import contextlib
import re
import socket
import ssl
from datetime import timedelta

import attrs
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPStatus,
)

from adapters.delivery.batch import UNREACHABLE_PAUSE, UNTRIED, Unreachable
from adapters.delivery.mail import Mail
from application.deliveries import FailedForGood, FailedForNow, Outcome, Sent

_BUSY_PAUSE = timedelta(seconds=60)
_IDLE_MAX_S = 60.0  # servers, and the routers before them, forget connections that are idle
_GOING_AWAY = 421
_BUSY = frozenset({421, 454})
"""The server asks to be left alone, whichever command it answers so."""
_NOT_LOGGED_IN = frozenset({530, 534, 535, 538})
"""The server refuses us, not the mail (RFC 4954)."""
_ACCEPTED, _FOR_NOW, _FOR_GOOD = 2, 4, 5
_REFUSED = (_FOR_NOW, _FOR_GOOD)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")
_LEADING_DOT = re.compile(rb"(?m)^\.")


@attrs.frozen(kw_only=True)
class MailServer:
    """Where mail is handed in; *tls* is starttls, implicit or none, and never less than it says."""

    host: str
    port: int
    tls: str = "starttls"
    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)


@attrs.define(eq=False)
class SmtpLine:
    """A connection that is opened when it is needed and stays open; one mail at a time, whoever sends them."""

    _server: MailServer
    _sender: str
    _context: ssl.SSLContext
    _client: SMTP | None = None
    _used_at: float = 0.0
    _has_begun: bool = False
    """Whether the server has heard of a mail that it has not taken over; to be forgotten before the next."""
    _is_in_doubt: bool = False
    """Whether the server may have a mail whole and has not said what becomes of it."""
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    """Several batches are on their way at once, and a mail server hears of one mail after the other."""

    async def send(self, mail: Mail, within_s: float) -> Outcome:
        """Hand the mail over within that many seconds, the wait for its turn included. Raises Unreachable."""
        until = asyncio.get_running_loop().time() + within_s
        try:
            async with asyncio.timeout_at(until):
                await self._turn.acquire()
        except TimeoutError:
            return UNTRIED
        try:
            return await self._send(mail, until)
        finally:
            self._turn.release()

    async def try_out(self, within_s: float) -> str | None:
        """Greet and log in on a connection of its own, and take leave; return what the server has against it."""
        try:
            async with asyncio.timeout(within_s):
                client = await self._connected()
        except (Unreachable, TimeoutError) as error:
            return str(error) or "The mail server did not answer in time."
        with contextlib.suppress(SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(within_s):
                await client.quit()
        client.close()
        return None

    async def _send(self, mail: Mail, until: float) -> Outcome:
        self._is_in_doubt = False
        try:
            async with asyncio.timeout_at(until):
                return await self._exchange(mail)
        except SMTPResponseException as error:
            return self._meaning(error)
        except (SMTPException, OSError, TimeoutError) as error:
            reason = f"The mail server did not answer ({type(error).__name__})."
            if self._client is None:
                raise Unreachable(reason) from error
            self.close()
            return FailedForNow(reason, may_have_arrived=self._is_in_doubt)
        except ValueError:
            return FailedForGood("The address cannot be told to a mail server.")
        except asyncio.CancelledError:
            self.close()
            raise

    async def quit(self) -> None:
        """Take leave, if there is a connection."""
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(SMTPException, OSError):
                await self._client.quit()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _exchange(self, mail: Mail) -> Outcome:
        now = asyncio.get_running_loop().time()
        was_idle_s, self._used_at = now - self._used_at, now
        if self._client is not None and self._client.is_connected and was_idle_s < _IDLE_MAX_S:
            try:
                if self._has_begun:
                    await self._client.rset()
                    self._has_begun = False
                return await self._hand_over(self._client, mail)
            except (SMTPServerDisconnected, SMTPResponseException) as error:
                # A server may end a connection that was idle or has carried enough: a new one is in order.
                if self._has_begun or getattr(error, "code", _GOING_AWAY) != _GOING_AWAY:
                    raise
        self.close()
        self._client = await self._connected()
        self._has_begun = False
        return await self._hand_over(self._client, mail)

    async def _connected(self) -> SMTP:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            username=server.user,
            password=server.password,
            local_hostname=_own_name(),
            tls_context=self._context,
            timeout=None,  # the caller's time is the limit
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except SMTPResponseException as error:
            client.close()
            pause = _BUSY_PAUSE if error.code in _BUSY else UNREACHABLE_PAUSE
            raise Unreachable(f"The mail server refuses us ({_codes(error)}).", pause) from error
        except (SMTPException, OSError, ValueError) as error:
            client.close()
            cause = error.__cause__ or error
            raise Unreachable(f"The mail server cannot be reached ({type(cause).__name__}).") from error
        except asyncio.CancelledError:
            client.close()
            raise
        return client

    async def _hand_over(self, client: SMTP, mail: Mail) -> Outcome:
        """Go through one mail transaction. Raises SMTPResponseException where the server refuses."""
        if mail.needs_utf8 and not client.supports_extension("smtputf8"):
            return FailedForGood("The mail server cannot take such an address (it lacks SMTPUTF8).")
        encoding = "utf-8" if mail.needs_utf8 else "ascii"
        await client.mail(self._sender, options=["SMTPUTF8"] if mail.needs_utf8 else [], encoding=encoding)
        self._has_begun = True
        await client.rcpt(mail.address, encoding=encoding)
        answer = await client.execute_command(b"DATA")
        if answer.code != SMTPStatus.start_input or client.protocol is None:
            raise SMTPDataError(answer.code, answer.message)
        # Not client.data(): its errors do not tell whether the mail was on its way already.
        content = mail.on_the_wire()
        self._is_in_doubt = True
        client.protocol.write(_LEADING_DOT.sub(b"..", content) + b".\r\n")
        answer = await client.protocol.read_response()
        self._has_begun = False
        if answer.code // 100 != _ACCEPTED:
            raise SMTPDataError(answer.code, answer.message)
        return Sent()

    def _meaning(self, error: SMTPResponseException) -> Outcome:
        codes = _codes(error)
        if error.code == _GOING_AWAY or error.code // 100 not in _REFUSED:
            self.close()
        if error.code in _BUSY or (isinstance(error, SMTPSenderRefused) and error.code // 100 == _FOR_NOW):
            return FailedForNow(f"The mail server is busy ({codes}).", _BUSY_PAUSE)
        if error.code in _NOT_LOGGED_IN:
            return FailedForNow(f"The mail server refuses us ({codes}).", UNREACHABLE_PAUSE)
        if error.code // 100 == _FOR_GOOD:
            return FailedForGood(f"The mail server refused it ({codes}).")
        is_clear = error.code // 100 == _FOR_NOW
        return FailedForNow(
            f"The mail server did not take it ({codes}).", may_have_arrived=self._is_in_doubt and not is_clear
        )


def _codes(error: SMTPResponseException) -> str:
    """Return the numbers of an answer; its words may repeat the address."""
    enhanced = _ENHANCED.match(error.message)
    return str(error.code) if enhanced is None else f"{error.code} {enhanced[0]}"


def _own_name() -> str:
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,253}", name) else "localhost"
