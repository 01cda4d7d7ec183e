"""GET /users, /users/{id} and /users?email=."""

from http import HTTPStatus

import pytest

from tests.http.world import NOBODY, Api, problem, reasons


def test_a_read_says_where_it_comes_from_and_which_version_it_is(api: Api, ada: str) -> None:
    answer = api.get(ada)
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["x-cache"] == "BYPASS"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    "id_", (NOBODY, NOBODY.upper(), "abc", "0", "1" * 400, "%00", "%ff", "a%2Fb", "import")
)
def test_whoever_is_not_there_is_not_found_also_where_the_id_cannot_be_one(api: Api, id_: str) -> None:
    if id_ == "import":
        problem(api.get("/users/import"), HTTPStatus.METHOD_NOT_ALLOWED)
    else:
        found = problem(api.get(f"/users/{id_}"), HTTPStatus.NOT_FOUND)
        assert found["detail"] in {"There is no such user.", "There is nothing at this address."}


def test_an_id_may_be_written_in_capitals_but_in_no_other_form(api: Api, ada: str) -> None:
    id_ = ada.removeprefix("/users/")
    assert api.get(f"/users/{id_.upper()}").status_code == HTTPStatus.OK
    for other in (id_.replace("-", ""), f"{{{id_}}}", f"urn:uuid:{id_}"):
        problem(api.get(f"/users/{other}"), HTTPStatus.NOT_FOUND)


def test_who_has_left_is_not_found(api: Api, ada: str) -> None:
    api.delete(ada)
    problem(api.get(ada), HTTPStatus.NOT_FOUND)
    problem(api.get("/users?email=ada@example.com"), HTTPStatus.NOT_FOUND)
    assert api.get("/users").json() == {"items": [], "next": None}


@pytest.mark.parametrize("tags", ('"1"', 'W/"1"', '"7", "1"', 'W/"7" , W/"1"', "*", ' "1" '))
def test_who_has_the_version_is_not_sent_it_again(api: Api, ada: str, tags: str) -> None:
    for path in (ada, "/users?email=ada@example.com"):
        answer = api.get(path, if_none_match=tags)
        assert (answer.status_code, answer.content) == (HTTPStatus.NOT_MODIFIED, b"")
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["x-cache"] == "BYPASS"
        assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("tags", ('"2"', '""', '"1 "', '"*"', 'W/"2", "3"'))
def test_who_has_another_version_is_sent_this_one(api: Api, ada: str, tags: str) -> None:
    assert api.get(ada, if_none_match=tags).status_code == HTTPStatus.OK


@pytest.mark.parametrize("tags", ("1", '"1', "w/1", '"1" "2"', ",", "*, *", ""))
def test_what_is_no_list_of_entity_tags_is_a_bad_request(api: Api, ada: str, tags: str) -> None:
    problem(api.get(ada, if_none_match=tags), HTTPStatus.BAD_REQUEST)


def test_a_person_is_found_by_address_in_any_case(api: Api, ada: str) -> None:
    answer = api.get("/users?email=ADA%40Example.com")
    assert answer.json() == api.get(ada).json()
    assert (answer.headers["x-cache"], answer.headers["etag"]) == ("BYPASS", '"1"')


def test_an_address_that_nobody_has_is_not_found(api: Api, ada: str) -> None:
    problem(api.get("/users?email=grace@example.com"), HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize("email", ("", "nobody", "a@b", "ada%00@example.com", "%ff%fe"))
def test_what_cannot_be_an_address_is_not_looked_for(api: Api, ada: str, email: str) -> None:
    assert reasons(api.get(f"/users?email={email}")).keys() == {"email"}


def test_an_address_is_looked_for_alone(api: Api, ada: str) -> None:
    assert reasons(api.get("/users?email=ada@example.com&limit=1")) == {"email": "Give it alone."}
    twice = "/users?email=ada@example.com&email=grace@example.com"
    assert reasons(api.get(twice)) == {"email": "Give it once."}


def test_pages_hold_everybody_once_in_the_order_of_their_registration(api: Api) -> None:
    places = [api.register(email=f"p{number}@example.com") for number in range(7)]
    by_cursor, by_link = [], []
    path: str | None = "/users?limit=3"
    while path is not None:
        answer = api.get(path)
        page = answer.json()
        by_link += [f"/users/{one['id']}" for one in page["items"]]
        assert ("next" in answer.links) == (page["next"] is not None)
        path = answer.links["next"]["url"] if "next" in answer.links else None
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/users?limit=3" + (f"&after={cursor}" if cursor else "")).json()
        assert len(page["items"]) <= 3
        by_cursor += [f"/users/{one['id']}" for one in page["items"]]
        cursor = page["next"]
    assert sorted(places) == by_cursor == by_link


def test_the_last_page_is_told_to_be_the_last(api: Api, ada: str) -> None:
    answer = api.get("/users?limit=1")
    assert (answer.json()["next"], "link" in answer.headers) == (None, False)


def test_a_page_has_a_hundred_unless_told_otherwise(api: Api) -> None:
    api.do(
        api.service.register_many,
        101,
        {"first_name": "A", "last_name": "L", "email": "", "timezone": "UTC"},
    )
    assert len(api.get("/users").json()["items"]) == 100
    assert len(api.get("/users?limit=1000").json()["items"]) == 101


@pytest.mark.parametrize("limit", ("0", "-1", "1001", "abc", "", "1.0", "1e2", "%2B5", "9" * 30, "५"))
def test_a_limit_is_a_whole_number_up_to_a_thousand(api: Api, limit: str) -> None:
    for path in ("/users", "/messages"):
        answer = api.get(f"{path}?limit={limit}")
        assert reasons(answer) == {"limit": "Give a whole number from 1 to 1000."}


@pytest.mark.parametrize("cursor", ("", "x", "%00", "YWJj", "§", "A" * 1000, "====", "ey8"))
def test_a_cursor_is_one_of_ours(api: Api, cursor: str) -> None:
    for path in ("/users", "/messages"):
        assert reasons(api.get(f"{path}?after={cursor}")).keys() == {"after"}


@pytest.mark.parametrize("condition", ("", "0", '"1'))
def test_a_condition_that_cannot_be_read_is_refused_by_a_list_too(api: Api, ada: str, condition: str) -> None:
    for path in ("/users", ada):
        problem(api("GET", path, headers={"If-None-Match": condition}), HTTPStatus.BAD_REQUEST)
