"""What the container makes of the settings of the channels."""

import base64
from datetime import UTC, datetime

import pytest
from dependency_injector import providers

from adapters.clock import MovableClock
from entrypoints.container.families import PostgresAdapters
from entrypoints.container.opening import MovedClockRefused, refuse_moved_clock
from entrypoints.settings import Settings
from tests.contract.channel import delivery

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
SMTP = {
    "BIRTHDAYS_CHANNEL": "smtp",
    "BIRTHDAYS_SENDER": "hr@example.com",
    "BIRTHDAYS_SMTP_URL": "smtp://localhost",
}
WEBHOOK = {
    "BIRTHDAYS_CHANNEL": "webhook",
    "BIRTHDAYS_WEBHOOK_URL": "https://hooks.example.com",
    "BIRTHDAYS_WEBHOOK_SECRET": SECRET,
}
NOW = datetime(2027, 3, 14, 9, tzinfo=UTC)


def adapters(values: dict[str, str], **more: str) -> PostgresAdapters:
    return PostgresAdapters(settings=Settings.from_environment({**values, **more}), database_url="")


@pytest.mark.parametrize("values", (SMTP, WEBHOOK))
async def test_a_channel_that_reaches_people_refuses_a_clock_that_was_moved(values: dict[str, str]) -> None:
    channel = adapters(values).channel()
    assert channel.name == values["BIRTHDAYS_CHANNEL"]
    refuse_moved_clock(None, channel)
    with pytest.raises(MovedClockRefused):
        refuse_moved_clock(NOW, channel)
    await channel.close()


@pytest.mark.parametrize(
    ("window_h", "remembers_h", "deduplicates"),
    (("24", "24", True), ("24", "23", False), ("48", "24", False), ("1", "0", False)),
)
async def test_a_receiver_has_to_remember_keys_for_as_long_as_messages_are_tried(
    window_h: str, remembers_h: str, *, deduplicates: bool
) -> None:
    told = {"BIRTHDAYS_WINDOW_HOURS": window_h, "BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS": remembers_h}
    channel = adapters(WEBHOOK, **told).channel()
    assert channel.deduplicates is deduplicates
    await channel.close()


async def test_texts_go_by_the_clock_that_is_in_force_when_they_are_written() -> None:
    family = adapters({})
    family.channel()  # made before the clock is moved, as at a start
    one = delivery(due_at=NOW)
    family.clock.override(providers.Object(MovableClock(NOW, speed=0)))
    assert "belated" not in family.write()(one).subject
    family.clock.override(providers.Object(MovableClock(NOW.replace(day=20), speed=0)))
    assert "belated" in family.write()(one).subject
