"""Templates: ours, the operator's, and how mistakes in them are found before anybody is greeted."""

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.delivery.texts import InvalidTemplates, JinjaTexts, english_ordinal
from application.texts import SAMPLE, TextUnwritable, WriteText
from domain.due import SendPolicy
from domain.occasion import Kind
from tests.contract.channel import delivery
from tests.delivery.words import ENGLISH

GOOD = "Subject: Hi {{ first_name }}\n\nDear {{ first_name }}!\n"


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path, default: str = "en") -> list[str]:
    with pytest.raises(InvalidTemplates) as caught:
        JinjaTexts(folder, default)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("number", "text"),
    (
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (101, "101st"),
        (111, "111th"),
        (112, "112th"),
    ),
)
def test_ordinals_are_english(number: int, text: str) -> None:
    assert english_ordinal(number) == text


class TestOurs:
    @pytest.mark.parametrize(
        ("language", "kind", "years", "part"),
        (
            ("en", Kind.BIRTHDAY, 21, "happy 21st birthday!"),
            ("en", Kind.BIRTHDAY, None, "happy birthday!"),
            ("en", Kind.ANNIVERSARY, 1, "for 1 year with us"),
            ("en", Kind.ANNIVERSARY, 2, "for 2 years with us"),
            ("en", Kind.ANNIVERSARY, None, "for another year with us"),
            ("de", Kind.BIRTHDAY, 21, "zum 21. Geburtstag"),
            ("de", Kind.BIRTHDAY, None, "zum Geburtstag"),
            ("de", Kind.ANNIVERSARY, 1, "für 1 Jahr mit uns"),
            ("de", Kind.ANNIVERSARY, 2, "für 2 Jahre mit uns"),
        ),
    )
    def test_years_are_counted_or_left_out(
        self, language: str, kind: Kind, years: int | None, part: str
    ) -> None:
        text = ENGLISH.write(SAMPLE._replace(kind=kind, years=years), language)
        assert part in text.body

    @pytest.mark.parametrize("kind", Kind)
    @pytest.mark.parametrize(("language", "word"), (("en", "belated"), ("de", "Nachträglich")))
    def test_there_is_one_for_a_later_day(self, kind: Kind, language: str, word: str) -> None:
        in_time = SAMPLE._replace(kind=kind)
        late = in_time._replace(is_belated=True)
        assert word not in ENGLISH.write(in_time, language).subject
        assert word in ENGLISH.write(late, language).subject

    @pytest.mark.parametrize(
        ("language", "subject"),
        (
            (None, "Happy birthday, Ada!"),
            ("en", "Happy birthday, Ada!"),
            ("en-GB", "Happy birthday, Ada!"),
            ("de-AT", "Alles Gute zum Geburtstag, Ada!"),
            ("de-AT-1996", "Alles Gute zum Geburtstag, Ada!"),
            ("fr", "Happy birthday, Ada!"),
        ),
    )
    def test_the_nearest_language_is_taken(self, language: str | None, subject: str) -> None:
        assert ENGLISH.write(SAMPLE, language).subject == subject

    def test_the_service_has_a_language_of_its_own(self) -> None:
        assert JinjaTexts(None, "de").write(SAMPLE).subject == "Alles Gute zum Geburtstag, Ada!"

    def test_a_name_is_no_template(self) -> None:
        text = ENGLISH.write(SAMPLE._replace(first_name="{{ 7 * 7 }} {% raw %}"))
        assert text.subject == "Happy birthday, {{ 7 * 7 }} {% raw %}!"


class TestWhenItLeaves:
    @pytest.mark.parametrize(
        ("late", "is_belated"),
        ((timedelta(0), False), (timedelta(hours=14, minutes=59), False), (timedelta(hours=15), True)),
    )
    def test_it_is_belated_once_the_day_is_over(self, late: timedelta, *, is_belated: bool) -> None:
        one = delivery()
        text = WriteText(ENGLISH, SendPolicy(), lambda: one.due_at + late)(one)
        assert ("belated" in text.subject) == is_belated


class TestTheOperatorsOwn:
    def test_they_replace_ours_one_by_one(self, tmp_path: Path) -> None:
        texts = JinjaTexts(write(tmp_path, "en/birthday.txt", GOOD), "en")
        assert texts.write(SAMPLE).subject == "Hi Ada"
        assert texts.write(SAMPLE._replace(kind=Kind.ANNIVERSARY)).subject == "Happy work anniversary, Ada!"
        assert texts.languages == ["de", "en"]

    def test_a_language_of_their_own(self, tmp_path: Path) -> None:
        for kind in ("birthday", "anniversary"):
            write(
                tmp_path,
                f"fr/{kind}.txt",
                "Subject: Bravo\n\n{% if years is defined %}{{ years | ordinal }}{% endif %} !",
            )
        texts = JinjaTexts(tmp_path, "fr")
        assert texts.write(SAMPLE).body == "37 !\n"

    def test_html_beside_the_text_is_escaped(self, tmp_path: Path) -> None:
        write(tmp_path, "en/birthday.txt", GOOD)
        write(tmp_path, "_layout.html", "<html>{% block words %}{% endblock %}</html>")
        write(
            tmp_path,
            "en/birthday.html",
            "{% extends '_layout.html' %}{% block words %}<p>{{ first_name }}</p>{% endblock %}",
        )
        text = JinjaTexts(tmp_path, "en").write(SAMPLE._replace(first_name="<script>"))
        assert text.html == "<html><p>&lt;script&gt;</p></html>"
        assert "<script>" in text.body

    def test_ours_without_html_is_not_mixed_with_theirs(self, tmp_path: Path) -> None:
        [problem] = problems(write(tmp_path, "en/birthday.html", "x"))
        assert problem == "en/birthday.html stands without its text, birthday.txt."

    @pytest.mark.parametrize(
        ("text", "told"),
        (
            ("Subject: x\n\n{{ frist_name }}", "en/birthday: 'frist_name' is undefined (without years)"),
            (
                "Subject: x\n\n{{ years }}",
                "en/birthday: 'years' is undefined (without years)",
            ),
            (
                "Subject: x\n\n{% if years %}x{% endif %}y",
                "en/birthday: 'years' is undefined (without years)",
            ),
            (
                "Subject: x\n\n\n{% if %}",
                "en/birthday.txt, line 4: Expected an expression, got 'end of statement block'",
            ),
            ("Hello\n\nx", "en/birthday: the first line is to be 'Subject: ...' (without years)"),
            ("Subject:\n\nx", "en/birthday: the subject is to have 1 to 400 characters (without years)"),
            ("Subject: x\n", "en/birthday: there is no text after the subject (without years)"),
            ("Subject: x\nDear", "en/birthday: an empty line is to follow the subject (without years)"),
            (
                "Subject: x\n\n{% if belated %}{{ oops }}{% endif %}y",
                "en/birthday: 'oops' is undefined (without years, belated)",
            ),
            (
                "Subject: x\n\n{{ first_name.__class__.__mro__ }}",
                "en/birthday: access to attribute '__class__' of 'str' object is unsafe. (without years)",
            ),
            ("Subject: x\n\n{% include '../../secret' %}", "en/birthday: ../../secret (without years)"),
            ("Subject: x\n\n{% for i in range(10 ** 9) %}{% endfor %}y", "Range too big"),
        ),
    )
    def test_a_mistake_is_told_with_its_place(self, tmp_path: Path, text: str, told: str) -> None:
        [problem] = problems(write(tmp_path, "en/birthday.txt", text))
        assert told in problem

    def test_a_name_that_is_not_escaped_is_found(self, tmp_path: Path) -> None:
        write(tmp_path, "en/birthday.txt", GOOD)
        assert problems(write(tmp_path, "en/birthday.html", "{{ first_name | safe }}")) == [
            "en/birthday.html: the name is written without being escaped."
        ]

    def test_what_would_silently_do_nothing_is_told(self, tmp_path: Path) -> None:
        write(tmp_path, "en/brithday.txt", GOOD)
        write(tmp_path, "birthday.txt", GOOD)
        write(tmp_path, "english/birthday.txt", GOOD)
        write(tmp_path, "README.md", "not theirs")
        write(tmp_path, ".git/HEAD", "")
        write(tmp_path, "fr/birthday.txt", GOOD)
        assert problems(tmp_path) == [
            "birthday.txt stands beside the languages: put it into a folder such as en.",
            "en/brithday.txt is no template: known are anniversary.html, anniversary.txt, birthday.html, birthday.txt.",
            "english is not the tag of a language, such as en or de-AT.",
            "fr/anniversary.txt is missing: a language needs a text for each kind.",
        ]

    def test_what_has_the_name_of_a_template_and_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        """Ours would leave instead, and nobody would know."""
        (tmp_path / "en" / "birthday.txt").mkdir(parents=True)
        (tmp_path / "en" / "anniversary.txt").symlink_to(tmp_path / "gone.txt")
        assert problems(tmp_path) == [
            "en/anniversary.txt is no file, or a link to one that is not there.",
            "en/birthday.txt is no file, or a link to one that is not there.",
        ]

    def test_the_services_language_needs_templates(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "fr") == [
            "There are no templates in the language fr of BIRTHDAYS_LANGUAGE: there are de, en."
        ]

    def test_text_that_is_not_utf8_is_told(self, tmp_path: Path) -> None:
        write(tmp_path, "en/birthday.txt", "")
        (tmp_path / "en" / "birthday.txt").write_bytes(b"Subject: Z\xeb\n\nx")
        [problem] = problems(tmp_path)
        assert problem == "en/birthday: a template is to be in UTF-8."

    def test_what_no_check_can_foresee_fails_one_message_alone(self, tmp_path: Path) -> None:
        odd = "Subject: x\n\n{{ 1 // (first_name | length - 5) }}"
        texts = JinjaTexts(write(tmp_path, "en/birthday.txt", odd), "en")
        with pytest.raises(TextUnwritable):
            texts.write(SAMPLE._replace(first_name="Grace"))
        assert texts.write(SAMPLE).subject == "x"

    def test_what_one_text_sets_is_not_there_for_the_next(self, tmp_path: Path) -> None:
        odd = "Subject: x\n\n{{ range(2) | list }}{{ held is defined }}{% set held = first_name %}{{ held }}"
        texts = JinjaTexts(write(tmp_path, "en/birthday.txt", odd), "en")
        assert [texts.write(SAMPLE._replace(first_name=name)).body for name in ("Ada", "Zoë")] == [
            "[0, 1]FalseAda\n",
            "[0, 1]FalseZoë\n",
        ]
