"""Every way to write a birthday, and every zone, that is listed beside the real files comes to what is said there."""

import csv
from collections.abc import Mapping
from datetime import UTC, date, time
from pathlib import Path
from typing import Any

import pytest

from domain.due import due, zone
from domain.errors import InvalidField
from tests.http.world import Api

_VERSIONS = {"vcard2.1": "2.1", "vcard3": "3.0", "vcard4": "4.0"}
_TABLES = {
    "csv-outlook": (
        "First Name,Last Name,E-mail Address,E-mail 2 Address,Birthday",
        "Jo,Doe,{email},,{date}",
    ),
    "csv-google": ("First Name,Last Name,E-mail 1 - Value,Birthday", "Jo,Doe,{email},{date}"),
    "csv-bot": ("email,birthday,hiredate", "{email},{date},"),
}
_PLAIN = ("email,first_name,last_name,birthday", "{email},Jo,Doe,{date}")

CHANGED_SINCE = {"Africa/Casablanca"}
"""Whose clocks were changed after the list was made: the zone data has them at +00 for good, from September 2026."""

Vector = Mapping[str, str]


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(vector: Vector) -> tuple[bytes, str]:
    """Return a file with somebody whose date is written so, and its media type."""
    raw, form, email = vector["raw"], vector["format"], f"v{vector['id']}@example.com"
    if form in _VERSIONS:
        lines = ["BEGIN:VCARD", f"VERSION:{_VERSIONS[form]}", "N:Doe;Jo", f"EMAIL:{email}", *raw.split(" + ")]
        return "\r\n".join([*lines, "END:VCARD", ""]).encode(), "text/vcard"
    header, row = _TABLES.get(form, _PLAIN)
    return f"{header}\r\n{row.format(email=email, date=raw)}\r\n".encode(), "text/csv"


def imported(api: Api, vector: Vector, **options: str) -> tuple[dict[str, Any], str | None]:
    """Return the report, and the date that the person has now."""
    if vector["format"] == "csv-bot":  # which tells no names, and so is about people who are known
        api.register(email=f"v{vector['id']}@example.com", birthdayDate=None)
    data, media_type = written(vector)
    said = {"defaultTimezone": "UTC", "anniversariesAreWork": "true", **options}
    headers = {"content-type": media_type}
    answer = api("POST", "/users/import", content=data, headers=headers, params=said)
    assert answer.is_success, answer.text
    person = api.get(f"/users?email=v{vector['id']}@example.com").json()
    return answer.json(), person.get("anniversaryDate" if is_anniversary(vector) else "birthdayDate")


def is_anniversary(vector: Vector) -> bool:
    return "ANNIVERSARY" in vector["raw"].upper() or "ABDATE" in vector["raw"]


def stated(vector: Vector) -> str | None:
    if not vector["month"]:
        return None
    day = f"{int(vector['month']):02}-{int(vector['day']):02}"
    return f"{vector['year']}-{day}" if vector["year"] else f"--{day}"


def is_as_stated(api: Api, vector: Vector) -> bool:
    """Tell whether an import without any hint does with the date what the list says."""
    report, found = imported(api, vector)
    is_left_out = [one["field"] for one in report["errors"]] == ["birthday"]
    match vector["status"]:
        case "ok" | "absent":
            return (found, report["failed"], report["warned"]) == (stated(vector), 0, 0)
        case "reject" | "ambiguous":
            return is_left_out
        case "review":  # told in either way, and never taken in silence
            meant = None if is_anniversary(vector) else stated(vector)
            return is_left_out or (found, report["warned"]) == (meant, 1)
    raise ValueError(vector["status"])


def test_every_way_to_write_a_date_comes_to_what_is_said_of_it(folder: Path, api: Api) -> None:
    vectors = rows_of(folder, "bday-vectors.csv")
    assert len(vectors) == 50
    assert [one["raw"] for one in vectors if not is_as_stated(api, one)] == []


@pytest.mark.parametrize(
    ("number", "option", "meant"),
    (
        ("35", "dateOrder=month-first", ("1980-03-22", 0)),
        ("36", "dateOrder=month-first", ("1980-03-04", 0)),
        ("36", "dateOrder=day-first", ("1980-04-03", 0)),
        ("38", "dateOrder=month-first", ("1980-03-22", 1)),
        ("43", "dayNumbers=true", ("1980-03-01", 1)),
    ),
)
def test_what_is_doubtful_is_read_once_an_option_says_how(
    folder: Path, api: Api, number: str, option: str, meant: tuple[str, int]
) -> None:
    [vector] = [one for one in rows_of(folder, "bday-vectors.csv") if one["id"] == number]
    name, _, value = option.partition("=")
    report, found = imported(api, vector, **{name: value})
    assert ((found, report["warned"]), report["failed"]) == (meant, 0)


def test_every_zone_has_its_nine_o_clock_and_what_is_none_is_refused(folder: Path) -> None:
    listed = rows_of(folder, "timezones-edge.csv")
    assert len(listed) == 40
    others = set()
    for one in listed:
        if one["valid"] == "no":
            with pytest.raises(InvalidField):
                zone(one["timezone"])
        elif one["valid"] == "yes":
            for month in (1, 7):
                instant = due(date(2027, month, 15), time(9), zone(one["timezone"])).at
                told = one[f"utc_of_2027-{month:02}-15T09:00"]
                if f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}" != told:
                    others.add(one["timezone"])
    assert others == CHANGED_SINCE
