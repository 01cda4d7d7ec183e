"""GET /birthdays/today and /anniversaries/today."""

import json
from datetime import date
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.occasions import ID_BYTES, TodaysList
from domain.occasion import Kind
from entrypoints.http.occasions import written
from tests.http.world import Api, problem
from tests.use_cases.service import Service

KIRITIMATI = {"timezone": "Pacific/Kiritimati", "birthdayDate": "1990-03-14"}
"""Nine in the morning of the 14th is 19:00 of the 13th there, in UTC: today."""
PAGO_PAGO = {"timezone": "Pacific/Pago_Pago", "birthdayDate": "--03-13"}


def ids(*users: str) -> list[str]:
    return sorted(user.removeprefix("/users/") for user in users)


def test_nobody_s_day_is_an_empty_list(api: Api, ada: str) -> None:
    for path in ("/birthdays/today", "/anniversaries/today"):
        assert api.get(path).json() == {"date": "2027-03-13", "count": 0, "userIds": []}


def test_a_list_holds_those_whose_message_is_due_today_wherever_they_are(api: Api, ada: str) -> None:
    east = api.register(email="east@example.com", **KIRITIMATI)
    west = api.register(email="west@example.com", **PAGO_PAGO)
    hired = api.register(email="hired@example.com", timezone="Pacific/Honolulu", anniversaryDate="2020-03-13")
    birthdays, anniversaries = api.get("/birthdays/today"), api.get("/anniversaries/today")
    assert birthdays.headers["content-type"] == "application/json"
    assert birthdays.json() == {"date": "2027-03-13", "count": 2, "userIds": ids(east, west)}
    assert anniversaries.json() == {"date": "2027-03-13", "count": 1, "userIds": ids(hired)}


def test_who_leaves_or_moves_is_off_the_list(api: Api) -> None:
    east = api.register(email="east@example.com", **KIRITIMATI)
    west = api.register(email="west@example.com", **PAGO_PAGO)
    api.delete(east)
    api.patch(west, {"birthdayDate": "1990-03-20"})
    assert api.get("/birthdays/today").json()["count"] == 0


def test_tomorrow_s_list_is_another(api: Api, service: Service, ada: str) -> None:
    today = api.get("/birthdays/today")
    service.at(service.clock.now().replace(day=14, hour=0))
    tomorrow = api.get("/birthdays/today")
    assert tomorrow.json() == {"date": "2027-03-14", "count": 1, "userIds": ids(ada)}
    assert tomorrow.headers["etag"] != today.headers["etag"]
    service.at(service.clock.now().replace(day=15))
    empty = api.get("/birthdays/today")
    assert empty.json()["count"] == today.json()["count"] == 0
    assert empty.headers["etag"] != today.headers["etag"]


def test_a_list_says_where_it_comes_from_and_is_not_sent_again(api: Api) -> None:
    api.register(**KIRITIMATI)
    for path in ("/birthdays/today", "/anniversaries/today"):
        answer = api.get(path)
        again = api.get(path, if_none_match=answer.headers["etag"])
        assert (again.status_code, again.content) == (HTTPStatus.NOT_MODIFIED, b"")
        for one in (answer, again):
            assert one.headers["x-cache"] == "BYPASS"
            assert one.headers["cache-control"] == "private, no-cache"
            assert one.headers["etag"] == answer.headers["etag"]
    old = api.get("/birthdays/today").headers["etag"]
    api.register(email="west@example.com", **PAGO_PAGO)
    assert api.get("/birthdays/today", if_none_match=old).status_code == HTTPStatus.OK


def test_a_store_that_is_away_is_told(api: Api, service: Service) -> None:
    service.store.is_reachable = False
    problem(api.get("/birthdays/today"), HTTPStatus.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize("path", ("/birthdays", "/anniversaries", "/birthdays/tomorrow"))
def test_there_is_no_other_list(api: Api, path: str) -> None:
    problem(api.get(path), HTTPStatus.NOT_FOUND)


@given(st.sampled_from(Kind), st.dates(), st.lists(st.uuids(), max_size=5))
def test_what_is_written_is_what_json_makes_of_the_ids(kind: Kind, day: date, people: list[object]) -> None:
    packed = b"".join(one.bytes for one in people)  # type: ignore[attr-defined]  # hypothesis' own uuids
    assert json.loads(written(TodaysList(kind, day, packed))) == {
        "date": day.isoformat(),
        "count": len(people),
        "userIds": [str(one) for one in people],
    }


def test_a_hundred_thousand_are_written_in_order() -> None:
    numbers = range(2**64, 2**64 + 300_000, 3)
    packed = b"".join(number.to_bytes(ID_BYTES, "big") for number in numbers)
    answer = json.loads(written(TodaysList(Kind.BIRTHDAY, date(2027, 3, 13), packed)))
    assert answer["count"] == len(answer["userIds"]) == 100_000
    assert [int(one.replace("-", ""), 16) for one in answer["userIds"]] == list(numbers)
