"""Time zones: which names are names, what the others are told, and whose data counts."""

import os
import subprocess
import sys
import textwrap
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from time import perf_counter

import pytest

from domain.due import ZONE_DATA_VERSION, zone, zone_names
from domain.errors import InvalidField

NOWHERE = "/nowhere/zoneinfo"


@pytest.fixture
def zone_files_of_a_wrong_machine(tmp_path: Path) -> Iterator[None]:
    """Let the machine's own zone files claim that Berlin keeps the time of Tokyo."""
    lying = tmp_path / "Europe" / "Berlin"
    lying.parent.mkdir()
    lying.write_bytes(resources.files("tzdata.zoneinfo").joinpath("Asia", "Tokyo").read_bytes())
    zone.cache_clear()
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath([str(tmp_path)])
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()
    zone.cache_clear()


def test_the_machines_own_zone_files_do_not_count(zone_files_of_a_wrong_machine: None) -> None:
    noon = datetime(2027, 7, 1, 12, tzinfo=UTC)
    assert noon.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")).hour == 21, "the trap is not set"
    assert noon.astimezone(zone("Europe/Berlin")).hour == 14


def test_no_zone_files_on_the_machine_are_needed() -> None:
    program = """
        from datetime import date
        from domain.due import NINE, due, zone, zone_names
        assert len(zone_names()) > 590
        print(due(date(2027, 7, 15), NINE, zone("Asia/Calcutta")).at.isoformat())
    """
    environment = os.environ | {"PYTHONTZPATH": NOWHERE, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "2027-07-15T03:30:00+00:00"


def test_the_version_of_the_zone_data_is_that_of_the_package() -> None:
    year, number = metadata.version("tzdata").split(".")[:2]
    assert f"{year}{chr(ord('a') + int(number) - 1)}" == ZONE_DATA_VERSION


def test_the_names_are_those_python_knows_but_for_three() -> None:
    """The zone files of the machine are left out of the comparison: they may be older or newer."""
    zoneinfo.reset_tzpath([])
    try:
        known = zoneinfo.available_timezones()
    finally:
        zoneinfo.reset_tzpath()
    assert zone_names() == known - {"localtime", "Factory", "posixrules"}


@pytest.mark.parametrize(
    "name", ("Asia/Calcutta", "Europe/Kiev", "EST5EDT", "Etc/GMT+12", "America/Argentina/Buenos_Aires")
)
def test_a_name_stays_as_it_is_written(name: str) -> None:
    assert zone(name).key == name
    assert str(zone(name)) == name


def test_every_name_can_be_read() -> None:
    assert all(zone(name).key == name for name in zone_names())


@pytest.mark.parametrize(
    ("wrong", "suggested"),
    (
        ("america/new_york", "America/New_York"),
        ("AMERICA/NEW_YORK", "America/New_York"),
        ("Asia/Jakrta", "Asia/Jakarta"),
        ("Europe/Berlin ", "Europe/Berlin"),
        ("Europe/Berlín", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("europe/kyiv", "Europe/Kyiv"),
    ),
)
def test_a_name_that_is_almost_right_gets_a_suggestion(wrong: str, suggested: str) -> None:
    with pytest.raises(InvalidField, match="Did you mean") as refused:
        zone(wrong)
    assert refused.value.field == "timezone"
    assert f"Did you mean {suggested}?" in refused.value.reason


@pytest.mark.parametrize("offset", ("GMT+7", "+07:00", "-03:00", "UTC+1", "GMT-12:45"))
def test_an_offset_is_told_why_it_is_no_zone(offset: str) -> None:
    with pytest.raises(InvalidField, match="daylight saving"):
        zone(offset)


@pytest.mark.parametrize(
    "wrong",
    (
        "",
        " ",
        "Local",
        "localtime",
        "Factory",
        "posixrules",
        "PST",
        "Mars/Olympus_Mons",
        "../../etc/passwd",
        "/etc/localtime",
        "Pacific",
        "Pacific/",
        "/Europe/Berlin",
        "Europe//Berlin",
        "Europe/../Europe/Berlin",
        "zone.tab",
        "tzdata.zi",
        "__init__.py",
        "Europe/Berlin\0",
        "Europe/Berlin\n",
        "\ud800",
        "x" * 10_000,
    ),
)
def test_what_is_no_zone_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidField) as refused:
        zone(wrong)
    assert refused.value.field == "timezone"
    assert refused.value.reason.endswith((".", "?"))


def test_what_is_too_long_for_a_name_is_not_compared_with_any() -> None:
    began = perf_counter()
    for number in range(200):
        with pytest.raises(InvalidField, match="Names look like"):
            zone(f"Europe/{number}" + "Berlin" * 2000)
    assert perf_counter() - began < 1
