"""Conditional requests (RFC 9110, 13): a record's ETag is its version."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import AnyRequest

_ETAG = re.compile(r'(W/)?"([^"]*)"')
_ETAGS = re.compile(rf"\s*(?:\*|{_ETAG.pattern}(?:\s*,\s*{_ETAG.pattern})*)\s*")
_VERSION = re.compile(r"[1-9]\d{0,17}", re.ASCII)


def etag_of(version: int) -> str:
    return f'"{version}"'


def if_match(request: AnyRequest) -> Sequence[int] | None:
    """Return the versions that If-Match allows, None for any; a weak tag or a foreign one matches nothing."""
    tags = _tags(request, "If-Match")
    if tags is None:
        return None
    return [int(tag) for is_weak, tag in tags if not is_weak and _VERSION.fullmatch(tag)]


def is_not_modified(request: AnyRequest, etag: str) -> bool:
    """Tell whether If-None-Match names *etag*; compared weakly, as RFC 9110 wants for it."""
    if "if-none-match" not in request.headers:
        return False
    tags = _tags(request, "If-None-Match")
    return tags is None or any(f'"{tag}"' == etag for _, tag in tags)


def refuse_bad_condition(request: AnyRequest) -> None:
    """Refuse an If-None-Match that says nothing, where there is nothing that it could be compared with."""
    _tags(request, "If-None-Match")


def _tags(request: AnyRequest, name: str) -> Sequence[tuple[bool, str]] | None:
    """Return (is weak, tag) of each entity tag; None for ``*``, and where the header is not there."""
    lines: list[str] = request.headers.getall(name.lower(), [])
    if not lines:
        return None
    header = ", ".join(lines)
    if not _ETAGS.fullmatch(header):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, f'{name} holds entity tags such as "3", or *.')
    if header.strip() == "*":
        return None
    return [(weak == "W/", tag) for weak, tag in _ETAG.findall(header)]
