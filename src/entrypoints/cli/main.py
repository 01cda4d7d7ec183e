"""The command line ``birthdays``."""

from importlib import import_module

import click

_COMMANDS = {
    "serve": "serve:serve",
    "demo": "demo:demo",
    "migrate": "plan:migrate_schema",
    "import": "people:import_people",
    "undo": "people:undo_import",
    "export": "exports:export_people",
    "simulate": "people:simulate_people",
    "upcoming": "plan:show_upcoming",
    "plan": "plan:plan_range",
    "keys": "keys:keys",
    "feeds": "feeds:feeds",
    "login": "keys:login",
    "audit": "audit:show_audit",
    "templates": "templates:templates",
    "doctor": "doctor:doctor",
    "explain": "explain:explain",
    "messages": "messages:list_messages",
    "retry": "messages:retry",
    "cancel": "messages:cancel",
    "mark-sent": "messages:mark_sent",
    "test-send": "messages:send_test",
    "config": "config:show_config",
    "completion": "completion:print_completion",
}


class _Commands(click.Group):
    """Loads a command's module when it is called: most of the start is imports, and no command needs all."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # same
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"entrypoints.cli.{module}"), name)
        return command


_EPILOG = """
Exit codes: 0 done, 1 failed, 2 called the wrong way, 3 done but some rows were left out.

Settings are environment variables: BIRTHDAYS_DATA_DIR, BIRTHDAYS_PORT, BIRTHDAYS_HOST, BIRTHDAYS_AUTH,
BIRTHDAYS_LIMITS, DATABASE_URL, BIRTHDAYS_REPLICA_URL, REDIS_URL or REDIS_HOST, REDIS_PORT, REDIS_PASSWORD and
REDIS_DB, BIRTHDAYS_CACHE_AUDITS_PER_S, BIRTHDAYS_CHANNEL, BIRTHDAYS_CHANNEL_CONNECTIONS, BIRTHDAYS_SENDER,
BIRTHDAYS_SMTP_URL, BIRTHDAYS_WEBHOOK_URL, BIRTHDAYS_WEBHOOK_SECRET, BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE,
BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS, BIRTHDAYS_LANGUAGE, BIRTHDAYS_TEMPLATES, BIRTHDAYS_SEND_TIME,
BIRTHDAYS_LEAP_DAY_RULE, BIRTHDAYS_WINDOW_HOURS,
BIRTHDAYS_LEASE_S, BIRTHDAYS_UNKNOWN, BIRTHDAYS_RATE_PER_S, BIRTHDAYS_BURST, BIRTHDAYS_RETENTION_DAYS,
BIRTHDAYS_BRAKE, MAIL_ALLOW_DOMAINS, BIRTHDAYS_PUBLIC_URL, BIRTHDAYS_FORGET_DELETED_DAYS, BIRTHDAYS_AUDIT_DAYS,
BIRTHDAYS_LOG_FORMAT, BIRTHDAYS_DRAIN_S, and BIRTHDAYS_KEY for the commands that ask a service. What holds a secret may
be a file instead, as DATABASE_URL_FILE. 'birthdays config' shows what is in force, and the README explains each.
"""


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="birthdays")
def main() -> None:
    """Sends every person a birthday and a work-anniversary message at nine in the morning where they live."""
