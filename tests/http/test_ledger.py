"""GET /messages, /messages/{key}, what an operator does, /users/{id}/upcoming and /scheduler/stats."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from application.deliveries import Delivery, FailedForGood
from application.statistics import SchedulerState
from tests.http.world import NO_MESSAGE, NOBODY, Api, problem, reasons

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)
ALL = "SCHEDULED, SENDING, RETRYING, SENT, FAILED, UNKNOWN, EXPIRED, CANCELLED, SKIPPED"


def refuse(delivery: Delivery) -> FailedForGood:
    return FailedForGood("No such mailbox.")


def test_a_message_tells_all_of_itself(api: Api, ada: str) -> None:
    message = api.get(api.message_of(ada)).json()
    user_id = ada.removeprefix("/users/")
    assert message == {
        "key": f"2027-03-14.birthday.{user_id}",
        "userId": user_id,
        "kind": "BIRTHDAY",
        "occasionDate": "2027-03-14",
        "status": "SCHEDULED",
        "reason": None,
        "dueAt": "2027-03-14T08:00:00Z",
        "expiresAt": "2027-03-15T08:00:00Z",
        "timezone": "Europe/Berlin",
        "wallTime": "exact",
        "years": 37,
        "attempt": 0,
        "retryAt": None,
        "sentAt": None,
        "createdAt": "2027-03-13T12:00:00Z",
        "updatedAt": "2027-03-13T12:00:00Z",
    }


@pytest.mark.parametrize(
    "key", (NO_MESSAGE, "abc", NOBODY, f"2027-02-30.birthday.{NOBODY}", f"2027-03-14.nameday.{NOBODY}", "%00")
)
def test_what_is_no_message_is_not_found(api: Api, ada: str, key: str) -> None:
    problem(api.get(f"/messages/{key}"), HTTPStatus.NOT_FOUND)
    for action in ("retry", "cancel", "mark-sent"):
        problem(api.post(f"/messages/{key}/{action}"), HTTPStatus.NOT_FOUND)


def test_messages_are_listed_by_state_and_by_person(api: Api, ada: str) -> None:
    grace = api.register(email="grace@example.com")
    api.post(f"{api.message_of(ada)}/cancel")

    def listed(query: str) -> list[str]:
        return [f"/users/{one['userId']}" for one in api.get(f"/messages?{query}").json()["items"]]

    assert listed("status=CANCELLED") == [ada]
    assert listed("status=SCHEDULED") == [grace]
    assert sorted(listed("status=SCHEDULED&status=CANCELLED")) == sorted([ada, grace])
    assert listed("status=SENT") == []
    assert listed(f"userId={grace.removeprefix('/users/')}") == [grace]
    assert listed(f"userId={NOBODY}") == []


def test_the_next_page_keeps_the_filters(api: Api) -> None:
    for number in range(3):
        api.register(email=f"p{number}@example.com")
    keys = []
    path: str | None = "/messages?limit=1&status=SCHEDULED&status=RETRYING"
    while path is not None:
        answer = api.get(path)
        [one] = answer.json()["items"]
        keys.append(one["key"])
        path = answer.links["next"]["url"] if "next" in answer.links else None
        assert path is None or path.startswith("/messages?limit=1&status=SCHEDULED&status=RETRYING&after=")
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 3


def test_a_state_is_one_of_those_there_are(api: Api) -> None:
    for query in ("status=sent", "status=", "status=SENT&status=LOST", "status=SENT,FAILED"):
        assert reasons(api.get(f"/messages?{query}")) == {"status": f"Choose from {ALL}."}


@pytest.mark.parametrize("user_id", ("abc", "", "%00", "ada@example.com"))
def test_a_person_is_named_by_their_id(api: Api, user_id: str) -> None:
    assert reasons(api.get(f"/messages?userId={user_id}")) == {"userId": "This is not an id."}


def test_an_operator_cancels_and_sends_after_all(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    cancelled = api.post(f"{message}/cancel")
    assert cancelled.status_code == HTTPStatus.OK
    assert (cancelled.json()["status"], cancelled.json()["reason"]) == ("CANCELLED", "operator")
    again = api.post(f"{message}/retry")
    assert (again.status_code, again.json()["status"]) == (HTTPStatus.OK, "SCHEDULED")
    assert api.get(message).json() == again.json()


def test_an_operator_says_that_an_unknown_message_was_sent(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    api.service.at(NINE)
    api.service.channel.deduplicates = False
    api.service.channel.break_with(TimeoutError())
    with pytest.raises(TimeoutError):
        api.do(api.service.send)
    api.service.let_leases_run_out()
    api.do(api.service.keep)
    assert api.get(message).json()["status"] == "UNKNOWN"
    assert api.post(f"{message}/mark-sent").json()["status"] == "SENT"


@pytest.mark.parametrize("action", ("retry", "mark-sent"))
def test_what_the_state_forbids_is_a_conflict(api: Api, ada: str, action: str) -> None:
    answer = api.post(f"{api.message_of(ada)}/{action}")
    expected = f"A message that is SCHEDULED does not allow '{action}'."
    assert problem(answer, HTTPStatus.CONFLICT)["detail"] == expected


def test_what_is_to_come_is_told_in_both_times_with_its_reason(api: Api) -> None:
    user = api.register(birthdayDate="1992-02-29", anniversaryDate="2019-03-14", timezone="America/New_York")
    told = api.get(f"{user}/upcoming").json()
    assert told["past"] == []
    assert told["upcoming"] == [
        {
            "key": f"2027-03-14.anniversary.{user.removeprefix('/users/')}",
            "kind": "ANNIVERSARY",
            "occasionDate": "2027-03-14",
            "years": 8,
            "dueAt": "2027-03-14T13:00:00Z",
            "dueLocal": "2027-03-14T09:00:00-04:00",
            "timezone": "America/New_York",
            "wallTime": "exact",
            "leapDayRule": None,
            "why": "09:00 there",
            "status": "SCHEDULED",
        },
        {
            "key": f"2028-02-29.birthday.{user.removeprefix('/users/')}",
            "kind": "BIRTHDAY",
            "occasionDate": "2028-02-29",
            "years": 36,
            "dueAt": "2028-02-29T14:00:00Z",
            "dueLocal": "2028-02-29T09:00:00-05:00",
            "timezone": "America/New_York",
            "wallTime": "exact",
            "leapDayRule": "feb28",
            "why": "29 Feb of a leap year",
            "status": None,
        },
    ]


def test_what_became_of_the_last_messages_is_told_too(api: Api, ada: str) -> None:
    api.service.at(NINE + timedelta(minutes=1))
    api.service.channel.answer = refuse
    api.do(api.service.send)
    [past] = api.get(f"{ada}/upcoming").json()["past"]
    assert (past["status"], past["attempt"]) == ("FAILED", 1)
    assert past == api.get(f"/messages/{past['key']}").json()


def test_the_first_day_is_skipped_with_a_reason_and_sent_without_a_number_if_it_must_be(api: Api) -> None:
    user = api.register(birthdayDate=None, anniversaryDate="2027-03-14")
    message = api.message_of(user)
    skipped = api.get(message).json()
    assert (skipped["status"], skipped["reason"], skipped["years"]) == ("SKIPPED", "zero-years", 0)
    told = api.get(f"{user}/upcoming").json()
    assert told["past"] == [skipped]
    assert [(one["occasionDate"], one["years"]) for one in told["upcoming"]] == [("2028-03-14", 1)]
    again = api.post(f"{message}/retry").json()
    assert (again["status"], again["reason"], again["years"]) == ("SCHEDULED", "operator", None)
    told = api.get(f"{user}/upcoming").json()
    assert [(one["occasionDate"], one["years"]) for one in told["upcoming"]] == [("2027-03-14", None)]
    assert told["past"] == []
    api.service.at(NINE)
    api.do(api.service.send)
    assert api.get(message).json()["status"] == "SENT"
    assert [one.years for one in api.service.channel.accepted.values()] == [None]


def test_the_scheduler_is_told_in_numbers(api: Api, ada: str, state: SchedulerState) -> None:
    state.started_at = state.last_plan_at = NINE
    state.planned_until = NINE.date()
    counts = dict.fromkeys(ALL.split(", "), 0)
    assert api.get("/scheduler/stats").json() == {
        "now": "2027-03-13T12:00:00Z",
        "counts": {**counts, "SCHEDULED": 1},
        "startedAt": "2027-03-14T08:00:00Z",
        "lastPlanAt": "2027-03-14T08:00:00Z",
        "plannedUntil": "2027-03-14",
        "lastTickAt": None,
        "nextDueAt": None,
        "failuresInARow": 0,
        "stoppedChannels": [],
    }


def test_a_page_of_messages_is_counted_as_told(api: Api) -> None:
    assert api.get("/messages").json() == {"items": [], "next": None}


def test_why_an_operator_decided_is_kept(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    told = "She wrote that she has it."
    assert api.post(f"{message}/cancel", {"reason": told}).is_success
    assert api.post(f"{message}/retry").is_success
    assert told in api.get(f"/page{message}").text
    assert reasons(api.post(f"{message}/cancel", {"reason": " "})) == {"reason": "Say why, in a few words."}
    assert reasons(api.post(f"{message}/cancel", {"reason": 1})) == {"reason": "This is to be a text."}
    assert reasons(api.post(f"{message}/cancel", {"why": told})) == {"why": "There is no such field."}
    refused = api("POST", f"{message}/cancel", content=b"x", headers={"content-type": "text/plain"})
    problem(refused, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    assert api.get(message).json()["status"] == "SCHEDULED"


def test_a_test_message_is_sent_past_the_ledger(api: Api) -> None:
    assert api.post("/channel/test", {"email": "operator@example.com"}).json() == {
        "channel": "memory",
        "outcome": "sent",
        "reason": None,
    }
    [sent] = api.service.channel.reached
    assert (sent.recipient.email, sent.is_trial) == ("operator@example.com", True)
    assert api.get("/messages").json()["items"] == []
    api.service.channel.fail_for_good()
    assert api.post("/channel/test", {"email": "operator@example.com"}).json() == {
        "channel": "memory",
        "outcome": "not-sent",
        "reason": "No such mailbox.",
    }


def test_a_test_message_needs_an_address(api: Api) -> None:
    for body in ({}, {"email": None}, {"email": 1}):
        assert reasons(api.post("/channel/test", body)) == {"email": "This is to be a text."}
    assert set(reasons(api.post("/channel/test", {"email": "operator"}))) == {"email"}
    assert set(reasons(api.post("/channel/test", {"e": "x"}))) == {"e"}
    assert api.service.channel.batches == []
