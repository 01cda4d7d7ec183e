"""What is fuzzed: any bytes go in, and what comes out is refused in words or holds together."""

import json
from collections.abc import Callable, Mapping
from datetime import date

from application.file_text import ENCODINGS
from application.people_file import read_people
from application.people_rows import BadRow, NotAPeopleFile, ReadOptions
from domain.email import clean_address, email_key, is_address
from domain.errors import InvalidField
from domain.occasion import AnnualDate
from domain.user import told
from domain.written_dates import DateOrder, DateReading, order_proven_by, read_date
from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import decode_object

Target = Callable[[bytes], None]
TODAY = date(2027, 3, 13)


def files(data: bytes) -> None:
    """Read a file under options that its first byte chooses."""
    choice = data[0] if data else 0
    options = ReadOptions(
        default_timezone="UTC" if choice & 1 else None,
        encoding=(None, None, *ENCODINGS)[choice >> 1 & 7],
        dates=DateReading(
            order=[*DateOrder, None][(choice >> 4) % 3], day_numbers=bool(choice & 64), today=TODAY
        ),
        anniversaries_are_work=bool(choice & 128),
    )
    try:
        people = read_people(data[1:], options)
    except NotAPeopleFile:
        return
    rows = list(people.rows())
    assert len(rows) == people.lines
    assert list(people.rows()) == rows, "it is read as often as it is asked for"
    for row in rows:
        if isinstance(row, BadRow):
            assert row.problems
            assert all(problem.reason and not problem.is_warning for problem in row.problems)
        else:
            assert row.email_key == email_key(row.values["email"])
            assert is_address(row.values["email"])
            if {"first_name", "last_name", "timezone"} <= row.values.keys():
                told(row.values)


def dates(data: bytes) -> None:
    """Read a date in every way there is: all that find a day find one that is written there."""
    text = data.decode("utf-8", "replace")
    order_proven_by(text)
    for order in (*DateOrder, None):
        for day_numbers in (False, True):
            reading = DateReading(order=order, day_numbers=day_numbers, today=TODAY)
            try:
                written = read_date(text, "birthday", reading)
            except InvalidField:
                continue
            if written is not None:
                assert AnnualDate.parse(str(written.annual), field="birthday") == written.annual
    try:
        day = AnnualDate.parse(text, field="birthday")
    except InvalidField:
        return
    assert str(day) == text


def addresses(data: bytes) -> None:
    """Look at an address: to clean it once is enough, and its key is the key of its key."""
    text = data.decode("utf-8", "surrogateescape" if data[:1] == b"s" else "replace")
    clean = clean_address(text)
    assert clean_address(clean) == clean
    assert email_key(email_key(clean)) == email_key(clean)
    if is_address(clean):
        assert is_address(email_key(clean))
        assert "\n" not in clean
        assert clean.encode()


def bodies(data: bytes) -> None:
    """Read a body as JSON: what is taken is an object that the standard library reads alike."""
    try:
        found, repeated = decode_object(data)
    except RequestRefused:
        return
    assert repeated <= found.keys()
    assert json.loads(data).keys() == found.keys()


TARGETS: Mapping[str, Target] = {"files": files, "dates": dates, "addresses": addresses, "bodies": bodies}

_CSV = (
    "email,first_name,last_name,timezone,birthday,work_anniversary,external_id\n"
    'ada@example.com,"Ada, Countess",Lovelace,Europe/London,1990-12-10,2019-02-01,7\n'
)
_CARD = (
    "BEGIN:VCARD\r\nVERSION:{version}\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nEMAIL;TYPE=home:ada@example.com\r\n"
    "item1.TZ:Europe/London\r\nBDAY:{birthday}\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=C3=A4\r\n folded\r\nEND:VCARD\r\n"
)
_DATES = (
    *("1990-12-10", "--12-10", "19901210", "10.12.1990", "12/10/90", "1990-12-10T00:00:00.000Z", "29281"),
    *("0000-00-00", "29.2.", "1990/12/10", "10-12-1990 0:00:00 AM", "1604-02-29"),
)
SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "files": (
        *(bytes([choice]) + _CSV.encode() for choice in (0, 1, 0x55, 0xC0)),
        b"\0" + _CSV.replace(",", ";").encode("utf-16"),
        b"\0sep=;\n" + _CSV.replace(",", ";").encode("cp1252"),
        b"\0Vorname;Nachname;E-Mail;Geburtstag\nAda;L;ada@example.com;10.12.1990\n",
        b"\0Given Name,E-mail 1 - Value,Event 1 - Label,Event 1 - Value\nA,a@example.com,Work Anniversary,2019-02-01\n",
        *(
            b"\0" + _CARD.format(version=version, birthday=day).encode()
            for version in ("2.1", "3.0", "4.0")
            for day in ("19901210", "--1210")
        ),
    ),
    "dates": tuple(text.encode() for text in _DATES),
    "addresses": (
        b"ada@example.com",
        "ada@b\u00fccher.example".encode(),
        b"ada@xn--bcher-kva.example",
        b"s\xff@a.b",
    ),
    "bodies": (b'{"firstName":"Ada","birthdayDate":null}', b'{"a":1,"a":[{}]}', b'{"a":"\\ud83d\\ude00"}'),
}
WORDS = (
    *(
        "BEGIN:VCARD",
        "END:VCARD",
        "VERSION:2.1",
        "VERSION:4.0",
        "BDAY:",
        "BDAY;VALUE=text:",
        "X-APPLE-OMIT-YEAR=1604",
    ),
    *(
        "ENCODING=QUOTED-PRINTABLE",
        "ENCODING=BASE64",
        "CHARSET=UTF-8",
        "ANNIVERSARY:",
        "TZ:",
        "EMAIL",
        "email",
        "birthday",
    ),
    *(
        "first_name",
        "sep=;",
        "1990-12-31",
        "--02-29",
        "29.02.2000",
        "T00:00:00.000Z",
        "xn--",
        "@",
        "Europe/Berlin",
    ),
)
