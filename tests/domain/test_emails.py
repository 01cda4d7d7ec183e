"""Addresses: what is one, judged beside a validator that others keep, and which two are the same."""

import email_validator
import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.email import clean_address, email_key, is_address

LETTERS = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), min_size=1, max_size=20)
MIXED = st.text(
    st.sampled_from("abzAZ019._-+!'%&üßñéدشक漢ã\u0301·。ａ\u200d\u202e\u00a0\ud800 \"()<>@,;:\\[]"),
    max_size=12,
)
WORDS = st.from_regex(r"[a-z0-9é漢ß]{1,5}([.+-][a-z0-9é漢ß]{1,5})?", fullmatch=True)
LABELS = st.text(
    st.sampled_from("abcxnz-09äöüßéñøłžабвгдежαβγδεפשתمحمد漢字かなカナ한글हिन्दी"), min_size=1, max_size=20
)


def is_known_elsewhere(text: str) -> bool:
    """Tell whether email-validator takes *text* for an address, without asking the network."""
    try:
        email_validator.validate_email(text, check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    (
        "ada@example.com",
        "ada.lovelace+birthday@mail.example.co.uk",
        "o'neil@example.com",
        "a@b.co",
        "用户@例子.广告",
        "अजय@डाटा.भारत",
        "квіточка@пошта.укр",
        "χρήστης@παράδειγμα.ελ",
        "dörte@sörensen.example.com",
        "jose\u0301@example.com",
        "ada@xn--bcher-kva.example",
        "ada@xn--i-7iq.ws",
        "l·l@paral·lel.cat",
        "x" * 64 + "@example.com",
        "ada@" + "x" * 63 + ".com",
    ),
)
def test_what_is_an_address(text: str) -> None:
    assert is_address(clean_address(text))


@pytest.mark.parametrize(
    "text",
    (
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "ada@example..com",
        ".ada@example.com",
        "ada.@example.com",
        "a..b@example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@example.com.",
        "ada@exa_mple.com",
        "ada@ab--cd.com",
        "ada@127.0.0.1",
        "ada@example。com",
        "ada@ｅxample.com",
        "ada@\u0301a.com",
        "\u0301ada@example.com",
        "ada\u202e@example.com",
        "ada\u200b@example.com",
        "a\u00a0da@example.com",
        "ada@exam\u00adple.com",
        "ada@💌.com",
        "ü" * 33 + "@example.com",
        "ada@" + "x" * 64 + ".com",
        "ada@" + "ü" * 60 + ".com",
        "ada\ud800@example.com",
        "ada@exa\ud800mple.com",
    ),
)
def test_what_is_none(text: str) -> None:
    assert not is_address(clean_address(text))


@pytest.mark.slow
@given(
    local=WORDS | MIXED | LETTERS,
    domain=WORDS | MIXED | LETTERS,
    top=st.sampled_from(("com", "укр", "c0m", "COM", "1")),
)
def test_whatever_is_one_here_is_one_elsewhere(local: str, domain: str, top: str) -> None:
    text = clean_address(f"{local}@{domain}.{top}")
    if not is_address(text):
        return
    # A domain in letters must also be one of IDNA 2008, which knows the rules of each script.
    try:
        idna.encode(text.rpartition("@")[2], uts46=True)
    except idna.IDNAError:
        return
    assert is_known_elsewhere(text)


@given(local=st.text("abc.+-_ü", min_size=1, max_size=8), label=LABELS)
def test_whatever_is_one_elsewhere_is_one_here(local: str, label: str) -> None:
    text = clean_address(f"{local}@{label}.com")
    assert is_address(text) or not is_known_elsewhere(text)


@given(label=LABELS)
def test_both_forms_of_a_domain_are_one_mailbox(label: str) -> None:
    try:
        encoded = idna.encode(label, uts46=True).decode()
    except idna.IDNAError:
        return
    in_letters, in_ascii = (clean_address(f"ada@{one}.com") for one in (idna.decode(encoded), encoded))
    assert in_letters == in_ascii
    assert email_key(f"ADA@{encoded.upper()}.COM") == email_key(in_letters)
    assert idna.encode(in_ascii.partition("@")[2], uts46=True).decode() == f"{encoded}.com"


@pytest.mark.parametrize(
    "domain",
    (
        "xn--",
        "xn--a",
        "xn--abc-",
        "xn--99999999999",
        "xn--i-7iq",
        "xn--\u00fc",
        "xn---",
        "xn--0000h",
        "axn--b",
    ),
)
def test_what_no_letters_lead_back_to_stays_as_it_is(domain: str) -> None:
    assert clean_address(f"ada@{domain}.com") == f"ada@{domain}.com"


@given(
    text=st.text(max_size=40) | st.builds("{}@xn--{}.com".format, st.text(max_size=5), st.text(max_size=30))
)
def test_to_clean_is_done_once(text: str) -> None:
    once = clean_address(text)
    assert clean_address(once) == once
    assert email_key(email_key(text)) == email_key(text)
