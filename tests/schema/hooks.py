"""What schemathesis cannot read from the document: its own formats, and how parameters go together."""

import base64
import os
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


_ZONES = sorted(filter(_is_zone, available_timezones()))

schemathesis.openapi.format("name", st.text(min_size=1, max_size=200).filter(_is_name))
schemathesis.openapi.format("email", st.emails().filter(is_address))
schemathesis.openapi.format("iana-timezone", st.sampled_from(_ZONES))
schemathesis.openapi.format("annual-date", _PAST.map(str) | _PAST.map(lambda day: f"--{day:%m-%d}"))
schemathesis.openapi.format("date", _PAST.map(str))
schemathesis.openapi.format(
    "printable",
    st.text(min_size=1, max_size=100).filter(lambda text: text.isprintable() and bool(text.strip())),
)


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Give what is meant as good input what no schema says.

    A cursor is one of ours, an address comes alone, and an Idempotency-Key is for one request.
    """
    modes = [] if case.meta is None else [case.meta.generation.mode]
    modes += [part.mode for part in case.meta.components.values()] if modes else []
    is_good = bool(modes) and all(mode.is_positive for mode in modes)
    query = case.query or {}
    if is_good and "email" in query:
        case.query = {"email": query["email"]}
    elif is_good and "after" in query:
        last = {"/users": NOBODY, "/audit": "42"}.get(case.path, NO_MESSAGE)
        case.query = {**query, "after": base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")}
    headers = case.headers or {}
    if is_good and "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = uuid4().hex
    # Whoever revokes, or rotates, their own key is served no longer, and nothing more is found out.
    if case.path.startswith("/keys/") and case.path_parameters.get("id") == os.environ["OWN_KEY"]:
        case.path_parameters = {"id": "0" * 12}
