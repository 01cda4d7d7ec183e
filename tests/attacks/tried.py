"""What was tried, by class: every attack is put down where it is tried, and listed in docs/security.md."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest

F = TypeVar("F", bound=Callable[..., Any])

MODULES = ("test_requests", "test_people", "test_browsers", "test_sizes", "test_far_sides", "test_wire")
_TRIED: dict[tuple[str, str], str] = {}
"""By class and name, the file in which it is tried."""


def tried(kind: str, attempts: Mapping[str, Any]) -> Callable[[F], F]:
    """Try each of *attempts*, which are told by their names; the test gets its value as *attempt*."""

    def note(test: F) -> F:
        for name in attempts:
            _note(kind, name, test)
        each: F = pytest.mark.parametrize("attempt", tuple(attempts.values()), ids=tuple(attempts))(test)
        return each

    return note


def tried_once(kind: str, name: str) -> Callable[[F], F]:
    """Try what the whole test is about."""

    def note(test: F) -> F:
        _note(kind, name, test)
        return test

    return note


def _note(kind: str, name: str, test: Callable[..., Any]) -> None:
    file = Path(test.__code__.co_filename).name
    assert _TRIED.setdefault((kind, name), file) == file, name


def everything_tried() -> Mapping[str, Mapping[str, str]]:
    """Return the files by the names of what is tried in them, by class."""
    for module in MODULES:
        import_module(f"tests.attacks.{module}")
    found: dict[str, dict[str, str]] = {}
    for (kind, name), file in sorted(_TRIED.items()):
        found.setdefault(kind, {})[name] = file
    return found


def listed() -> str:
    """Return the list as it stands in the documentation."""
    lines: list[str] = []
    for kind, attempts in everything_tried().items():
        files = ", ".join(f"`{file}`" for file in sorted(set(attempts.values())))
        lines += [f"### {kind} ({len(attempts)})", "", f"Tried in {files}.", "", *map(_row, attempts), ""]
    return "\n".join(lines)


def _row(name: str) -> str:
    return f"- {name}"


def total(kinds: Sequence[Mapping[str, str]]) -> int:
    return sum(map(len, kinds))
