"""GET /templates/{kind}/preview."""

from http import HTTPStatus

import pytest

from tests.http.world import Api, problem, reasons


def test_a_birthday_is_shown(api: Api) -> None:
    answer = api.get("/templates/birthday/preview")
    assert answer.status_code == HTTPStatus.OK
    assert answer.json() == {
        "subject": "Happy birthday, Ada!",
        "text": "Dear Ada,\n\nhappy 37th birthday! All the best for the year ahead.\n",
        "html": None,
    }


@pytest.mark.parametrize(
    ("query", "subject", "part"),
    (
        ("birthday/preview?language=de&years=50", "Alles Gute zum Geburtstag, Ada!", "zum 50. Geburtstag"),
        ("birthday/preview?years=unknown", "Happy birthday, Ada!", "happy birthday!"),
        ("anniversary/preview?years=1&belated=true", "A belated happy work anniversary, Ada!", "1 year with"),
    ),
)
def test_every_variant_can_be_asked_for(api: Api, query: str, subject: str, part: str) -> None:
    told = api.get(f"/templates/{query}").json()
    assert told["subject"] == subject
    assert part in told["text"]


def test_mistakes_are_told(api: Api) -> None:
    problem(api.get("/templates/wedding/preview"), HTTPStatus.NOT_FOUND)
    for name, value in (
        ("years", "0"),
        ("years", "x"),
        ("belated", "1"),
        ("language", "xx"),
        ("name", "Bob"),
    ):
        assert reasons(api.get(f"/templates/birthday/preview?{name}={value}")).keys() == {name}
