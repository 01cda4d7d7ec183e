"""The settings that keep people from being written to by mistake."""

from datetime import timedelta

import pytest

from domain.brake import Brake
from entrypoints.environment import InvalidSetting
from entrypoints.safety_settings import SafetySettings
from entrypoints.settings import Settings


def read(**environment: str) -> SafetySettings:
    return Settings.from_environment(environment).safety


def test_a_service_that_was_told_nothing_has_a_brake_and_forgets() -> None:
    assert read() == SafetySettings(
        brake=Brake(factor=5, least=200),
        allowed_domains=None,
        public_url=None,
        forget_deleted=timedelta(days=400),
        keep_audit=timedelta(days=1098),
    )


@pytest.mark.parametrize(
    ("text", "brake"),
    (("off", None), ("0", None), ("3", Brake(factor=3)), ("10,5000", Brake(factor=10, least=5000))),
)
def test_the_brake_is_off_or_a_factor_and_a_number(text: str, brake: Brake | None) -> None:
    assert read(BIRTHDAYS_BRAKE=text).brake == brake


def test_domains_are_known_in_both_of_their_spellings() -> None:
    allowed = read(MAIL_ALLOW_DOMAINS="@Example.com, bücher.example").allowed_domains
    assert allowed == frozenset({"example.com", "bücher.example", "xn--bcher-kva.example"})


def test_a_comma_too_many_names_no_domain_more() -> None:
    assert read(MAIL_ALLOW_DOMAINS="example.com, ,").allowed_domains == frozenset({"example.com"})
    assert read(MAIL_ALLOW_DOMAINS=" ").allowed_domains is None


def test_what_is_deleted_may_be_kept_for_ever() -> None:
    assert read(BIRTHDAYS_FORGET_DELETED_DAYS="0").forget_deleted is None


def test_a_slash_at_the_end_of_the_public_address_says_nothing() -> None:
    assert read(BIRTHDAYS_PUBLIC_URL="https://b.example.com/app/").public_url == "https://b.example.com/app"


@pytest.mark.parametrize(
    ("name", "text"),
    (
        ("BIRTHDAYS_BRAKE", "on"),
        ("BIRTHDAYS_BRAKE", "5000"),
        ("MAIL_ALLOW_DOMAINS", "a b"),
        ("MAIL_ALLOW_DOMAINS", ","),  # names nobody, and would have allowed everybody
        ("MAIL_ALLOW_DOMAINS", "@"),
        ("MAIL_ALLOW_DOMAINS", "example.com, @"),
        ("BIRTHDAYS_PUBLIC_URL", "b.example.com"),
        ("BIRTHDAYS_PUBLIC_URL", "https://u:p@b.example.com"),
        ("BIRTHDAYS_PUBLIC_URL", "https://b.example.com/?a"),
        ("BIRTHDAYS_FORGET_DELETED_DAYS", "-1"),
        ("BIRTHDAYS_AUDIT_DAYS", "89"),
    ),
)
def test_a_mistake_is_told_by_its_name(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        read(**{name: text})
