"""The command that shows the settings as they are in force."""

import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from entrypoints.cli.options import FILE_WIDTH, settings
from entrypoints.secret_settings import SECRETS, masked
from entrypoints.settings import Settings


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g}"


def _yes_or_no(value: object) -> str:
    return "true" if value else "false"


IN_FORCE: Mapping[str, Callable[[Settings], object]] = {
    "BIRTHDAYS_DATA_DIR": lambda s: s.data_dir,
    "BIRTHDAYS_PORT": lambda s: s.port,
    "BIRTHDAYS_HOST": lambda s: s.host,
    "BIRTHDAYS_AUTH": lambda s: "off" if s.is_open else "on",
    "BIRTHDAYS_LIMITS": lambda s: ",".join(f"{name}={number}" for name, number in s.limits.items()),
    "BIRTHDAYS_KEY": lambda _: "",
    "DATABASE_URL": lambda s: s.database_url or "",
    "BIRTHDAYS_REPLICA_URL": lambda s: s.replica_url or "",
    "REDIS_URL": lambda s: s.redis_url or "",
    "REDIS_HOST": lambda _: "",
    "REDIS_PORT": lambda _: "",
    "REDIS_PASSWORD": lambda _: "",
    "REDIS_DB": lambda _: "",
    "BIRTHDAYS_CACHE_AUDITS_PER_S": lambda s: f"{s.audits_per_s:g}",
    "BIRTHDAYS_CHANNEL": lambda s: s.channel,
    "BIRTHDAYS_CHANNEL_CONNECTIONS": lambda s: s.connections,
    "BIRTHDAYS_SENDER": lambda s: s.sender,
    "BIRTHDAYS_SMTP_URL": lambda _: "",
    "BIRTHDAYS_WEBHOOK_URL": lambda _: "",
    "BIRTHDAYS_WEBHOOK_SECRET": lambda _: "",
    "BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE": lambda s: _yes_or_no(s.webhook and s.webhook.allows_private),
    "BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS": lambda s: 24 if s.webhook is None else _hours(s.webhook.remembers),
    "BIRTHDAYS_LANGUAGE": lambda s: s.language,
    "BIRTHDAYS_TEMPLATES": lambda s: s.templates or "",
    "BIRTHDAYS_SEND_TIME": lambda s: f"{s.policy.send_time:%H:%M}",
    "BIRTHDAYS_LEAP_DAY_RULE": lambda s: s.policy.leap_day_rule.value,
    "BIRTHDAYS_WINDOW_HOURS": lambda s: _hours(s.policy.window),
    "BIRTHDAYS_LEASE_S": lambda s: _seconds(s.lease),
    "BIRTHDAYS_UNKNOWN": lambda s: "retry" if s.retries_unknown else "hold",
    "BIRTHDAYS_RATE_PER_S": lambda s: f"{s.rate_per_s or 0:g}",
    "BIRTHDAYS_BURST": lambda s: s.burst,
    "BIRTHDAYS_RETENTION_DAYS": lambda s: s.retention.days,
    "BIRTHDAYS_BRAKE": lambda s: (
        "off" if (brake := s.safety.brake) is None else f"{brake.factor},{brake.least}"
    ),
    "MAIL_ALLOW_DOMAINS": lambda s: ",".join(sorted(s.safety.allowed_domains or ())),
    "BIRTHDAYS_PUBLIC_URL": lambda s: s.safety.public_url or "",
    "BIRTHDAYS_FORGET_DELETED_DAYS": lambda s: (
        0 if s.safety.forget_deleted is None else s.safety.forget_deleted.days
    ),
    "BIRTHDAYS_AUDIT_DAYS": lambda s: s.safety.keep_audit.days,
    "BIRTHDAYS_LOG_FORMAT": lambda s: s.log_format,
    "BIRTHDAYS_DRAIN_S": lambda s: f"{s.drain_s:g}",
}
"""What each setting is once its default is known; a test compares the names with those that are read."""


def _hours(duration: timedelta) -> int:
    return int(duration / timedelta(hours=1))


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_config(*, as_json: bool) -> None:
    """Show every setting, where it comes from, and nothing that is secret."""
    chosen = settings()
    rows = [_row(name, in_force, chosen) for name, in_force in IN_FORCE.items()]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table("Setting", "Value", "From", box=None)
    for row in rows:
        table.add_row(row["name"], row["value"], row["source"])
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


def _row(name: str, in_force: Callable[[Settings], object], chosen: Settings) -> dict[str, Any]:
    file = os.environ.get(f"{name}_FILE", "").strip() if name in SECRETS else ""
    given = os.environ.get(name, "").strip()
    if file:
        return {"name": name, "value": "***", "source": f"{name}_FILE"}
    if given:
        return {"name": name, "value": masked(name, given), "source": "environment"}
    is_from_parts = name == "REDIS_URL" and chosen.redis_url is not None
    return {
        "name": name,
        "value": masked(name, str(in_force(chosen))),
        "source": "REDIS_HOST and the others" if is_from_parts else "default",
    }
