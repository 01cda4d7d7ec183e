"""Forms: read once, and believed only if they come from a page of ours."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from litestar.datastructures import Cookie

from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import AnyRequest, read_body, require_type

_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES_MAX = 16 * 1024
_FIELDS_MAX = 10
_COOKIE = "birthdays_form"
_TOKEN = "token"  # noqa: S105  # the field's name
_TOKEN_LENGTH = len(secrets.token_urlsafe())


def form_token(request: AnyRequest) -> tuple[str, Cookie | None]:
    """Return the token that forms for this browser carry, and the cookie that has to hold it from now on.

    Another site can make a browser send the cookie at most, and never read it: it cannot write the field.
    """
    known = request.cookies.get(_COOKIE, "")
    if len(known) == _TOKEN_LENGTH:
        return known, None
    token = secrets.token_urlsafe()
    is_https = request.url.scheme == "https"
    return token, Cookie(
        key=_COOKIE, value=token, path="/", httponly=True, samesite="strict", secure=is_https
    )


async def read_form(request: AnyRequest) -> Mapping[str, str]:
    """Return the fields of a form that a page of ours has sent; raises RequestRefused for any other."""
    require_type(request, _FORM)
    body = await read_body(request, _FORM_BYTES_MAX)
    try:
        fields = dict(
            parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
        )
    except ValueError:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "This is not a form in UTF-8.") from None
    token = request.cookies.get(_COOKIE, "")
    is_ours = len(token) == _TOKEN_LENGTH and secrets.compare_digest(
        token.encode(), fields.pop(_TOKEN, "").encode()
    )
    if not is_ours or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RequestRefused(
            HTTPStatus.FORBIDDEN, "This form does not come from a page of ours, or is too old: load it anew."
        )
    return fields
