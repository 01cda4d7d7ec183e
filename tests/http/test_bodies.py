"""What a JSON body may be, and what it is refused for."""

import json
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from tests.http.world import ADA, Api, problem

MEBIBYTE = 1024 * 1024


def send(
    api: Api, body: bytes, *, method: str = "POST", path: str = "/users", **headers: str
) -> httpx.Response:
    return api(method, path, content=body, headers={"content-type": "application/json", **headers})


@pytest.mark.parametrize(
    "body",
    (
        b"",
        b"{",
        b"Ada",
        b'{"firstName": "Ada",}',
        b"{'firstName': 'Ada'}",
        b'{"firstName": NaN}',
        b'{"firstName": Infinity}',
        b'{"firstName": 1e999}',
        b'{"firstName": ' + b"9" * 5000 + b"}",
        b'{"firstName": "\\ud800"}',
        b'{"firstName": "\\udc00\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"firstName": "Zo\xeb"}',
        b'{"Zo\xeb": 1}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"firstName": "\x00"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{}{}",
    ),
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_json_is_a_bad_request(api: Api, body: bytes) -> None:
    assert problem(send(api, body), HTTPStatus.BAD_REQUEST)["detail"] == "The body is not JSON."


@pytest.mark.parametrize("body", (b"null", b"[]", b"[{}]", b'"Ada"', b"1", b"true"))
def test_json_that_is_no_object_is_unprocessable(api: Api, body: bytes) -> None:
    found = problem(send(api, body), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert found["detail"] == "The body is not a JSON object."


@pytest.mark.parametrize("field", ("firstName", "email", "timezone", "birthdayDate", "leapDayRule"))
@pytest.mark.parametrize("text", ("\x00", "Ada\x00", "Ada\nBcc: x@example.com", "\u2028", "x" * 1000))
def test_no_text_breaks_the_service(api: Api, field: str, text: str) -> None:
    problem(api.post("/users", {**ADA, field: text}), HTTPStatus.UNPROCESSABLE_ENTITY)


@pytest.mark.parametrize(
    "content_type",
    (
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/problem+json",
        "application/merge-patch+json",
        "application/json; charset=iso-8859-1",
        'application/json; charset="utf-16"',
        "json",
        "",
    ),
)
def test_json_comes_as_application_json(api: Api, content_type: str) -> None:
    answer = send(api, json.dumps(ADA).encode(), **{"content-type": content_type})
    found = problem(answer, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    assert "Content-Type: application/json" in found["detail"]
    assert answer.headers["accept"] == "application/json"


def test_a_body_without_any_type_is_refused(api: Api) -> None:
    answer = api("POST", "/users", content=json.dumps(ADA).encode())
    problem(answer, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize(
    "content_type",
    ("Application/JSON", "application/json;charset=UTF-8", 'application/json; charset="utf-8"'),
)
def test_utf_8_may_be_named(api: Api, content_type: str) -> None:
    answer = send(api, json.dumps(ADA).encode(), **{"content-type": content_type})
    assert answer.status_code == HTTPStatus.CREATED


def test_a_compressed_body_is_refused(api: Api) -> None:
    problem(send(api, b"\x1f\x8b", **{"content-encoding": "gzip"}), HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def test_put_knows_nothing_of_merge_patches(api: Api, ada: str) -> None:
    answer = send(api, b"{}", method="PUT", path=ada, **{"content-type": "application/merge-patch+json"})
    problem(answer, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def test_a_body_may_have_a_mebibyte(api: Api) -> None:
    body = json.dumps(ADA).encode()
    assert send(api, body.ljust(MEBIBYTE)).status_code == HTTPStatus.CREATED
    found = problem(send(api, body.ljust(MEBIBYTE + 1)), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    assert found["detail"] == "The body may have at most 1,048,576 bytes."


def test_a_body_that_says_not_how_long_it_is_is_bounded_too(api: Api) -> None:
    def endless() -> Iterator[bytes]:
        yield from (b" " * MEBIBYTE for _ in range(3))

    answer = api("POST", "/users", content=endless(), headers={"content-type": "application/json"})
    problem(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def test_who_says_too_large_a_length_is_refused_before_anything_is_read(api: Api) -> None:
    answer = send(api, b"{}", **{"content-length": str(10**17)})
    problem(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
