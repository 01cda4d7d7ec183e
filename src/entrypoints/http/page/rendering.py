"""How the pages are made: templates, what they may call, and the headers that keep them to themselves."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader, Cookie
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig
from markupsafe import Markup

from application.explanation import what_became
from application.headline import clock_time, counted, duration
from domain.due import zone
from domain.message import Action
from entrypoints.http.page.places import labelled

_HERE = Path(__file__).parent

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that a browser says of its own forms that they come from nowhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


_FILES = frozenset(file.name for file in (_HERE / "assets").iterdir())


def _refuse_others(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    # Not left to the file system, which fails at zero bytes and at names without end.
    if str(connection.path_params["file_path"]).removeprefix("/") not in _FILES:
        raise NotFoundException


ASSETS = create_static_files_router(
    path="/page/assets",
    directories=[_HERE / "assets"],
    cache_control=CacheControlHeader(no_cache=True),
    opt={"needs": None},
    include_in_schema=False,
    guards=[_refuse_others],
)
"""Style and script. They are nobody's secret, and the page that tells somebody to log in needs them."""


def page(
    name: str, context: Mapping[str, Any], *, status: int = 200, cookie: Cookie | None = None, **headers: str
) -> Template:
    """Answer the page of that name."""
    return Template(
        template_name=f"{name}.html",
        context=dict(context),
        status_code=status,
        headers={**HEADERS, **headers},
        cookies=[] if cookie is None else [cookie],
        media_type=MediaType.HTML,
    )


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"


def _local(at: datetime, where: str | ZoneInfo) -> str:
    there = at.astimezone(zone(where) if isinstance(where, str) else where)
    return f"{there:%a %d %b %Y, %H:%M}"


def _seconds(length: timedelta) -> str:
    """Write a lateness: short ones exactly, long ones as a person would."""
    seconds = length.total_seconds()
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if abs(seconds) < 60 else duration(length)  # noqa: PLR2004  # a minute


def _breakable(zone_name: str) -> Markup:
    """Let a line break after each part of the name of a zone."""
    return Markup("<wbr>").join(re.split(r"(?<=[/_])", zone_name))


def _bar_height(number: int, highest: int) -> int:
    """Return the height of a bar of 100 at most; what is there can be seen, however little it is."""
    return max(round(100 * number / highest), 2) if number else 0


_ACTIONS: Mapping[str, tuple[str, str]] = {
    Action.RETRY: ("Send it", "It leaves as soon as the channel takes it, within a new window."),
    Action.MARK_SENT: ("It arrived", "You have found out that the person has it."),
    Action.CANCEL: ("Cancel it", "It does not leave. You can still send it later."),
    Action.LEAVE: ("Let it be", "It stays as it is, and nobody is asked about it again."),
}
"""What a button says of an action, and so what it is called once it is done; and what comes of it."""


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "instant": _instant,
        "local": _local,
        "clock": clock_time,
        "duration": duration,
        "seconds": _seconds,
        "counted": counted,
        "became": what_became,
        "labelled": labelled,
        "breakable": _breakable,
    }
    environment.globals |= {"bar_height": _bar_height, "words": _ACTIONS}
    return environment


TEMPLATES = TemplateConfig(instance=JinjaTemplateEngine.from_environment(_environment()))
