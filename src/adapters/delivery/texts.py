"""Templates in Jinja, ours and the operator's, checked when they are loaded."""

import re
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import attrs
from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from application.texts import SAMPLE, Greeting, Text, Texts, TextUnwritable
from domain.occasion import Kind

OURS = Path(__file__).with_name("templates")

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_SUBJECT = "Subject:"
_SUBJECT_LENGTH_MAX = 400  # a first name has up to 200
_FILES = {f"{kind.lower()}.{ending}": kind for kind in Kind for ending in ("txt", "html")}
_ELEVENTH, _THIRTEENTH = 11, 13

_MARKUP = "<b>Zoë</b> & 李"
_LINK = "https://birthdays.example.com/unsubscribe/token"
_SAMPLES = [
    SAMPLE._replace(
        first_name=first_name,
        years=years,
        is_belated=is_belated,
        unsubscribe_url=_LINK if is_belated else None,
    )
    for first_name, years, is_belated in product(
        (SAMPLE.first_name, _MARKUP), (None, 1, 2, 11, 21, 30, 100), (False, True)
    )
]


class InvalidTemplates(Exception):
    """Templates that cannot be used, each with what is wrong."""

    def __init__(self, problems: Sequence[str], folder: Path | None = None) -> None:
        where = "" if folder is None else f" in {folder}"
        super().__init__(f"The templates{where} cannot be used.\n" + "\n".join(problems))
        self.problems = problems


@attrs.frozen
class _Pair:
    text: Template
    html: Template | None


class JinjaTexts(Texts):
    """``<language>/birthday.txt`` and ``anniversary.txt``, each with an optional ``.html`` beside it.

    A text begins with ``Subject: ...`` and an empty line. What the operator's folder does not hold is ours;
    its files whose names begin with an underscore are parts that others include.
    """

    __slots__ = ("_default", "_pairs")

    def __init__(self, folder: Path | None, default: str) -> None:
        """Load and check all; raises InvalidTemplates. *default* is the service's own language."""
        folders = [OURS] if folder is None else [folder, OURS]
        self._default = default
        self._pairs: dict[tuple[str, Kind], _Pair] = {}
        problems = [] if folder is None else list(_strange_files(folder))
        environment = _environment(folders)
        for language, kind in product(_languages(folders), Kind):
            problems += self._load(environment, folders, language, kind)
        if default not in self.languages:
            problems.append(
                f"There are no templates in the language {default} of BIRTHDAYS_LANGUAGE: "
                f"there are {', '.join(self.languages)}."
            )
        if problems:
            raise InvalidTemplates(problems, folder)

    @property
    def languages(self) -> Sequence[str]:
        return sorted({language for language, _ in self._pairs})

    def write(self, greeting: Greeting, language: str | None = None) -> Text:
        nearest = self._nearest(language)
        try:
            return _filled(self._pairs[nearest, greeting.kind], greeting, nearest)
        except Exception as error:  # what a template may raise is anything
            raise TextUnwritable from error

    def _nearest(self, language: str | None) -> str:
        tag = language or self._default
        while tag:
            if (tag, Kind.BIRTHDAY) in self._pairs:
                return tag
            tag = tag.rpartition("-")[0]
        return self._default

    def _load(
        self, environment: "_Environment", folders: Sequence[Path], language: str, kind: Kind
    ) -> Iterator[str]:
        """Add the templates for one language and kind; yield what is wrong with them."""
        name = f"{language}/{kind.lower()}"
        # The first folder that has the text has the HTML as well, or there is none: two that differ confuse.
        home = next((folder for folder in folders if (folder / f"{name}.txt").is_file()), None)
        if home is None:
            yield f"{name}.txt is missing: a language needs a text for each kind."
            return
        try:
            pair = _Pair(
                environment.get_template(f"{name}.txt"),
                environment.get_template(f"{name}.html") if (home / f"{name}.html").is_file() else None,
            )
        except TemplateSyntaxError as error:
            yield f"{error.name or name}, line {error.lineno}: {error.message}"
            return
        except UnicodeDecodeError:
            yield f"{name}: a template is to be in UTF-8."
            return
        except (TemplateError, OSError) as error:
            yield f"{name}: {_told(error)}"
            return
        self._pairs[language, kind] = pair
        yield from sorted(set(_misfits(pair, name, language, kind)))


class _Environment(ImmutableSandboxedEnvironment):
    """Each template's globals are one dictionary: a chain, which is Jinja's way, is copied slowly for each text."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}


def _environment(folders: Sequence[Path]) -> _Environment:
    environment = _Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["ordinal"] = _ordinal
    return environment


def _languages(folders: Sequence[Path]) -> Sequence[str]:
    found = {
        entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir() and _counts(entry)
    }
    return sorted(language for language in found if _LANGUAGE.fullmatch(language))


def _strange_files(folder: Path) -> Iterator[str]:
    """Yield what would silently do nothing: misspelt names, and HTML without its text."""
    if not folder.is_dir():
        raise InvalidTemplates(["There is no such folder."], folder)
    for entry in sorted(folder.iterdir()):
        if not _counts(entry):
            continue
        if not entry.is_dir():
            if entry.suffix in {".txt", ".html"}:
                yield f"{entry.name} stands beside the languages: put it into a folder such as en."
        elif not _LANGUAGE.fullmatch(entry.name):
            yield f"{entry.name} is not the tag of a language, such as en or de-AT."
        else:
            for file in sorted(filter(_counts, entry.iterdir())):
                yield from _strange_file(file)


def _strange_file(file: Path) -> Iterator[str]:
    name = f"{file.parent.name}/{file.name}"
    if file.name not in _FILES:
        yield f"{name} is no template: known are {', '.join(sorted(_FILES))}."
    elif not file.is_file():
        yield f"{name} is no file, or a link to one that is not there."
    elif file.suffix == ".html" and not file.with_suffix(".txt").is_file():
        yield f"{name} stands without its text, {file.with_suffix('.txt').name}."


def _counts(entry: Path) -> bool:
    return not entry.name.startswith(("_", "."))


def _misfits(pair: _Pair, name: str, language: str, kind: Kind) -> Iterator[str]:
    """Fill the templates in for many people, and yield what goes wrong."""
    for sample in _SAMPLES:
        try:
            text = _filled(pair, sample._replace(kind=kind), language)
        except Exception as error:  # noqa: BLE001  # what a template may raise is anything
            with_years = "without years" if sample.years is None else f"with years = {sample.years}"
            yield f"{name}: {_told(error)} ({with_years}{', belated' if sample.is_belated else ''})"
            return
        if text.html is not None and sample.first_name == _MARKUP and _MARKUP in text.html:
            yield f"{name}.html: the name is written without being escaped."


def _filled(pair: _Pair, greeting: Greeting, language: str) -> Text:
    words: dict[str, Any] = {
        "language": language,
        "first_name": greeting.first_name,
        "last_name": greeting.last_name,
        "belated": greeting.is_belated,
    }
    # Absent where they are not known: a template that forgets to ask is found out by the check.
    if greeting.years is not None:
        words["years"] = greeting.years
    if greeting.unsubscribe_url is not None:
        words["unsubscribe_url"] = greeting.unsubscribe_url
    head, _, body = pair.text.render(words).lstrip("\ufeff\n").partition("\n")
    if not head.startswith(_SUBJECT):
        raise ValueError(f"the first line is to be '{_SUBJECT} ...'")
    subject = " ".join(head.removeprefix(_SUBJECT).split())
    if not subject or len(subject) > _SUBJECT_LENGTH_MAX:
        raise ValueError(f"the subject is to have 1 to {_SUBJECT_LENGTH_MAX} characters")
    if body[:1] not in {"", "\n"}:
        raise ValueError("an empty line is to follow the subject")
    if not body.strip():
        raise ValueError("there is no text after the subject")
    html = None if pair.html is None else pair.html.render(words)
    return Text(subject, body.strip("\n") + "\n", html, greeting.unsubscribe_url)


def _told(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@pass_context
def _ordinal(context: Context, number: int) -> str:
    """Return the number as the template's language counts: 21st, 21.; the bare number where we do not know."""
    match str(context.get("language", "")).partition("-")[0]:
        case "en":
            return english_ordinal(number)
        case "de" | "cs" | "da" | "et" | "fi" | "hu" | "is" | "no" | "nb" | "pl" | "sk" | "sl":
            return f"{number}."
        case _:
            return str(number)


def english_ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st ..."""
    if _ELEVENTH <= number % 100 <= _THIRTEENTH:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
