"""The command that lets a shell complete the others."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_BIRTHDAYS_COMPLETE"
_HELP = {
    "bash": 'add  eval "$(birthdays completion bash)"  to ~/.bashrc',
    "zsh": 'add  eval "$(birthdays completion zsh)"  to ~/.zshrc, after compinit',
    "fish": "birthdays completion fish > ~/.config/fish/completions/birthdays.fish",
}


@click.command("completion", epilog="\n\n".join(f"{shell}: {text}" for shell, text in _HELP.items()))
@click.argument("shell", type=click.Choice(list(_HELP)))
@click.pass_context
def print_completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete the commands and options of 'birthdays'."""
    found = get_completion_class(shell)
    if found is None:  # click knows all of them
        raise click.ClickException("This shell is not known.")
    click.echo(found(context.find_root().command, {}, "birthdays", _VARIABLE).source())
