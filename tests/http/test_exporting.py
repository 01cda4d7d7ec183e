"""GET /users/export."""

from http import HTTPStatus

import pytest

from tests.http.world import Api, problem, reasons


@pytest.mark.parametrize(
    ("query", "media_type", "name", "begins"),
    (
        ("", "text/csv", "people.csv", "\ufeffexternal_id,"),
        ("?format=csv", "text/csv", "people.csv", "\ufeffexternal_id,"),
        ("?format=vcard", "text/vcard", "people.vcf", "BEGIN:VCARD\r\n"),
        ("?format=calendar", "text/calendar", "birthdays.ics", "BEGIN:VCALENDAR\r\n"),
    ),
)
def test_people_leave_as_a_file(api: Api, query: str, media_type: str, name: str, begins: str) -> None:
    api.register()
    answer = api.get(f"/users/export{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (
        HTTPStatus.OK,
        f"{media_type}; charset=utf-8",
    )
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"
    text = answer.content.decode()
    assert text.startswith(begins)
    assert "Lovelace" in text


def test_a_calendar_tells_years_only_where_it_is_asked(api: Api, ada: str) -> None:
    assert "born" not in api.get("/users/export?format=calendar").text
    assert "(born 1990)" in api.get("/users/export?format=calendar&years=true").text


def test_what_cannot_be_exported(api: Api) -> None:
    assert reasons(api.get("/users/export?format=pdf")).keys() == {"format"}
    assert reasons(api.get("/users/export?years=1990")).keys() == {"years"}


def test_a_database_that_is_away_is_told_by_the_status(api: Api) -> None:
    api.service.store.is_reachable = False
    problem(api.get("/users/export"), HTTPStatus.SERVICE_UNAVAILABLE)
