"""The composition root: the only place that names adapters and wires them to the use cases."""

from entrypoints.container.families import MemoryAdapters, PostgresAdapters, open_clock, open_texts
from entrypoints.container.opening import (
    FORESEEN,
    DatabaseUnreachable,
    Job,
    MovedClockRefused,
    OpenService,
    opened_service,
    refuse_moved_clock,
)
from entrypoints.container.service import Service

__all__ = (
    "FORESEEN",
    "DatabaseUnreachable",
    "Job",
    "MemoryAdapters",
    "MovedClockRefused",
    "OpenService",
    "PostgresAdapters",
    "Service",
    "open_clock",
    "open_texts",
    "opened_service",
    "refuse_moved_clock",
)
