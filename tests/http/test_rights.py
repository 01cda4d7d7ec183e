"""What people want no messages of, the links by which they get out, and what is held of them, over HTTP."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest

from application.limiting import LIMITS, RequestClass
from domain.audit import ActorKind
from domain.occasion import Kind
from domain.user import UserId
from entrypoints.http.use_cases import UseCases
from tests.http.pages import brake_channel, pause_channel, send_braked
from tests.http.world import ADA, ADMIN, NOBODY, Api, problem, reasons

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def link(api: Api, user: str, kind: Kind = Kind.BIRTHDAY, nonce: int = 0) -> str:
    token = api.service.links.token(UserId(_id(user)), kind, nonce)
    return f"/unsubscribe/{token}"


def _id(user: str) -> Any:

    return UUID(user.removeprefix("/users/"))


def opted_out(api: Api, user: str) -> list[str]:
    told: list[str] = api.get(user).json()["optedOut"]
    return told


def test_what_is_not_wanted_is_told_and_taken_back(api: Api) -> None:
    user = api.register(optedOut=["BIRTHDAY"])
    assert opted_out(api, user) == ["BIRTHDAY"]
    message = api.get(api.message_of(user)).json()
    assert (message["status"], message["reason"]) == ("SKIPPED", "opted-out")
    assert api.patch(user, {"firstName": "Bea"}).json()["optedOut"] == ["BIRTHDAY"]
    assert api.put(user, {"optedOut": ["ANNIVERSARY", "BIRTHDAY"]}).json()["optedOut"] == [
        "ANNIVERSARY",
        "BIRTHDAY",
    ]
    assert api.patch(user, {"optedOut": None}).json()["optedOut"] == []
    assert api.get(api.message_of(user)).json()["status"] == "SCHEDULED"


@pytest.mark.parametrize(
    "value", ("BIRTHDAY", ["birthday"], ["BIRTHDAY ANNIVERSARY"], [1], [["BIRTHDAY"]], {}, 1, ["WEDDING"])
)
def test_only_kinds_can_be_not_wanted(api: Api, value: object) -> None:
    assert reasons(api.post("/users", {**ADA, "optedOut": value})) == {
        "optedOut": "This is to be a list of BIRTHDAY, ANNIVERSARY."
    }


def test_looking_at_a_link_changes_nothing_and_names_nobody(api: Api, ada: str) -> None:
    for method in ("GET", "HEAD"):
        answer = api(method, link(api, ada), headers={"Authorization": ""})
        assert answer.status_code == HTTPStatus.OK
    assert "No more birthday messages?" in api.get(link(api, ada)).text
    assert "Ada" not in api.get(link(api, ada)).text
    assert opted_out(api, ada) == []


@pytest.mark.parametrize(
    "sent",
    (
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {
            "data": ONE_CLICK,
            "headers": {"Origin": "https://mail.example.com", "Sec-Fetch-Site": "cross-site"},
        },
    ),
)
def test_one_click_is_enough_and_needs_no_key(api: Api, ada: str, sent: dict[str, Any]) -> None:
    del api.client.headers["Authorization"]
    for _ in range(2):
        answer = api("POST", link(api, ada), **sent)
        assert answer.status_code == HTTPStatus.OK
        assert "You get no more birthday messages." in answer.text
        assert "set-cookie" not in answer.headers
    api.client.headers["Authorization"] = f"Bearer {ADMIN.text}"
    assert opted_out(api, ada) == ["BIRTHDAY"]
    done = [one for one in api.get("/audit").json()["items"] if one["action"] == "change"]
    assert [(one["actor"]["kind"], one["fields"]) for one in done] == [(ActorKind.PERSON, ["optedOut"])]


def test_who_wants_nothing_at_all_gets_nothing_at_all(api: Api, ada: str) -> None:
    api("POST", link(api, ada), data={"List-Unsubscribe": "all"})
    assert opted_out(api, ada) == ["ANNIVERSARY", "BIRTHDAY"]


def test_a_post_that_says_nothing_does_nothing(api: Api, ada: str) -> None:
    problem(api("POST", link(api, ada), data={"a": "b"}), HTTPStatus.BAD_REQUEST)
    assert opted_out(api, ada) == []


def test_a_link_that_is_not_good_gets_nobody_out(api: Api, ada: str) -> None:
    good = link(api, ada)
    other = link(api, f"/users/{NOBODY}")
    for bad in (
        good[:-1],
        good + "A",
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        other,
        "/unsubscribe/x",
    ):
        assert api.get(bad).status_code == HTTPStatus.NOT_FOUND
        assert api("POST", bad, data=ONE_CLICK).status_code == HTTPStatus.NOT_FOUND
    assert opted_out(api, ada) == []


def test_links_can_be_revoked(api: Api, ada: str) -> None:
    before = link(api, ada)
    assert api.post(f"{ada}/revoke-links").status_code == HTTPStatus.OK
    assert api("POST", before, data=ONE_CLICK).status_code == HTTPStatus.NOT_FOUND
    assert opted_out(api, ada) == []
    assert api("POST", link(api, ada, nonce=1), data=ONE_CLICK).status_code == HTTPStatus.OK
    problem(api.post(f"/users/{NOBODY}/revoke-links"), HTTPStatus.NOT_FOUND)


def test_one_address_asks_for_so_many_links_and_no_more(api: Api, ada: str, use_cases: UseCases) -> None:
    assert LIMITS[RequestClass.PUBLIC] == 600, "docs/privacy.md"
    use_cases.limiter.limits = LIMITS | {RequestClass.PUBLIC: 200}  # which is asked for sooner
    asked = [api.get(link(api, ada)).status_code for _ in range(201)]
    assert asked[-1] == HTTPStatus.TOO_MANY_REQUESTS
    assert set(asked[:-1]) == {HTTPStatus.OK}


def test_all_that_is_held_is_exported_and_that_is_noted(api: Api, ada: str) -> None:
    api.delete(ada)
    told = api.get(f"{ada}/export").json()
    assert told["user"]["email"] == ADA["email"]
    assert told["user"]["deletedAt"] is not None
    assert [one["status"] for one in told["messages"]] == ["CANCELLED"]
    assert [one["action"] for one in told["audit"]] == ["remove", "register"]
    assert api.get("/audit").json()["items"][0]["action"] == "export"
    problem(api.get(f"/users/{NOBODY}/export"), HTTPStatus.NOT_FOUND)


def test_the_trail_tells_who_did_what(api: Api, ada: str) -> None:
    api.patch(ada, {"lastName": "King", "birthdayDate": None})
    user_id = ada.removeprefix("/users/")
    page = api.get(f"/audit?userId={user_id}&limit=1")
    [change] = page.json()["items"]
    assert change["actor"] == {"kind": "key", "id": ADMIN.key.id, "name": "tests"}
    assert (change["action"], change["fields"]) == ("change", ["lastName", "birthdayDate"])
    rest = api.get(page.links["next"]["url"]).json()
    assert [one["action"] for one in rest["items"]] == ["register"]
    assert rest["next"] is None
    assert "King" not in page.text
    reasons(api.get("/audit?after=eA"))


def test_what_an_operator_does_over_the_api_is_noted(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    api.post(f"{message}/cancel")
    [cancel] = [one for one in api.get("/audit").json()["items"] if one["action"] == "cancel"]
    assert (cancel["messageKey"], cancel["reason"]) == (message.removeprefix("/messages/"), None)
    assert cancel["actor"]["name"] == "tests"


def test_a_channel_that_nothing_stops_cannot_be_resumed(api: Api) -> None:
    problem(api.post("/channels/memory/resume", {"reason": "It is well."}), HTTPStatus.NOT_FOUND)
    assert reasons(api.post("/channels/memory/resume", {"reason": 1})) == {
        "reason": "Say why, in a few words."
    }


def test_a_channel_is_resumed_with_a_reason(api: Api, ada: str) -> None:
    api.do(pause_channel, api.service)
    [stopped] = api.get("/scheduler/stats").json()["stoppedChannels"]
    assert (stopped["name"], stopped["pauseS"] > 0, stopped["brake"]) == ("memory", True, None)
    answer = api.post("/channels/memory/resume", {"reason": "It is well."})
    assert answer.status_code == HTTPStatus.NO_CONTENT
    assert api.get("/scheduler/stats").json()["stoppedChannels"] == []
    resumed = [one for one in api.get("/audit").json()["items"] if one["action"] == "resume"]
    assert [(one["subject"], one["reason"]) for one in resumed] == [("memory", "It is well.")]


def test_the_brake_is_told_and_confirmed(api: Api) -> None:
    api.do(brake_channel, api.service)
    [stopped] = api.get("/scheduler/stats").json()["stoppedChannels"]
    assert stopped["brake"] == {"dueHour": "2027-03-14T08:00:00Z", "messages": 3, "allowed": 2}
    assert "The brake has stopped the channel memory: 3 messages" in api.get("/").text
    assert "Confirm, and let it go on" in api.get("/page/channels/memory").text
    api.post("/channels/memory/resume", {"reason": "All of us are twins."})
    assert api.do(send_braked, api.service) == 3
