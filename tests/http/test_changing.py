"""PUT, PATCH and DELETE /users/{id}."""

from http import HTTPStatus
from typing import Any

import pytest

from tests.http.world import NOBODY, Api, problem, reasons

MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture(params=("PUT", "PATCH"))
def method(request: pytest.FixtureRequest) -> str:
    """Both do the same."""
    return str(request.param)


def test_what_is_given_is_taken_over_and_the_rest_kept(api: Api, ada: str, method: str) -> None:
    before = api.get(ada).json()
    answer = api(method, ada, json={"timezone": "Asia/Tokyo"})
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["etag"] == '"2"'
    assert answer.json() == {**before, "timezone": "Asia/Tokyo", "version": 2}
    assert api.get(ada).json() == answer.json()


def test_messages_move_with_the_person(api: Api, ada: str, method: str) -> None:
    api(method, ada, json={"timezone": "Asia/Tokyo"})
    assert api.get(api.message_of(ada)).json()["dueAt"] == "2027-03-14T00:00:00Z"


def test_null_clears_what_may_be_empty(api: Api, method: str) -> None:
    user = api.register(anniversaryDate="2019-02-01", leapDayRule="mar1")
    cleared = {"birthdayDate": None, "anniversaryDate": None, "leapDayRule": None}
    assert api(method, user, json=cleared).json().items() >= cleared.items()
    assert api.get(user).json().items() >= cleared.items()


def test_null_does_not_clear_what_is_needed(api: Api, ada: str, method: str) -> None:
    needed = ("firstName", "lastName", "email", "timezone")
    answer = api(method, ada, json=dict.fromkeys(needed))
    assert reasons(answer) == dict.fromkeys(needed, "This may not be empty.")


def test_a_change_to_the_same_is_none(api: Api, ada: str, method: str) -> None:
    for body in ({}, {"firstName": "Ada"}):
        answer = api(method, ada, json=body)
        assert (answer.status_code, answer.headers["etag"]) == (HTTPStatus.OK, '"1"')


def test_all_mistakes_are_told_at_once(api: Api, ada: str, method: str) -> None:
    body: dict[str, Any] = {"firstName": "", "email": 1, "birthdayDate": "2030-01-01", "age": 37}
    assert reasons(api(method, ada, json=body)).keys() == body.keys()
    assert api.get(ada).headers["etag"] == '"1"'


def test_what_is_shown_cannot_be_sent_back_whole(api: Api, ada: str, method: str) -> None:
    answer = api(method, ada, json=api.get(ada).json())
    assert reasons(answer).keys() == {"id", "version", "createdAt", "updatedAt"}


def test_a_merge_patch_may_say_that_it_is_one(api: Api, ada: str) -> None:
    answer = api("PATCH", ada, content=b'{"birthdayDate":null}', headers={"content-type": MERGE_PATCH})
    assert (answer.status_code, answer.json()["birthdayDate"]) == (HTTPStatus.OK, None)


def test_an_address_of_somebody_else_cannot_be_taken(api: Api, ada: str, method: str) -> None:
    grace = api.register(email="grace@example.com")
    problem(api(method, grace, json={"email": "Ada@example.com"}), HTTPStatus.CONFLICT)


@pytest.mark.parametrize("tags", ('"1"', "*", '"7", "1"', ' "1" ', 'W/"1", "1"'))
def test_a_change_is_made_to_the_version_that_was_read(api: Api, ada: str, method: str, tags: str) -> None:
    answer = api(method, ada, json={"firstName": "Augusta"}, headers={"if-match": tags})
    assert (answer.status_code, answer.headers["etag"]) == (HTTPStatus.OK, '"2"')


@pytest.mark.parametrize(
    "tags", ('"2"', 'W/"1"', '""', '"01"', '"1 "', '"*"', '"x"', '"99999999999999999999"', 'W/"1", "7"')
)
def test_a_change_to_another_version_is_refused(api: Api, ada: str, method: str, tags: str) -> None:
    answers = [
        api(method, ada, json={"firstName": "Augusta"}, headers={"if-match": tags}),
        api("DELETE", ada, headers={"if-match": tags}),
        api("DELETE", f"{ada}?erase=true", headers={"if-match": tags}),
    ]
    for answer in answers:
        problem(answer, HTTPStatus.PRECONDITION_FAILED)
    assert api.get(ada).json()["firstName"] == "Ada"


@pytest.mark.parametrize("tags", ("1", '"1', "x", '"1" "2"', "*, *", ","))
def test_a_condition_that_is_none_is_a_bad_request(api: Api, ada: str, method: str, tags: str) -> None:
    for answer in (
        api(method, ada, json={"firstName": "Augusta"}, headers={"if-match": tags}),
        api("DELETE", ada, headers={"if-match": tags}),
    ):
        problem(answer, HTTPStatus.BAD_REQUEST)
    assert api.get(ada).headers["etag"] == '"1"'


def test_a_condition_may_come_in_several_lines(api: Api, ada: str) -> None:
    lines = [("if-match", '"7"'), ("if-match", '"1"'), ("content-type", "application/json")]
    assert api("PUT", ada, content=b"{}", headers=lines).status_code == HTTPStatus.OK


@pytest.mark.parametrize("id_", (NOBODY, "abc"))
def test_nobody_cannot_be_changed_or_removed(api: Api, method: str, id_: str) -> None:
    problem(api(method, f"/users/{id_}", json={"firstName": "Ada"}), HTTPStatus.NOT_FOUND)
    problem(api.delete(f"/users/{id_}"), HTTPStatus.NOT_FOUND)
    problem(api.get(f"/users/{id_}/upcoming"), HTTPStatus.NOT_FOUND)


def test_an_id_that_cannot_be_one_is_told_before_the_body_is_read(api: Api, method: str) -> None:
    problem(api(method, "/users/abc", json={"age": 1}), HTTPStatus.NOT_FOUND)


def test_who_leaves_gets_nothing_more(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    answer = api.delete(ada, if_match='"1"')
    assert (answer.status_code, answer.content) == (HTTPStatus.NO_CONTENT, b"")
    left = api.get(message).json()
    assert (left["status"], left["reason"]) == ("CANCELLED", "user-deleted")
    problem(api.delete(ada), HTTPStatus.NOT_FOUND)


def test_who_is_erased_leaves_nothing_behind(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    assert api.delete(f"{ada}?erase=true").status_code == HTTPStatus.NO_CONTENT
    problem(api.get(message), HTTPStatus.NOT_FOUND)
    stored = api.service.store.committed
    assert (stored.users, stored.messages) == ({}, {})


def test_who_has_left_can_still_be_erased(api: Api, ada: str) -> None:
    api.delete(ada)
    assert api.delete(f"{ada}?erase=true").status_code == HTTPStatus.NO_CONTENT
    assert not api.service.store.committed.users


@pytest.mark.parametrize("erase", ("yes", "1", "True", ""))
def test_whether_to_erase_is_said_plainly(api: Api, ada: str, erase: str) -> None:
    assert reasons(api.delete(f"{ada}?erase={erase}")) == {"erase": "Give true or false."}
    assert api.get(ada).status_code == HTTPStatus.OK
