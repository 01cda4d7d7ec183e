"""The commands about the texts of messages."""

from pathlib import Path

import attrs
import click

from application.texts import YEARS_SHOWN, PreviewText
from domain.occasion import Kind
from entrypoints.cli.options import one_sentence, settings
from entrypoints.container.families import open_texts
from entrypoints.container.opening import FORESEEN

_YEARS_MAX = 150


@click.group("templates")
def templates() -> None:
    """Check the templates of the messages, and look at what people will read."""


@templates.command("check")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@one_sentence(*FORESEEN)
def check(folder: Path | None) -> None:
    """Fill in every template for many people, and tell what is wrong.

    FOLDER is that of BIRTHDAYS_TEMPLATES if none is given. 'serve' does the same at its start.
    """
    chosen = settings()
    texts = open_texts(chosen if folder is None else attrs.evolve(chosen, templates=folder))
    click.echo(f"The templates can be used. Languages: {', '.join(texts.languages)}.")


@templates.command("preview")
@click.argument("kind", type=click.Choice([kind.lower() for kind in Kind]))
@click.option("--language", help="The tag of a language, such as de.  [default: as BIRTHDAYS_LANGUAGE says]")
@click.option("--years", type=click.IntRange(1, _YEARS_MAX), default=YEARS_SHOWN, show_default=True)
@click.option("--years-unknown", is_flag=True, help="As for a birthday whose year is not known.")
@click.option("--belated", is_flag=True, help="As on a later day.")
@click.option("--html", "as_html", is_flag=True, help="Print the HTML instead of the text.")
@one_sentence(*FORESEEN)
def preview(
    kind: str, language: str | None, years: int, *, years_unknown: bool, belated: bool, as_html: bool
) -> None:
    """Show what Ada Lovelace would read."""
    text = PreviewText(open_texts(settings()))(
        Kind(kind.upper()),
        years=None if years_unknown else years,
        is_belated=belated,
        language=language,
    )
    if not as_html:
        click.echo(f"Subject: {text.subject}\n\n{text.body}", nl=False)
    elif text.html is None:
        raise click.ClickException("There is no HTML template for this.")
    else:
        click.echo(text.html)
