"""Instants as the driver sends them, each of which is made once."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts microseconds from here."""


def read_once(engine: AsyncEngine) -> None:
    """Make each instant once, however many rows have it: those of a claim have one or two among them."""

    @event.listens_for(engine.sync_engine, "connect")
    def set_codec(connection: Any, _record: Any) -> None:
        connection.run_async(
            lambda driver: driver.set_type_codec(
                "timestamptz", schema="pg_catalog", encoder=_written, decoder=_read, format="tuple"
            )
        )


@lru_cache(maxsize=1024)
def _read(sent: tuple[int]) -> datetime:
    return _EPOCH + timedelta(microseconds=sent[0])


def _written(instant: datetime) -> tuple[int]:
    return ((instant - _EPOCH) // timedelta(microseconds=1),)
