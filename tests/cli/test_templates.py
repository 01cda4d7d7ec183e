"""birthdays templates."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import main


def run(arguments: Sequence[str], **environment: str) -> Result:
    return CliRunner().invoke(main, ["templates", *arguments], env=environment, catch_exceptions=False)


def test_what_people_will_read_is_printed() -> None:
    shown = run(["preview", "birthday", "--years", "21"])
    assert shown.exit_code == 0
    assert shown.output == (
        "Subject: Happy birthday, Ada!\n\nDear Ada,\n\nhappy 21st birthday! All the best for the year ahead.\n"
    )


def test_in_another_language_late_and_without_years() -> None:
    arguments = ["preview", "birthday", "--language", "de", "--belated", "--years-unknown"]
    assert "Nachträglich alles Gute zum Geburtstag, Ada!" in run(arguments).output
    in_german = run(["preview", "anniversary", "--years", "2"], BIRTHDAYS_LANGUAGE="de")
    assert "danke für 2 Jahre mit uns" in in_german.output


def test_good_templates_are_said_to_be_good(tmp_path: Path) -> None:
    assert "Languages: de, en." in run(["check"]).output
    assert run(["check", str(tmp_path)]).exit_code == 0


def test_bad_ones_are_told_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "birthday.txt").write_text("Subject: x\n\n{{ name }}", encoding="utf-8")
    (tmp_path / "en" / "greeting.txt").write_text("x", encoding="utf-8")
    for checked in (run(["check", str(tmp_path)]), run(["check"], BIRTHDAYS_TEMPLATES=str(tmp_path))):
        assert checked.exit_code == 1
        assert checked.output.startswith(f"Error: The templates in {tmp_path} cannot be used.\n")
        assert "en/birthday: 'name' is undefined" in checked.output
        assert "en/greeting.txt is no template" in checked.output


@pytest.mark.parametrize(
    "arguments", (["preview", "birthday", "--language", "xx"], ["preview", "birthday", "--html"])
)
def test_what_is_not_there_is_one_sentence(arguments: Sequence[str]) -> None:
    refused = run(arguments)
    assert refused.exit_code == 1
    assert "Error: There " in refused.output
