"""Hears what the cache's adapter tells, and keeps it."""

import attrs

from application.cache_ports import Poll
from application.observing import Bypass, CacheObserver, Source


@attrs.define(eq=False)
class Heard(CacheObserver):
    """What was told, in order."""

    operations: list[tuple[str, str, float]] = attrs.field(factory=list)
    changes: list[tuple[str, str]] = attrs.field(factory=list)

    def operation_ended(self, operation: str, result: str, seconds: float) -> None:
        self.operations.append((operation, result, seconds))

    def breaker_changed(self, side: str, state: str) -> None:
        self.changes.append((side, state))

    def value_read(self, source: Source, bypass: Bypass | None = None) -> None:
        raise AssertionError("not for the adapter to tell")

    def fill_ended(self, *, stored: bool) -> None:
        raise AssertionError("not for the adapter to tell")

    def entry_undecodable(self) -> None:
        raise AssertionError("not for the adapter to tell")

    def polled(self, poll: Poll) -> None:
        raise AssertionError("not for the adapter to tell")

    def batch_swept(self, keys: int, lag_s: float) -> None:
        raise AssertionError("not for the adapter to tell")

    def gap_found(self, *, is_new_epoch: bool) -> None:
        raise AssertionError("not for the adapter to tell")

    def hit_audited(self, horizon_s: float, *, is_stale: bool) -> None:
        raise AssertionError("not for the adapter to tell")

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(operation, result) for operation, result, _ in self.operations]
