"""Every message says how to get out of more of them, where people can reach the service."""

from datetime import UTC, datetime
from uuid import UUID

import attrs
import msgspec
import pytest

from adapters.delivery.mail import mail_of
from adapters.delivery.texts import JinjaTexts
from adapters.delivery.webhook_request import payload
from application.deliveries import Delivery, Recipient
from application.errors import LinkUnknown
from application.texts import WriteText
from application.unsubscribing import Links
from domain.due import SendPolicy
from domain.user import UserId
from tests.contract.channel import delivery

NOW = datetime(2027, 3, 14, 9, tzinfo=UTC)
LINKS = Links(lambda: b"k" * 32, "https://birthdays.example.com/app")


def letter() -> Delivery:
    return delivery()._replace(recipient=Recipient("Ada", "King", "ada@example.com", 3))


def write(links: Links = LINKS, language: str = "en") -> WriteText:
    return WriteText(JinjaTexts(None, language), SendPolicy(), lambda: NOW, links.url)


@pytest.mark.parametrize("language", ("en", "de"))
def test_a_mail_has_the_headers_and_the_link(language: str) -> None:
    one = letter()
    mail = mail_of(one, write(language=language)(one), "birthdays@example.com").content
    url = LINKS.url(one.key.user_id, one.key.kind, 3)
    assert url is not None
    assert url.startswith("https://birthdays.example.com/app/unsubscribe/")
    assert mail["List-Unsubscribe"] == f"<{url}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <{url}>\n".encode() in mail.as_bytes(), "in one line"
    assert url in mail.get_content()


def test_a_webhook_is_told_the_link() -> None:
    one = letter()
    told = msgspec.json.decode(payload(one, write()(one)))["data"]
    assert told["unsubscribeUrl"] == LINKS.url(one.key.user_id, one.key.kind, 3)


def test_without_a_public_address_nothing_is_said() -> None:
    one = letter()
    text = write(attrs.evolve(LINKS, public_url=None))(one)
    mail = mail_of(one, text, "birthdays@example.com").content
    assert "List-Unsubscribe" not in mail
    assert "unsubscribe" not in mail.as_string()
    assert msgspec.json.decode(payload(one, text))["data"]["unsubscribeUrl"] is None


def test_a_link_is_of_one_person_kind_nonce_and_secret() -> None:
    one = letter().key
    token = LINKS.token(one.user_id, one.kind, 3)
    assert LINKS.read(token) == (one.user_id, one.kind)
    others = {
        LINKS.token(UserId(UUID(int=7)), one.kind, 3),
        *(LINKS.token(one.user_id, kind, 3) for kind in type(one.kind) if kind is not one.kind),
        LINKS.token(one.user_id, one.kind, 4),
        attrs.evolve(LINKS, secret=lambda: b"x" * 32).token(one.user_id, one.kind, 3),
    }
    assert token not in others
    assert len(others) == 4


@pytest.mark.parametrize("token", ("", "x", "====", "a" * 1000, "é", "-" * 51))
def test_what_is_no_link_is_none(token: str) -> None:
    with pytest.raises(LinkUnknown):
        LINKS.read(token)
