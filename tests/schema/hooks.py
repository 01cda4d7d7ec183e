"""What schemathesis cannot read from the document: its own formats, and how parameters go together."""

import base64
import os
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import uuid4
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st

from domain.due import zone
from domain.email import is_address
from domain.errors import InvalidField, InvalidFields
from domain.telling import tell
from tests.http.world import NO_MESSAGE, NOBODY

_PAST = st.dates(date(1600, 1, 1), date(2020, 12, 31))


def _is_name(text: str) -> bool:
    try:
        tell({"first_name": text})
    except InvalidFields:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        zone(name)
    except InvalidField:
        return False
    return True


_HEAD = "email,first_name,last_name,timezone,birthday"
_ROWS = ("a@example.com,A,B,UTC,1990-01-02", "b@example.com,B,,,", "not an address,C,D,UTC,--02-29", "")


def _file(rows: list[str]) -> str:
    """Return a file that is one of people, whatever its rows are; vCards come as they are in the example."""
    return "\n".join([_HEAD, *rows, ""])


_ZONES = sorted(filter(_is_zone, available_timezones()))

schemathesis.openapi.format("name", st.text(min_size=1, max_size=200).filter(_is_name))
schemathesis.openapi.format("email", st.emails().filter(is_address))
schemathesis.openapi.format("iana-timezone", st.sampled_from(_ZONES))
schemathesis.openapi.format("annual-date", _PAST.map(str) | _PAST.map(lambda day: f"--{day:%m-%d}"))
schemathesis.openapi.format("date", _PAST.map(str))
schemathesis.openapi.format("people-file", st.lists(st.sampled_from(_ROWS), max_size=5).map(_file))
schemathesis.openapi.format(
    "printable",
    st.text(min_size=1, max_size=100).filter(lambda text: text.isprintable() and bool(text.strip())),
)


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Give what is meant as good input what no schema says.

    A cursor is one of ours, a language one for which there are texts, an encoding that of the file, an address
    comes alone, and an Idempotency-Key is for one request.
    """
    if case.meta is not None and case.meta.generation.mode.is_positive:
        query = case.query or {}
        if (better := _good_query(case.path, query)) != query:
            case.query = better
        headers = case.headers or {}
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = uuid4().hex
        for name in ("If-Match", "If-None-Match"):
            # Where every case is to have all headers, the first value for one with a pattern is a bad one.
            if name in headers and '"' not in headers[name] and headers[name] != "*":
                headers[name] = '"3"'
    # Whoever revokes, or rotates, their own key is served no longer, and nothing more is found out.
    if case.path.startswith("/keys/") and case.path_parameters.get("id") == os.environ["OWN_KEY"]:
        case.path_parameters = {"id": "0" * 12}


def _good_query(path: str, query: Mapping[str, Any]) -> dict[str, Any]:
    if "email" in query:
        return {"email": query["email"]}
    better = dict(query)
    if "after" in query:
        last = {"/users": NOBODY, "/audit": "42"}.get(path, NO_MESSAGE)
        better["after"] = base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")
    if "language" in query:
        better["language"] = "de"
    if "encoding" in query:
        better["encoding"] = "utf-8"
    return better
