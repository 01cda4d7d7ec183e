"""A message as a mail: the same at every attempt, and nothing in it that a name could forge."""

from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import Any, Self

import attrs
import idna

from application.deliveries import Delivery
from application.texts import Text

_ENCODED = "=?"
"""How an encoded word begins."""
_LINE_LENGTH_MAX = 990  # RFC 5322 allows 998; folding would put a blank into the Message-ID


_ALIKE = frozenset(
    {
        "from",
        "date",
        "auto-submitted",
        "list-unsubscribe-post",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
    }
)
"""Headers of which the mails of a crowd have the same, or one of a few."""
_ALIKE_MAX = 100


def _is_alike(name: str, value: str) -> bool:
    return name.lower() in _ALIKE and "boundary=" not in value  # which is made of whom the mail is for


class MailUnwritable(ValueError):
    """The address or the name cannot be written into a mail."""


class _Headers(HeaderRegistry):
    """Takes apart once what many mails have alike; the library's own makes a class for each header, besides."""

    @cache  # noqa: B019  # there is one of these, which stays
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return super().__getitem__(name)

    def __call__(self, name: str, value: Any) -> BaseHeader:
        return self._alike(name, value) if _is_alike(name, value) else super().__call__(name, value)

    @lru_cache(_ALIKE_MAX)  # noqa: B019  # as above
    def _alike(self, name: str, value: str) -> BaseHeader:
        return super().__call__(name, value)


class _Policy(EmailPolicy):
    """Writes once what many mails have alike."""

    def fold_binary(self, name: str, value: str) -> bytes:
        return self._alike(name, value) if _is_alike(name, value) else super().fold_binary(name, value)

    def clone(self, **changed: Any) -> Self:
        """Return the policy itself where nothing changes: the library clones it for each part of a mail."""
        if all(getattr(self, name) == value for name, value in changed.items()):
            return self
        return super().clone(**changed)

    @lru_cache(_ALIKE_MAX)  # noqa: B019  # there are four of these, which stay
    def _alike(self, name: str, value: str) -> bytes:
        return super().fold_binary(name, value)


_PLAIN = _Policy(linesep="\n", max_line_length=_LINE_LENGTH_MAX, cte_type="7bit", header_factory=_Headers())
_POLICIES = {utf8: _PLAIN.clone(utf8=utf8) for utf8 in (False, True)}
_ON_THE_WIRE = {utf8: policy.clone(linesep="\r\n") for utf8, policy in _POLICIES.items()}


@attrs.frozen
class Mail:
    """A mail and the address it goes to; with *needs_utf8* only servers with SMTPUTF8 (RFC 6531) take it."""

    content: EmailMessage
    address: str
    needs_utf8: bool

    def on_the_wire(self) -> bytes:
        """Return it with the ends of lines that mail servers want."""
        return self.content.as_bytes(policy=_ON_THE_WIRE[self.needs_utf8])


def mail_of(delivery: Delivery, text: Text, sender: str) -> Mail:
    """Write a mail. Raises MailUnwritable.

    Names and subjects are encoded so that every mail program reads them, and so is a domain (IDNA); what
    stands before the @ cannot be. A body in any language is ASCII on its way.
    """
    local, _, domain = delivery.recipient.email.rpartition("@")
    needs_utf8 = not local.isascii()
    name = f"{delivery.recipient.first_name} {delivery.recipient.last_name}"
    if any(character in name + delivery.recipient.email + text.subject for character in "\r\n\0"):
        raise MailUnwritable
    if _ENCODED in delivery.recipient.email:
        raise MailUnwritable
    mail = EmailMessage(policy=_POLICIES[needs_utf8])
    try:
        to = Address(_literal(name), local, domain if needs_utf8 else _ascii_domain(domain))
        own = _own_address(sender)
        mail["From"] = str(own)
        mail["To"] = to
        mail["Subject"] = _literal(text.subject)
        mail["Date"] = format_datetime(delivery.due_at)
        mail["Message-ID"] = f"<{delivery.key}@{_ascii_domain(own.domain)}>"
        mail["Auto-Submitted"] = "auto-generated"
        if text.unsubscribe_url is not None:
            mail["List-Unsubscribe"] = f"<{text.unsubscribe_url}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(text.body)
        if text.html is not None:
            mail.add_alternative(text.html, subtype="html")
            # Random otherwise; the mail is to be the same at every attempt.
            mail.set_boundary(f"=_{delivery.key.user_id.hex}{delivery.key.occasion_on:%Y%m%d}")
    except (ValueError, UnicodeError) as error:
        raise MailUnwritable from error
    return Mail(mail, to.addr_spec, needs_utf8)


def _literal(text: str) -> str:
    """Return it so that nothing in it is decoded.

    The library takes what a program gives it apart as if it had been received, and a line break that it finds in an
    encoded word (RFC 2047) becomes one of the header's own.
    """
    return text.replace(_ENCODED, "= ?")


@lru_cache(maxsize=10)
def _own_address(sender: str) -> Address:
    return Address("Birthdays", addr_spec=sender)


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    return idna.encode(domain, uts46=True).decode()
