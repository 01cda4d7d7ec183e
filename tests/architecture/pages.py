"""The project's pages in Markdown: their headings, links and commands."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs

from tests.architecture.sources import PROJECT

_BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@attrs.frozen
class Block:
    """A block of code: in which language, marked how, and what is in it."""

    language: str
    mark: str
    text: str

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]


def pages() -> list[Path]:
    """Return every page that is written by hand, the README first."""
    top = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((PROJECT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    for found in _BLOCK.finditer(text_of(page)):
        language, _, mark = found["info"].partition(" ")
        yield Block(language, mark, found["text"])


def prose(page: Path) -> str:
    """Return the page without its blocks."""
    return _BLOCK.sub("", text_of(page))


def codes(page: Path) -> Iterator[str]:
    """Yield what stands between backquotes in running text and tables."""
    yield from _CODE.findall(prose(page))


def links(page: Path) -> Iterator[str]:
    """Yield the links that stay within the project."""
    for link in _LINK.findall(_CODE.sub("", prose(page))):
        if not re.match(r"[a-z]+:", link):
            yield link


def anchors(page: Path) -> set[str]:
    """Return where a link into the page can lead, as GitHub and GitLab name it."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (name := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(name)
    return found
