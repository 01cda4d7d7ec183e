"""The command line as a whole: every command that it lists can be loaded, and tells what it does."""

import click
import pytest
from click.testing import CliRunner

from entrypoints.cli.main import main

COMMANDS = main.list_commands(click.Context(main))


def test_the_whole_tells_of_every_command() -> None:
    told = CliRunner().invoke(main, ["--help"])
    assert told.exit_code == 0
    lines = [line.split() for line in told.stdout.splitlines()]
    assert {line[0] for line in lines if line} >= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help(name: str) -> None:
    told = CliRunner().invoke(main, [name, "--help"], catch_exceptions=False)
    assert told.exit_code == 0
    assert told.stdout.startswith(f"Usage: main {name} [OPTIONS]")
    assert len(told.stdout.splitlines()) > 2
