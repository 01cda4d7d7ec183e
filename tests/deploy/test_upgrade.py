"""A database of an earlier version is brought up to date by the start, and nothing of it is lost.

``schema_0011.sql`` was written by ``pg_dump`` from a service of that time, which had imported five people,
deleted one, moved one to Tokyo, and greeted two; ``schema_0035.sql`` is of one that had made a key and a feed besides.
A release that changes the schema adds such a file of the one before.
"""

import subprocess
import time
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest

from tests.architecture.sources import PROJECT
from tests.deploy.programs import postgres_programs
from tests.servers import empty_database
from tests.service.running import RunningService, free_port, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

EARLIER = PROJECT / "tests" / "deploy"
BEFORE_GRACE_IS_DUE = "2027-03-14T23:59:57Z"


def load(database: str, file: Path) -> None:
    command = [
        str(postgres_programs() / "psql"),
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--file={file}",
        database,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def recipients(service: RunningService) -> list[str]:
    new = service.folder / "maildir" / "new"
    mails = (message_from_bytes(file.read_bytes(), policy=policy.default) for file in new.iterdir())
    return [str(mail["To"]) for mail in mails]


def counts_in_the_end(api: httpx.Client) -> dict[str, int]:
    """Return how many messages there are by status, once none is on its way."""
    deadline = time.monotonic() + 10
    while True:
        told = api.get("/scheduler/stats").json()["counts"]
        counts = {status: number for status, number in told.items() if number}
        if counts.keys() <= {"SENT", "CANCELLED"} or time.monotonic() > deadline:
            return counts
        time.sleep(0.1)


@pytest.mark.parametrize(("revision", "made"), (("0011", set()), ("0035", {"payroll", "team"})))
async def test_an_earlier_schema_goes_up_and_all_that_was_in_it_is_there(
    postgres_url: str, valkey_url: str, tmp_path: Path, revision: str, made: set[str]
) -> None:
    async with empty_database(postgres_url) as database:
        load(database, EARLIER / f"schema_{revision}.sql")
        told = {"DATABASE_URL": database, "REDIS_URL": valkey_url}
        with (
            running(
                tmp_path / "var", "--clock-start", BEFORE_GRACE_IS_DUE, port=free_port(), **told
            ) as service,
            service.api as api,
        ):
            people = {one["email"].partition("@")[0]: one for one in api.get("/users").json()["items"]}
            assert people.keys() == {"ada", "alan", "grace", "lena"}
            ada, lena = people["ada"], people["lena"]
            assert (ada["firstName"], ada["birthdayDate"], ada["anniversaryDate"]) == (
                "Ada",
                "1990-03-14",
                "2019-02-01",
            )
            assert (lena["birthdayDate"], lena["leapDayRule"]) == ("2000-02-29", "mar1")
            assert people["grace"]["version"] == 2
            # Who was to be greeted is, and who has been is not.
            assert len(service.wait_for_mails(1)) == 1
            assert [one for one in recipients(service) if "grace" not in one] == []
            assert counts_in_the_end(api) == {"SENT": 3, "CANCELLED": 1}
            kept = [one["status"] for one in api.get("/messages").json()["items"]]
            assert sorted(kept) == ["CANCELLED", "SENT", "SENT", "SENT"]
            kept = [one["name"] for path in ("/keys", "/feeds") for one in api.get(path).json()["items"]]
            assert made <= {*kept}
            done = [one["action"] for one in api.get("/audit").json()["items"]]
            assert done.count("register") == (5 if made else 0)
            # And life goes on.
            assert api.patch(f"/users/{ada['id']}", json={"lastName": "King"}).status_code == httpx.codes.OK
            assert api.get(f"/users/{ada['id']}").json()["lastName"] == "King"
            assert api.get("/").status_code == httpx.codes.OK
