"""Every line that can be logged is listed in docs/events.md, with its level, its place and its keys."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.architecture.sources import PROJECT, module_name, source_files, tree

LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
ROW = re.compile(
    r"\| `(?P<name>\w+)` \| (?P<level>\w+) \| `(?P<where>[\w.]+)` \| (?P<keys>[^|]*) \| [^|]+ \|"
)


@attrs.frozen(order=True)
class Line:
    """What is logged somewhere, but for the values."""

    name: str
    level: str
    where: str
    keys: tuple[str, ...]


def logged(file: Path) -> Iterator[Line]:
    """Yield what *file* logs; its logger is called ``log`` and the event is a constant."""
    for node in ast.walk(tree(file)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        level = node.func.attr
        if level not in LEVELS:
            continue
        if ast.unparse(node.func.value).rpartition(".")[2] not in {"log", "logger", "_log"}:
            continue
        event = node.args[0] if node.args else None
        assert isinstance(event, ast.Constant), f"{file.name}:{node.lineno}: the event is no constant"
        keys = tuple(sorted(keyword.arg or "**" for keyword in node.keywords))
        yield Line(str(event.value), level, module_name(file), keys)


def listed() -> list[Line]:
    text = (PROJECT / "docs" / "events.md").read_text(encoding="utf-8")
    return [
        Line(row["name"], row["level"], row["where"], tuple(sorted(re.findall(r"`(\w+|\*\*)`", row["keys"]))))
        for row in ROW.finditer(text)
    ]


def test_every_line_is_listed_and_nothing_else() -> None:
    found = {line for file in source_files() for line in logged(file)}
    assert sorted(found) == listed(), "docs/events.md, in the order of the names"


def test_an_event_is_a_fact_in_the_past() -> None:
    """By their endings; the ones that the language forms otherwise are named."""
    others = {
        "available",
        "empty",
        "forgotten",
        "found",
        "up",
        "kept",
        "lost",
        "off",
        "out",
        "sent",
        "unavailable",
        "unwritable",
    }
    for name in {line.name for line in listed()}:
        last = name.rpartition("_")[2]
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name)
        assert last.endswith("ed") or last in others, name


def test_nobody_prints_what_is_an_event() -> None:
    """The command line speaks to people; everybody else logs."""
    for file in source_files():
        if "entrypoints" in file.parts or file.name == "console.py":
            continue
        calls = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], (
            file
        )
