"""How a file of ours looks: its size, its name, and what stands in it."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

from tests.architecture.sources import SRC, imported, source_files, tree

NAMES_THAT_SAY_NOTHING = re.compile(r"_*(utils?|common|helpers?|base|services?|managers?)_*")
LINES_MAX = 300


def those_that(are_wrong: Callable[[Path], bool]) -> list[str]:
    """Return the names of such files: a test for each of hundreds would take longer than to look at them."""
    return [str(file.relative_to(SRC)) for file in source_files() if are_wrong(file)]


def test_a_file_can_be_read_in_one_go() -> None:
    assert those_that(lambda file: len(file.read_text(encoding="utf-8").splitlines()) > LINES_MAX) == []


def test_a_name_says_what_is_in_it() -> None:
    def says_nothing(file: Path) -> bool:
        parts = file.relative_to(SRC).with_suffix("").parts
        return any(NAMES_THAT_SAY_NOTHING.fullmatch(part) for part in parts)

    assert those_that(says_nothing) == []


def test_an_import_is_an_import() -> None:
    assert those_that(lambda file: "TYPE_CHECKING" in file.read_text(encoding="utf-8")) == []
    assert those_that(lambda file: any(name.startswith(".") for name in imported(file))) == []


def test_a_package_holds_no_more_than_a_sentence() -> None:
    def holds_more(file: Path) -> bool:
        body = tree(file).body
        return file.name == "__init__.py" and not all(
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body
        )

    assert those_that(holds_more) == []


def test_a_module_begins_with_a_sentence() -> None:
    def does_not(file: Path) -> bool:
        said = ast.get_docstring(tree(file)) or ""
        return file.name != "__init__.py" and not said.split("\n\n")[0].rstrip().endswith(".")

    assert those_that(does_not) == []


def test_no_function_is_longer_than_two_screens() -> None:
    def is_long(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.end_lineno is not None
            and node.end_lineno - node.lineno >= 70
        )

    assert those_that(lambda file: any(map(is_long, ast.walk(tree(file))))) == []


def test_there_are_files() -> None:
    assert len(source_files()) > 100
