"""Lists in pages by key: a cursor, and a Link header to the next page."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from litestar import Response

from entrypoints.http.parameters import bad_parameter
from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import AnyRequest

T = TypeVar("T")
P = TypeVar("P")


def linked_page(
    request: AnyRequest, page: Callable[[Sequence[T], str | None], P], items: Sequence[T], last: str | None
) -> Response[P]:
    """Answer a page; *last* is the key of its last item if there is a page after it."""
    headers = {"Cache-Control": "private, no-cache"}
    cursor = None
    if last is not None:
        cursor = base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")
        kept = [(name, value) for name, value in parse_qsl(request.url.query) if name != "after"]
        headers["Link"] = f'<{request.url.path}?{urlencode([*kept, ("after", cursor)])}>; rel="next"'
    return Response(page(items, cursor), headers=headers)


def read_cursor(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_cursor() from None


def bad_cursor() -> RequestRefused:
    return bad_parameter("after", "This is not a cursor of ours: take it from 'next' or the Link header.")
