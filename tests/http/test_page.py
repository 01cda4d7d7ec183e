"""The operator's page, as it works without a script."""

from http import HTTPStatus

import pytest
from structlog.typing import EventDict

from domain.message import Reason, Status
from domain.user import UserId
from tests.http.pages import EVIL, checked, end_badly, look, miss_many, pause_channel, send, words
from tests.http.world import NO_MESSAGE, NOBODY, Api

REASON = "The mailbox was full, Bob rang."


@pytest.fixture
def unwell(api: Api) -> dict[Status, str]:
    """Where the page decides on a message that failed, one that may have arrived, and one that was missed."""
    for name in ("Ada", "Bob", "Cy"):
        api.register(firstName=name, email=f"{name}@example.com")
    return {status: f"/page/messages/{key}" for status, key in api.do(end_badly, api.service).items()}


def test_where_nothing_is_known_nothing_is_said_to_be_wrong(api: Api) -> None:
    shown = words(look(api, "/"))
    assert shown.startswith("Everything due has been sent. Nothing is due in the next 24 hours.")
    assert "Needs somebody Nothing does." in shown
    assert "None is configured" in shown


def test_who_has_nobody_yet_is_told_how_people_come(api: Api) -> None:
    hint = "Nobody is registered yet. birthdays import people.csv brings people"
    assert hint in words(look(api, "/"))
    api.register()
    assert hint not in words(look(api, "/"))


def test_what_comes_is_shown_by_hour_in_a_list_and_on_the_strip(api: Api, ada: str) -> None:
    page = look(api, "/")
    shown = words(page)
    assert "Next: 08:00 UTC tomorrow, 1 person in 1 zone." in shown
    assert "12:00: 0" in shown
    assert "08:00: 1" in shown
    assert "08:00 UTC tomorrow Ada Lovelace birthday, 37 years Europe/Berlin" in shown
    assert "08:00 UTC in 20 h Berlin, Paris and" in shown
    assert f'href="/page{ada.replace("users", "people")}"' in page
    assert page.count('class="place greeted"') == 1


def test_of_many_the_first_are_listed_and_the_others_counted(api: Api) -> None:
    for number in range(25):
        api.register(email=f"p{number}@example.com")
    page = look(api, "/")
    listed, _, more = page.partition("<details>")
    assert (listed.count('id="next-2027'), more.count('id="next-2027')) == (8, 12)
    assert "12 more, and 5 after them" in words(page)
    assert "25 messages, by the hour in UTC" in words(page)


def test_what_ended_badly_comes_first_and_names_what_can_be_done(api: Api, unwell: dict[Status, str]) -> None:
    page = look(api, "/")
    shown = words(page)
    assert shown.startswith("1 unknown, 1 failed and 1 expired messages need somebody.")
    places = [
        page.index(f'href="{unwell[status]}"') for status in (Status.UNKNOWN, Status.FAILED, Status.EXPIRED)
    ]
    assert places == sorted(places)
    assert "It may have arrived, and its window has passed." in shown
    assert "The far side refused it for good." in shown
    for status, buttons in (
        (Status.UNKNOWN, ["retry", "mark-sent", "leave"]),
        (Status.FAILED, ["retry", "leave"]),
        (Status.EXPIRED, ["retry", "leave"]),
    ):
        page = look(api, unwell[status])
        assert [
            action for action in ("retry", "mark-sent", "cancel", "leave") if f'value="{action}"' in page
        ] == buttons


@pytest.mark.parametrize(
    ("before", "action", "after"),
    (
        (Status.UNKNOWN, "mark-sent", Status.SENT),
        (Status.UNKNOWN, "leave", Status.UNKNOWN),
        (Status.FAILED, "retry", Status.SCHEDULED),
        (Status.FAILED, "leave", Status.FAILED),
        (Status.EXPIRED, "retry", Status.SCHEDULED),
        (Status.EXPIRED, "leave", Status.EXPIRED),
    ),
)
def test_a_decision_is_carried_out_and_its_reason_kept(
    api: Api, unwell: dict[Status, str], before: Status, action: str, after: Status
) -> None:
    path = unwell[before]
    answer = send(api, path, {"action": action, "reason": REASON}, seen_at=path)
    assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, path)
    told = api.get(path.removeprefix("/page")).json()
    assert (told["status"], told["reason"]) == (after, Reason.OPERATOR)
    word = {"mark-sent": "It arrived", "leave": "Let it be", "retry": "Send it"}[action]
    done = f"{word} , the birthday message of 2027-03-14 , Mon 15 Mar 2027, 08:00 UTC , by the key tests: {REASON}"
    assert done in words(look(api, path))
    assert REASON in look(api, "/")
    assert path not in _attention(look(api, "/"))


def _attention(page: str) -> str:
    return page[page.index('id="attention"') : page.index("</section>")]


def test_one_decides_on_all_of_a_kind_at_once(api: Api, unwell: dict[Status, str]) -> None:
    api.do(miss_many, api.service, 102)
    page = look(api, "/")
    assert page.count("It missed its window.") == 20, "the latest of them"
    assert "Decide on all 103 expired messages …" in words(page)
    assert "Decide on all 1 " not in words(page)
    path = "/page/attention/expired"
    assert "103 expired messages need somebody" in words(look(api, path))
    for fields in (
        {"action": "leave", "reason": " "},
        {"action": "mark-sent", "reason": REASON},
        {"reason": REASON},
    ):
        assert 'role="alert"' in checked(send(api, path, fields), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert "103 expired messages" in words(look(api, path))
    answer = send(api, path, {"action": "leave", "reason": REASON})
    assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, path)
    assert "3 expired messages need somebody" in words(look(api, path))
    assert send(api, path, {"action": "leave", "reason": REASON}).headers["location"] == "/"
    assert words(look(api, "/")).startswith("1 unknown and 1 failed messages need somebody.")
    assert "No expired message needs somebody" in words(look(api, path))
    for status in ("sent", "EXPIRED", "x"):
        look(api, f"/page/attention/{status}", HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize("reason", ("", "  ", "x" * 501, "a\0b"))
def test_without_a_reason_nothing_is_done(api: Api, unwell: dict[Status, str], reason: str) -> None:
    path = unwell[Status.FAILED]
    answer = send(api, path, {"action": "retry", "reason": reason}, seen_at=path)
    assert 'role="alert"' in checked(answer, HTTPStatus.UNPROCESSABLE_ENTITY)
    assert api.get(path.removeprefix("/page")).json()["status"] == Status.FAILED
    assert "Decided lately" not in look(api, "/")


@pytest.mark.parametrize("action", ("", "erase", "claim", "sent"))
def test_only_what_an_operator_may_do_is_done(api: Api, unwell: dict[Status, str], action: str) -> None:
    path = unwell[Status.FAILED]
    answer = send(api, path, {"action": action, "reason": REASON}, seen_at=path)
    assert answer.status_code in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT}
    assert REASON in checked(answer, HTTPStatus(answer.status_code)), "nobody has to type it again"
    assert api.get(path.removeprefix("/page")).json()["status"] == Status.FAILED


def test_who_comes_second_is_told_what_is_there_now(api: Api, unwell: dict[Status, str]) -> None:
    path = unwell[Status.UNKNOWN]
    send(api, path, {"action": "mark-sent", "reason": REASON}, seen_at=path)
    page = checked(
        send(api, path, {"action": "leave", "reason": "Me too."}, seen_at=path), HTTPStatus.CONFLICT
    )
    assert "A message that is SENT does not allow" in words(page)
    assert "An operator says that it arrived." in words(page)
    assert "Me too." not in look(api, "/")


def test_only_forms_of_ours_are_believed(api: Api, unwell: dict[Status, str]) -> None:
    path = unwell[Status.FAILED]
    fields = {"action": "leave", "reason": REASON}
    stranger = api("POST", path, data=fields)
    assert "does not come from a page of ours" in checked(stranger, HTTPStatus.FORBIDDEN)
    look(api, "/")
    for token in ("", "x", "é" * 43, "A" * 43):
        checked(api("POST", path, data={"token": token, **fields}), HTTPStatus.FORBIDDEN)
    checked(send(api, path, fields, sec_fetch_site="cross-site"), HTTPStatus.FORBIDDEN)
    checked(send(api, path, fields, sec_fetch_site="same-site"), HTTPStatus.FORBIDDEN)
    json = api.post(path, fields)
    checked(json, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    api.client.cookies.clear()
    checked(api("POST", path, data={"token": "", **fields}), HTTPStatus.FORBIDDEN)
    assert api.get(path.removeprefix("/page")).json()["reason"] == Reason.REFUSED
    assert send(api, path, fields, sec_fetch_site="same-origin").status_code == HTTPStatus.SEE_OTHER


def test_the_cookie_of_the_forms_is_for_this_site_alone(api: Api) -> None:
    cookie = api.get("/").headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "set-cookie" not in api.get("/").headers


@pytest.mark.parametrize(
    "body",
    (b"sought=\xff\xfe", b"&".join(b"a%d=1" % number for number in range(100)), b"sought=" + b"x" * 20_000),
)
def test_what_is_no_form_is_refused(api: Api, body: bytes) -> None:
    look(api, "/")
    answer = api(
        "POST", "/page/search", content=body, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    checked(answer, HTTPStatus(answer.status_code))
    assert answer.status_code in {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    }


def test_people_are_found_and_their_names_stay_out_of_addresses_and_the_log(
    api: Api, ada: str, logged: list[EventDict]
) -> None:
    path = ada.replace("/users/", "/page/people/")
    for sought in ("love", "Ada Lovelace", "ada@example.com", ada.removeprefix("/users/")):
        answer = send(api, "/page/search", {"sought": sought})
        assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, path)
    api.register(firstName="Ben", email="ben@example.com")
    page = checked(send(api, "/page/search", {"sought": "lovelace"}))
    assert "2 people" in words(page)
    assert words(page).index("Ada Lovelace") < words(page).index("Ben Lovelace"), (
        "by their last names, then first"
    )
    assert "Ben Lovelace ben@example.com Europe/Berlin" in words(page)
    assert "Nobody was found" in words(checked(send(api, "/page/search", {"sought": EVIL})))
    assert "Find a person" in words(look(api, "/page/search"))
    look(api, path)
    assert "ovelace" not in str(logged)
    assert "example.com" not in str(logged)


def test_a_person_s_page_explains_when_why_by_which_rule_and_what_happened(
    api: Api, unwell: dict[Status, str]
) -> None:
    leap = api.register(
        firstName="Leap", email="leap@example.com", birthdayDate="2000-02-29", leapDayRule="mar1"
    )
    shown = words(look(api, leap.replace("users", "page/people")))
    assert "2000-02-29" in shown
    assert "Tue 29 Feb 2028, 09:00 in Europe/Berlin, which is Tue 29 Feb 2028, 08:00 UTC ." in shown
    assert "Why then: 29 Feb of a leap year. The rule for 29 February is mar1." in shown
    assert "It is planned two days before." in shown
    assert "Nothing yet." in shown
    person = unwell[Status.EXPIRED].rpartition("birthday.")[2]
    shown = words(look(api, f"/page/people/{person}"))
    assert "Birthday, 37 years expired It missed its window. It was due Sun 14 Mar 2027, 09:00" in shown
    send(api, unwell[Status.EXPIRED], {"action": "leave", "reason": REASON})
    assert REASON in words(look(api, f"/page/people/{person}"))


def test_a_name_is_a_text_wherever_it_stands(api: Api) -> None:
    for name in (EVIL, "{{ 7 * 1191 }}", "Bob"):
        api.register(firstName=name, lastName=name, email=f"{len(name)}@example.com")
    found = api.do(end_badly, api.service)
    for path in ("/", *(f"/page/messages/{key}" for key in found.values())):
        page = look(api, path)
        assert "8337" not in words(page)
        send(api, path, {"action": "leave", "reason": EVIL}) if path != "/" else None
    page = look(api, "/")
    assert "&lt;script&gt;alert(&#39;Ada&#39;)" in page
    for key in found.values():
        look(api, f"/page/people/{key.user_id}")
    checked(send(api, "/page/search", {"sought": "example"}))


def test_a_paused_channel_is_bad_news_and_can_be_let_go_on(api: Api, ada: str) -> None:
    api.do(pause_channel, api.service)
    shown = words(look(api, "/"))
    assert shown.startswith("The channel memory takes nothing for another 10 min.")
    assert "1 message failed for now and is tried again." in shown
    path = "/page/channels/memory"
    assert "takes nothing for another 10 min" in words(look(api, path))
    checked(send(api, path, {"reason": " "}), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert "No such channel is paused" in words(look(api, "/page/channels/other"))
    answer = send(api, path, {"reason": REASON}, seen_at=path)
    assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, "/")
    shown = words(look(api, "/"))
    assert not shown.startswith("The channel")
    assert f"resume , the channel memory, Sun 14 Mar 2027, 08:00 UTC , by the key tests: {REASON}" in shown
    assert "No such channel is paused" in words(look(api, path))
    send(api, path, {"reason": "Again."})
    assert "Again." not in look(api, "/"), "nothing was there to be decided"


@pytest.mark.parametrize(
    "path",
    (
        "/page/people/x",
        f"/page/people/{NOBODY}",
        "/page/messages/x",
        f"/page/messages/{NO_MESSAGE}",
    ),
)
def test_what_is_not_there_is_said_on_a_page(api: Api, path: str) -> None:
    page = look(api, path, HTTPStatus.NOT_FOUND)
    assert "There is no such" in words(page)
    assert "data-live" not in page


def test_an_unknown_parameter_is_refused_on_a_page(api: Api) -> None:
    look(api, "/?email=ada@example.com", HTTPStatus.UNPROCESSABLE_ENTITY)


def test_while_the_database_is_away_the_page_says_so_and_looks_again(api: Api, ada: str) -> None:
    api.service.store.is_reachable = False
    page = look(api, "/", HTTPStatus.SERVICE_UNAVAILABLE)
    assert words(page).startswith("The database cannot be reached: nothing is sent until it is back.")
    assert "data-live" in page
    assert "ookup" not in page
    api.service.store.is_reachable = True
    assert words(look(api, "/")).startswith("Everything due has been sent.")


def test_who_has_left_has_no_name_any_more(api: Api, unwell: dict[Status, str]) -> None:
    person = unwell[Status.FAILED].rpartition("birthday.")[2]
    api.delete(f"/users/{UserId}" if not person else f"/users/{person}")
    assert "somebody who has left" in words(look(api, "/"))
    assert "somebody who has left" in words(look(api, unwell[Status.FAILED]))


def test_style_and_script_come_from_here(api: Api) -> None:
    for name, media_type in (
        ("page.css", "text/css"),
        ("page.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = api.get(f"/page/assets/{name}")
        assert answer.status_code == HTTPStatus.OK
        assert answer.headers["content-type"].startswith(media_type)
        assert "etag" in answer.headers
    for name in ("../routes.py", "%2e%2e/routes.py", "..%2froutes.py", "nothing.css"):
        assert api.get(f"/page/assets/{name}").status_code == HTTPStatus.NOT_FOUND
