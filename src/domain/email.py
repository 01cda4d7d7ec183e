"""An e-mail address in the one form in which it is kept, and what is none."""

import re
import unicodedata

ADDRESS_LENGTH_MAX = 254
_LOCAL_PART_LENGTH_MAX = 64
_DOMAIN_LENGTH_MAX = 253
_LABEL_LENGTH_MAX = 63
_COMPOSED_LENGTH_MAX = 1000
"""Five times what a name may have: no letter has more than four parts."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}", re.ASCII)
"""What nearly every address is. A label with two hyphens there is, or pretends to be, a name in other letters."""
_ENCODED = "xn--"
_WITHIN_WORDS = frozenset("\u00b7\u0375\u05f3\u05f4\u30fb")
"""Punctuation that domains may have: the Catalan middle dot and others of RFC 5892, A.3 to A.7."""


def composed(text: str) -> str:
    """Return the text without blanks around it and, unless it is longer than anything here may be, in NFC.

    To compose takes time that grows with the square of a row of accents: a megabyte of them takes minutes.
    """
    text = text.strip()
    return text if len(text) > _COMPOSED_LENGTH_MAX else unicodedata.normalize("NFC", text).strip()


def clean_address(text: str) -> str:
    """Return the address as it is kept: composed, and a domain in its own letters instead of ``xn--`` and ASCII.

    Both forms of a domain are the same mailbox, and only one can be compared.
    """
    address = composed(text)
    if len(address) > _COMPOSED_LENGTH_MAX or _ENCODED not in address.lower():
        return address
    local, at, domain = address.rpartition("@")
    return local + at + ".".join(_in_its_letters(label) for label in domain.split("."))


def email_key(address: str) -> str:
    """Return what two spellings of one address have in common: addresses differ in more than case.

    Unicode's simple lower case, a character for a character, as PostgreSQL's ``lower`` has it.
    """
    text = clean_address(address)
    if text.isascii():
        return text.lower()
    # The one character whose lower case is two in Python.
    return "".join("i" if character == "\u0130" else character.lower() for character in text)


def is_address(text: str) -> bool:
    """Tell whether a clean text can be an address; whether anybody lives there, only the mail can tell."""
    local, _, domain = text.rpartition("@")
    if len(text) > ADDRESS_LENGTH_MAX or len(local.encode(errors="replace")) > _LOCAL_PART_LENGTH_MAX:
        return False
    if text.isascii() and _PLAIN.fullmatch(text):
        return len(domain) <= _DOMAIN_LENGTH_MAX
    return _is_local_part(local) and _is_domain(domain)


def _is_local_part(text: str) -> bool:
    return all(
        atom and not unicodedata.category(atom[0]).startswith("M") and all(map(_is_of_atoms, atom))
        for atom in text.split(".")
    )


def _is_of_atoms(character: str) -> bool:
    if character.isascii():
        return re.fullmatch(_ATOM, character, re.ASCII) is not None
    # Not what is invisible, a blank, or nobody's yet: C and Z.
    return unicodedata.category(character)[0] in "LMNPS"


def _is_domain(text: str) -> bool:
    labels = text.split(".")
    encoded = [_encoded(label) for label in labels]
    return (
        len(labels) > 1
        and all(0 < len(label) <= _LABEL_LENGTH_MAX for label in encoded)
        and len(".".join(encoded)) <= _DOMAIN_LENGTH_MAX
        and all(map(_is_label, labels))
        and not labels[-1].isdigit()
    )


def _is_label(label: str) -> bool:
    if label.isascii():
        is_word = re.fullmatch(r"[A-Za-z0-9-]+", label, re.ASCII) is not None
        is_good = is_word and (label[2:4] != "--" or label[:4].lower() == _ENCODED)
    else:
        is_good = label[2:4] != "--" and _has_letters_of_domains(label)
    return is_good and not label.startswith("-") and not label.endswith("-")


def _has_letters_of_domains(label: str) -> bool:
    """Tell whether every character stands for itself, and not for another one, as a wide letter does."""
    return (
        unicodedata.normalize("NFKC", label) == label
        and not unicodedata.category(label[0]).startswith("M")
        and all(
            unicodedata.category(one) in {"Ll", "Lu", "Lo", "Lm", "Mn", "Mc", "Nd"}
            or one in _WITHIN_WORDS | {"-"}
            for one in label
        )
    )


def _encoded(label: str) -> str:
    if label.isascii():
        return label
    return _ENCODED + label.lower().encode("punycode", "replace").decode("ascii")


def _in_its_letters(label: str) -> str:
    """Return what an encoded label stands for; as it is where that is nothing, or nothing that leads back to it."""
    lower = label.lower()
    if not lower.startswith(_ENCODED):
        return label
    try:
        letters = lower.removeprefix(_ENCODED).encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label
    is_same = (
        not letters.isascii()
        and letters == letters.lower()
        and _has_letters_of_domains(letters)
        and _encoded(letters) == lower
    )
    return letters if is_same else label
