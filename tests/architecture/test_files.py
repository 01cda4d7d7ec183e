"""How a file of ours looks: its size, its name, and what stands in it."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import SRC, imported, module_name, source_files, tree

NAMES_THAT_SAY_NOTHING = re.compile(r"_*(utils?|common|helpers?|base|services?|managers?)_*")
LINES_MAX = 300

every_file = pytest.mark.parametrize("file", source_files(), ids=lambda file: str(file.relative_to(SRC)))


@every_file
def test_a_file_can_be_read_in_one_go(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@every_file
def test_a_name_says_what_is_in_it(file: Path) -> None:
    for part in file.relative_to(SRC).with_suffix("").parts:
        assert not NAMES_THAT_SAY_NOTHING.fullmatch(part)


@every_file
def test_an_import_is_an_import(file: Path) -> None:
    assert "TYPE_CHECKING" not in file.read_text(encoding="utf-8")
    assert not [name for name in imported(file) if name.startswith(".")]


@every_file
def test_a_module_begins_with_a_sentence_and_a_package_holds_no_more(file: Path) -> None:
    body = tree(file).body
    if file.name == "__init__.py":
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)
    else:
        said = ast.get_docstring(tree(file))
        assert said, f"{module_name(file)} does not say what it is"
        assert said.split("\n\n")[0].rstrip().endswith("."), "the first line is a sentence"


@every_file
def test_no_function_is_longer_than_two_screens(file: Path) -> None:
    long = [
        node.name
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= 70
    ]
    assert not long
