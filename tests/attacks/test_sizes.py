"""Requests and files that are small to send and large to read: refused, or read in bounded time."""

import gzip
import json
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx
import pytest

from application.people_file import read_people
from application.people_rows import NotAPeopleFile
from domain.email import clean_address, is_address
from domain.errors import InvalidField
from domain.written_dates import read_date
from tests.attacks.tried import tried
from tests.http.world import ADA, Api, problem

pytestmark = pytest.mark.slow  # together they are

BOMBS = "Bombs"
SLOW = "Texts that are slow to look at"
CPU_MAX_S = 1.5
"""For one request or file; each takes some hundredths where nothing is wrong, and minutes where something is."""

JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
VCARD = {"content-type": "text/vcard"}


def _ada(**raw: str) -> bytes:
    """Return Ada as JSON, with values as they are written."""
    text = json.dumps({**ADA, **dict.fromkeys(raw, "@@")})
    for value in raw.values():
        text = text.replace('"@@"', value, 1)
    return text.encode()


BODIES: dict[str, tuple[bytes, dict[str, str], int]] = {
    "a hundred thousand lists in each other: 400": (b"[" * 100_000, JSON, 400),
    "a hundred thousand objects in each other: 400": (b'{"a":' * 100_000, JSON, 400),
    "two hundred lists in each other for a name: 422": (_ada(firstName="[" * 200 + "]" * 200), JSON, 422),
    "a number of a hundred thousand digits: 400": (_ada(firstName="9" * 100_000), JSON, 400),
    "a number of 1e999999999: 400": (_ada(firstName="1e999999999"), JSON, 400),
    "a number of 2 GB: 413, after a mebibyte": (_ada(firstName="9" * 1_100_000), JSON, 413),
    "NaN and Infinity: 400": (_ada(firstName="NaN", lastName="-Infinity"), JSON, 400),
    "fifty thousand names that nobody knows: 422, of which twenty are told": (
        json.dumps({f"x{number}": 0 for number in range(50_000)}).encode(),
        JSON,
        422,
    ),
    "one name fifty thousand times: 422": (
        b'{"firstName":"a"' + b',"firstName":"b"' * 50_000 + b"}",
        JSON,
        422,
    ),
    "names that collide in a hash table of old: 422": (
        json.dumps({str(number * (2**61 - 1)): 0 for number in range(20_000)}).encode(),
        JSON,
        422,
    ),
    "a lone surrogate: 400": (_ada(firstName=r'"\ud800"'), JSON, 400),
    "a zero byte: 422": (_ada(firstName=r'"\u0000"'), JSON, 422),
    "a megabyte of accents on one letter: 422": (_ada(firstName='"a' + "\u0301" * 300_000 + '"'), JSON, 422),
    "two kinds of accents in turn, which sort in the square of their time: 422": (
        _ada(firstName='"a' + "\u0301\u0316" * 130_000 + '"'),
        JSON,
        422,
    ),
    "the same in an address: 422": (_ada(email='"a' + "\u0301\u0316" * 130_000 + '@example.com"'), JSON, 422),
    "a letter that grows eighteenfold when composed: 422": (
        _ada(firstName='"' + "\ufdfa" * 201 + '"'),
        JSON,
        422,
    ),
    "a gigabyte in gzip: 415": (gzip.compress(b" " * 10_000_000), {**JSON, "content-encoding": "gzip"}, 415),
    "brotli, deflate, and several in turn: 415": (
        b"x",
        {**JSON, "content-encoding": "br, deflate, gzip"},
        415,
    ),
    "a form of ten thousand parts: 415": (
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 10_000,
        {"content-type": "multipart/form-data; boundary=x"},
        415,
    ),
    "XML with entities of entities: 415": (
        b'<!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        {"content-type": "application/xml"},
        415,
    ),
    "pickles: 415": (b"cos\nsystem\n(S'id'\ntR.", {"content-type": "application/x-python-pickle"}, 415),
    "UTF-16 and UTF-7 for UTF-8: 415": (b"+AHs-", {"content-type": "application/json; charset=utf-7"}, 415),
}


@tried(BOMBS, BODIES)
def test_a_body_is_refused_in_no_time(api: Api, attempt: tuple[bytes, dict[str, str], int]) -> None:
    body, headers, status = attempt
    before = api.service.store.committed.copy()
    answer = _quickly(lambda: api("POST", "/users", content=body, headers=headers))
    problem(answer, HTTPStatus(status))
    assert len(answer.content) < 4096
    assert api.service.store.committed == before


FILES: dict[str, tuple[bytes, dict[str, str], int]] = {
    "a file of a million lines: 413": (b"email\n" + b"x\n" * 1_000_000, CSV, 413),
    "a file of a million lines of the Mac: 413": (b"email\r" + b"x\r" * 1_000_000, CSV, 413),
    "a file of more than 20 MiB: 413": (b"email\n".ljust(20 * 1024 * 1024 + 1), CSV, 413),
    "a hundred thousand columns: 422": (b"email," + b"x," * 100_000, CSV, 422),
    "a line of ten megabytes: 422": (b"email\n" + b"x" * 10_000_000, CSV, 422),
    "a quote that is never closed: a bad row": (b'email\n"' + b"x\n" * 20_000, CSV, 200),
    "a header that is one quote: 422": (b'"' + b"a" * 100_000, CSV, 422),
    "zero bytes: 422": (b"email\n\0\0\0", CSV, 422),
    "a picture: 422": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100, CSV, 422),
    "a zip: 422": (b"PK\x03\x04" + bytes(range(256)) * 100, CSV, 422),
    "half a surrogate in UTF-16: 422": (b"\xff\xfee\0m\0a\0i\0l\0\n\0\0\xd8", CSV, 422),
    "a card of a hundred thousand folded lines: read": (
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nNOTE:x\r\n" + b" x\r\n" * 100_000 + b"END:VCARD\r\n",
        VCARD,
        200,
    ),
    "cards in each other, ten thousand deep: read": (b"BEGIN:VCARD\r\n" * 10_000, VCARD, 200),
    "a card with fifty thousand parameters: read": (
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nEMAIL" + b";TYPE=x" * 30_000 + b":a@example.com\r\nEND:VCARD\r\n",
        VCARD,
        200,
    ),
}


@tried(BOMBS, FILES)
def test_a_file_is_refused_or_read_in_no_time(api: Api, attempt: tuple[bytes, dict[str, str], int]) -> None:
    data, headers, status = attempt
    answer = _quickly(
        lambda: api("POST", "/users/import?dryRun=true", content=data, headers=headers), 4 * CPU_MAX_S
    )
    assert answer.status_code in ({status, 422} if status == 200 else {status}), answer.text[:500]
    assert len(answer.content) < 1_000_000


def _quickly(ask: Callable[[], httpx.Response], within_s: float = CPU_MAX_S) -> httpx.Response:
    started_s = time.process_time()
    answer = ask()
    assert time.process_time() - started_s < within_s
    return answer


def _address(text: str) -> None:
    is_address(clean_address(text))


def _date(text: str) -> None:
    with pytest.raises(InvalidField):
        read_date(text, "birthday")


def _file(text: str) -> None:
    try:
        list(read_people(text.encode()).rows())
    except NotAPeopleFile:
        return


TEXTS: dict[str, tuple[Callable[[str], None], str]] = {
    "an address of a hundred thousand dots": (_address, "a." * 100_000 + "@"),
    "an address of 250 letters and no end": (_address, "a" * 62 + "@" + "a-" * 93),
    "an address of 250 letters of Greek and no end": (_address, "α" * 30 + "@" + "α-" * 60),
    "an address of ten thousand encoded labels": (_address, "a@" + "xn--a." * 10_000),
    "an address of one long encoded label": (_address, "a@xn--" + "a9" * 40_000 + ".com"),
    "an address of a hundred thousand @": (_address, "@" * 100_000),
    "a date of a hundred thousand digits": (_date, "1" * 100_000),
    "a date with fractions without end": (_date, "1990-12-31T00:00:00." + "0" * 100_000),
    "a date of blanks and an x": (_date, "1" + " " * 100_000 + "x"),
    "a date of a hundred thousand hyphens": (_date, "1-" * 100_000),
    "a header of a hundred thousand blanks and underscores": (_file, "email,first" + " _-" * 20_000 + "x\n"),
    "a column called like an event ten thousand times": (_file, "email," + "event_1_x_" * 5000 + "\n"),
    "quoted-printable that ends in the middle": (
        _file,
        "BEGIN:VCARD\nVERSION:2.1\nN;ENCODING=QUOTED-PRINTABLE:" + "=0" * 100_000 + "\nEND:VCARD\n",
    ),
    "a cell of two kinds of accents in turn": (
        _file,
        "email,first_name,last_name,timezone\na@example.com,a" + "\u0301\u0316" * 100_000 + ",L,UTC\n",
    ),
    "a card of semicolons": (_file, "BEGIN:VCARD\nVERSION:3.0\nN:" + ";" * 100_000 + "\nEND:VCARD\n"),
    "a card of backslashes": (_file, "BEGIN:VCARD\nVERSION:3.0\nN:" + "\\" * 100_001 + "\nEND:VCARD\n"),
    "a card of quotes in its parameters": (
        _file,
        'BEGIN:VCARD\nVERSION:3.0\nN;X="' + '"' * 50_001 + ":x\nEND:VCARD\n",
    ),
}


@tried(SLOW, {f"{name}: looked at in no time": text for name, text in TEXTS.items()})
def test_no_text_is_slow_to_look_at(attempt: tuple[Callable[[str], None], str]) -> None:
    look, text = attempt
    started_s = time.process_time()
    look(text)
    assert time.process_time() - started_s < CPU_MAX_S


HEADERS: dict[str, dict[str, str]] = {
    "If-None-Match of a hundred thousand tags": {"if-none-match": '"1", ' * 10_000},
    "If-None-Match that never closes": {"if-none-match": '"' + "\\" * 50_000},
    "Accept of ten thousand types": {"accept": "a/b;q=0.1, " * 5000},
    "a charset of blanks": {"content-type": "application/json; charset=" + " " * 50_000},
    "a thousand cookies": {"cookie": "a=b; " * 10_000},
    "a cookie of escapes": {"cookie": 'birthdays_session="' + "\\101" * 10_000},
    "an id of a request of fifty thousand letters": {"x-request-id": "a" * 50_000 + "!"},
    "an Idempotency-Key of fifty thousand letters": {"idempotency-key": '"' + "a" * 50_000},
}


@tried(SLOW, {f"{name}: looked at in no time": headers for name, headers in HEADERS.items()})
def test_no_header_is_slow_to_look_at(api: Api, ada: str, attempt: dict[str, str]) -> None:
    told = {**JSON, **attempt}
    for method, path in (("GET", ada), ("POST", "/users"), ("GET", "/")):
        started_s = time.process_time()
        answer = api(method, path, content=b"{}", headers=told)
        assert time.process_time() - started_s < CPU_MAX_S
        assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
