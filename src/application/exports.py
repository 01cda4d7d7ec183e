"""The people as a file that other programs read: CSV, vCards, or a calendar."""

import csv
import io
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Protocol

import attrs
from icalendar import vText
from icalendar.parser import Contentline

from application.calendar_feed import CALENDAR_BEGINS, CALENDAR_ENDS, events_of
from application.people_rows import defused
from application.ports import UserReader
from application.views import Page, UserView
from domain.due import SendPolicy
from domain.user import UserId

_PAGE = 1000
_COLUMNS: Mapping[str, str] = {
    "external_id": "external_id",
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "email",
    "timezone": "timezone",
    "birthday": "birthday",
    "work_anniversary": "anniversary",
    "leap_day_rule": "leap_day_rule",
}
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for the code page of the machine."""


class ExportFormat(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    VCARD = "vcard"
    CALENDAR = "calendar"


ReadPage = Callable[[UserId | None, int], Awaitable[Page[UserView]]]
"""As UserReader.page."""


class ExportSource(Protocol):
    """Where exports are read from."""

    __slots__ = ()

    @abstractmethod
    async def open_pages(self) -> ReadPage:
        """Return what reads the pages of one export; they show all that was committed before this call.

        Raises StoreUnavailable, as do the pages.
        """


@attrs.frozen
class WhereItIsWritten(ExportSource):
    """Exports are read as everything else is."""

    reader: UserReader

    async def open_pages(self) -> ReadPage:
        return self.reader.page


@attrs.frozen
class ExportUsers:
    """Every live person in one file, page by page, so that no more than a page of them is held.

    Who is registered, changed or deleted meanwhile may be in it or not.
    """

    source: ExportSource
    policy: SendPolicy

    async def __call__(self, form: ExportFormat, *, with_years: bool = False) -> AsyncIterator[bytes]:
        """Yield the parts of the file; *with_years* decides whether a calendar tells the years of birth.

        Nothing is yielded before the first page could be read.
        """
        write, begins, ends = self._writer(form, with_years=with_years)
        read_page = await self.source.open_pages()
        after: UserId | None = None
        more = True
        while more:
            page = await read_page(after, _PAGE)
            yield begins + write(page.items)
            begins, more = b"", page.more
            after = UserId(page.items[-1].id) if page.items else None
        yield ends

    def _writer(
        self, form: ExportFormat, *, with_years: bool
    ) -> tuple[Callable[[Sequence[UserView]], bytes], bytes, bytes]:
        if form is ExportFormat.CSV:
            return _csv_rows, _csv_header(), b""
        if form is ExportFormat.VCARD:
            return _vcards, b"", b""
        write = partial(events_of, rule=self.policy.leap_day_rule, with_years=with_years)
        return write, CALENDAR_BEGINS, CALENDAR_ENDS


def _csv_header() -> bytes:
    return _BYTE_ORDER_MARK.encode() + _csv([list(_COLUMNS)])


def _csv_rows(users: Sequence[UserView]) -> bytes:
    return _csv([[defused(getattr(user, field) or "") for field in _COLUMNS.values()] for user in users])


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


def _vcards(users: Sequence[UserView]) -> bytes:
    return b"".join(_folded(line) for user in users for line in _vcard_lines(user))


def _vcard_lines(user: UserView) -> Iterator[str]:
    first, last = _escaped(user.first_name), _escaped(user.last_name)
    yield "BEGIN:VCARD"
    yield "VERSION:4.0"
    yield f"UID:urn:uuid:{user.id}"
    yield f"FN:{first} {last}"
    yield f"N:{last};{first};;;"
    yield f"EMAIL:{_escaped(user.email)}"
    yield f"TZ:{user.timezone}"
    if user.birthday is not None:
        yield f"BDAY:{_basic(user.birthday)}"
    if user.anniversary is not None:
        yield f"X-WORK-ANNIVERSARY:{_basic(user.anniversary)}"
    yield f"REV:{user.updated_at:%Y%m%dT%H%M%SZ}"
    yield "END:VCARD"


def _basic(day: str) -> str:
    """Write 1990-02-28 as 19900228 and --02-28 as --0228: vCard 4.0 knows no other."""
    return f"--{day[2:].replace('-', '')}" if day.startswith("--") else day.replace("-", "")


def _escaped(text: str) -> str:
    return vText(text).to_ical().decode()


def _folded(line: str) -> bytes:
    folded: bytes = Contentline(line).to_ical()  # type: ignore[no-untyped-call]  # typed but for this class
    return folded + b"\r\n"
