"""The operator's page of the service as people run it: on its own PostgreSQL and Valkey."""

import re
from pathlib import Path

import httpx
import pytest

from tests.http.pages import words
from tests.service.running import ADA, running

pytestmark = pytest.mark.servers

TOMORROW = {**ADA, "birthdayDate": "1990-03-04"}


def form(api: httpx.Client, path: str, **fields: str) -> httpx.Response:
    token = re.search(r'name="token" value="([^"]+)"', api.get("/").text)
    assert token is not None
    return api.post(path, data={"token": token[1], **fields})


def test_the_page_shows_the_service_and_what_an_operator_decides_is_done(tmp_path: Path) -> None:
    with running(tmp_path / "var", "--clock-start", "2027-03-03T09:00:00Z") as service, service.api as api:
        assert f"  page      http://127.0.0.1:{service.port}/\n" in service.log.read_text()
        user = api.post("/users", json=TOMORROW).headers["location"]
        page = api.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        headline = "Everything due has been sent. Next: 09:00 UTC tomorrow, 1 person in 1 zone."
        assert words(page.text).startswith(headline)
        assert "None is configured" not in page.text
        assert re.search(r"<dt>Server</dt><dd>answers, uses \d+\.\d MB</dd>", page.text)
        found = form(api, "/page/search", sought="lovelace")
        assert (found.status_code, found.headers["location"]) == (303, user.replace("/users", "/page/people"))
        assert "Why then: 09:00 there." in api.get(found.headers["location"]).text
        [message] = api.get("/messages").json()["items"]
        path = f"/page/messages/{message['key']}"
        assert form(api, path, action="cancel", reason="She asked for it.").status_code == 303
        assert "She asked for it." in api.get(path).text
        assert api.get(f"/messages/{message['key']}").json()["status"] == "CANCELLED"
        assert "Nothing is due in the next 24 hours." in api.get("/").text
        text = service.log.read_text()
        assert "Lovelace" not in text
        assert "asked for it" not in text
