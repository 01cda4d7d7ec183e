"""What the pages name is there: files, headings, commands, options, targets, settings, operations."""

import re
import shlex
from pathlib import Path

import click
import pytest

from entrypoints.cli.main import main
from tests.architecture.pages import anchors, codes, links, name_of, pages, text_of
from tests.architecture.sources import PROJECT
from tests.http.document import operations

every_page = pytest.mark.parametrize("page", pages(), ids=name_of)
GUIDE = PROJECT / "docs" / "README.md"
README = PROJECT / "README.md"


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)}: {link}"
        assert target.is_relative_to(PROJECT), f"{name_of(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{name_of(page)}: {link}"


def test_the_guide_leads_to_every_page() -> None:
    listed = {(GUIDE.parent / link.partition("#")[0]).resolve() for link in links(GUIDE)}
    assert listed >= {page for page in (PROJECT / "docs").glob("*.md") if page != GUIDE}


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that *words* call, and the words that are left for it."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"There is no command {words[0]}."
        command, words = found, words[1:]
    return command, words


@every_page
def test_commands_that_are_named_exist_with_their_options(page: Path) -> None:
    for code in codes(page):
        if not re.match(r"(\.venv/bin/)?birthdays [a-z]", code):
            continue
        command, words = command_of(shlex.split(code)[1:])
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, f"{name_of(page)}: {code}"


@every_page
def test_targets_of_make_that_are_named_exist(page: Path) -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {code.split()[1] for code in codes(page) if re.match(r"make [a-z]", code)}
    assert named <= targets


@every_page
def test_settings_that_are_named_are_those_of_the_readme(page: Path) -> None:
    told = set(re.findall(r"`(BIRTHDAYS_[A-Z_]+[A-Z])`", text_of(README)))
    named = {found for code in codes(page) for found in re.findall(r"^BIRTHDAYS_[A-Z_]+[A-Z]", code)}
    assert {name.removesuffix("_FILE") for name in named} <= told


def test_the_readme_lists_every_command() -> None:
    [rows] = re.findall(r"^\| command \| does \|\n(.*?)\n\n", text_of(README), re.MULTILINE | re.DOTALL)
    listed = set(re.findall(r"`([a-z-]+)[^`]*`", "\n".join(row.split("|")[1] for row in rows.splitlines())))
    assert listed >= set(main.list_commands(click.Context(main)))


def test_the_tour_of_the_api_lists_every_operation_with_its_scope() -> None:
    listed = re.findall(
        r"^\| `([A-Z]+ /[^`]*)` \| [^|]+ \| (?:`([a-z:]+)`)? ?\|$",
        text_of(GUIDE.parent / "api.md"),
        re.MULTILINE,
    )
    scopes = {str(one): one.told.get("security") for one in operations()}
    assert dict(listed) == {name: told[0]["key"][0] if told else "" for name, told in scopes.items()}
    assert len(listed) == len(scopes)
