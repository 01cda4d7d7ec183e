"""A message as a mail: the same at every attempt, and nothing in it that a name could forge."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

import attrs
import idna

from application.deliveries import Delivery
from application.texts import Text

_LINE_LENGTH_MAX = 990  # RFC 5322 allows 998; folding would put a blank into the Message-ID


class MailUnwritable(ValueError):
    """The address or the name cannot be written into a mail."""


@attrs.frozen
class Mail:
    """A mail and the address it goes to; with *needs_utf8* only servers with SMTPUTF8 (RFC 6531) take it."""

    content: EmailMessage
    address: str
    needs_utf8: bool


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
    policy = SMTPUTF8 if needs_utf8 else SMTP
    mail = EmailMessage(policy=policy.clone(linesep="\n", max_line_length=_LINE_LENGTH_MAX, cte_type="7bit"))
    try:
        to = Address(name, local, domain if needs_utf8 else _ascii_domain(domain))
        mail["From"] = own = Address("Birthdays", addr_spec=sender)
        mail["To"] = to
        mail["Subject"] = text.subject
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


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    return idna.encode(domain, uts46=True).decode()
