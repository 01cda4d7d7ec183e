"""POST /users."""

from http import HTTPStatus
from typing import Any

import pytest

from tests.http.world import ADA, Api, problem, reasons


def test_who_is_registered_is_shown_as_told(api: Api) -> None:
    answer = api.post("/users", {**ADA, "anniversaryDate": "2019-02-01", "leapDayRule": "mar1"})
    assert answer.status_code == HTTPStatus.CREATED
    shown = answer.json()
    assert answer.headers["location"] == f"/users/{shown.pop('id')}"
    assert answer.headers["etag"] == '"1"'
    assert shown == {
        **ADA,
        "anniversaryDate": "2019-02-01",
        "leapDayRule": "mar1",
        "optedOut": [],
        "version": 1,
        "createdAt": "2027-03-13T12:00:00Z",
        "updatedAt": "2027-03-13T12:00:00Z",
    }
    assert api.get(answer.headers["location"]).json() == answer.json()


def test_what_falls_into_the_next_days_is_planned_at_once(api: Api, ada: str) -> None:
    message = api.get(api.message_of(ada)).json()
    assert (message["kind"], message["occasionDate"], message["status"]) == (
        "BIRTHDAY",
        "2027-03-14",
        "SCHEDULED",
    )


def test_what_nobody_has_to_tell_may_be_null_or_absent(api: Api) -> None:
    answer = api.post("/users", {**ADA, "birthdayDate": None, "leapDayRule": None})
    assert answer.status_code == HTTPStatus.CREATED
    told = answer.json()
    assert (told["birthdayDate"], told["anniversaryDate"], told["leapDayRule"]) == (None, None, None)


def test_a_birthday_may_do_without_its_year(api: Api) -> None:
    assert api.get(api.register(birthdayDate="--02-29")).json()["birthdayDate"] == "--02-29"


def test_names_are_kept_in_any_script(api: Api) -> None:
    shown = api.get(api.register(firstName="Ада", lastName="👩‍💻 Ní Mháille")).json()
    assert (shown["firstName"], shown["lastName"]) == ("Ада", "👩‍💻 Ní Mháille")


def test_an_address_belongs_to_one_person_whatever_its_case(api: Api, ada: str) -> None:
    answer = api.post("/users", {**ADA, "email": "ADA@example.com"})
    assert problem(answer, HTTPStatus.CONFLICT)["detail"] == "Another user has this e-mail address."


def test_who_comes_back_is_the_same_person_in_a_new_version(api: Api, ada: str) -> None:
    api.delete(ada)
    answer = api.post("/users", ADA)
    assert answer.status_code == HTTPStatus.CREATED
    assert (answer.headers["location"], answer.headers["etag"]) == (ada, '"3"')


def test_all_that_is_missing_is_told_at_once(api: Api) -> None:
    needed = ("firstName", "lastName", "email", "timezone")
    assert reasons(api.post("/users", {})) == dict.fromkeys(needed, "This is needed.")
    assert reasons(api.post("/users", dict.fromkeys(needed))) == dict.fromkeys(needed, "This is needed.")


def test_what_is_unknown_missing_mistyped_and_wrong_is_told_at_once(api: Api) -> None:
    body = {
        "lastName": 7,
        "email": "nobody",
        "timezone": "Europe/Berln",
        "birthdayDate": "2030-01-01",
        "anniversaryDate": "--02-01",
        "leapDayRule": "feb29",
        "nickName": "Ada",
    }
    assert reasons(api.post("/users", body)) == {
        "nickName": "There is no such field.",
        "lastName": "This is to be a text.",
        "firstName": "This is needed.",
        "email": "This is not an e-mail address such as ada@example.com.",
        "timezone": "This is not an IANA time zone, written exactly. Did you mean Europe/Berlin?",
        "birthdayDate": "A birthday may not lie in the future.",
        "anniversaryDate": "The year is needed here: write the date as 2019-12-31.",
        "leapDayRule": "Choose one of feb28, mar1, leap-years-only.",
    }


def test_a_problem_points_to_its_field(api: Api) -> None:
    found = problem(api.post("/users", {**ADA, "firstName": ""}), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert found["detail"] == "Some fields are not acceptable."
    assert found["errors"] == [
        {"field": "firstName", "pointer": "/firstName", "detail": "A name may not be empty."}
    ]


@pytest.mark.parametrize("value", (1, 1.5, True, [], ["Ada"], {}, {"first": "Ada"}))
@pytest.mark.parametrize("field", ("firstName", "timezone", "birthdayDate", "leapDayRule"))
def test_a_field_is_a_text(api: Api, field: str, value: Any) -> None:
    assert reasons(api.post("/users", {**ADA, field: value})) == {field: "This is to be a text."}


def test_a_field_that_is_given_twice_is_refused(api: Api) -> None:
    body = (
        b'{"firstName":"Ada","lastName":"L","email":"a@example.com","timezone":"UTC","timezone":"Asia/Tokyo"}'
    )
    answer = api("POST", "/users", content=body, headers={"Content-Type": "application/json"})
    assert reasons(answer) == {"timezone": "It is given more than once."}


def test_a_field_whose_name_could_be_anything_is_not_named(api: Api) -> None:
    body = {**ADA, "grace@example.com": 1, "1906-12-09": 2, "a/b": 3}
    found = problem(api.post("/users", body), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert found["errors"] == [{"field": "(unknown)", "pointer": "", "detail": "There is no such field."}]


def test_a_thousand_unknown_fields_do_not_make_a_long_answer(api: Api) -> None:
    answer = api.post("/users", {f"field{number}": 1 for number in range(1000)})
    assert len(problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY)["errors"]) < 30
