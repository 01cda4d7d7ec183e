"""What the pages name is there: files, headings, commands, options, targets, settings, operations."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from entrypoints.cli.main import main
from tests.architecture.pages import anchors, codes, links, name_of, pages, text_of
from tests.architecture.sources import PROJECT
from tests.http.document import operations

GUIDE = PROJECT / "docs" / "README.md"
README = PROJECT / "README.md"


def on_every_page(find: Callable[[Path], Iterator[str]]) -> Iterator[tuple[Path, str]]:
    """Yield what is found, and where: a test for each page would take longer than to look."""
    for page in pages():
        for one in find(page):
            yield page, one


def test_every_link_leads_somewhere() -> None:
    for page, link in on_every_page(links):
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


def test_commands_that_are_named_exist_with_their_options() -> None:
    for page, code in on_every_page(codes):
        if not re.match(r"(\.venv/bin/)?birthdays [a-z]", code):
            continue
        command, words = command_of(shlex.split(code)[1:])
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, f"{name_of(page)}: {code}"


def test_targets_of_make_that_are_named_exist() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for page, code in on_every_page(codes):
        if re.match(r"make [a-z]", code):
            assert code.split()[1] in targets, f"{name_of(page)}: {code}"


def test_settings_that_are_named_are_those_of_the_readme() -> None:
    told = set(re.findall(r"`(BIRTHDAYS_[A-Z_]+[A-Z])`", text_of(README)))
    for page, code in on_every_page(codes):
        for name in re.findall(r"^BIRTHDAYS_[A-Z_]+[A-Z]", code):
            assert name.removesuffix("_FILE") in told, f"{name_of(page)}: {name}"


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
