"""Whose branches the fuzzer looks at, by target: it has to know before the target is imported."""

from collections.abc import Mapping

SEEN_THROUGH: Mapping[str, tuple[str, ...]] = {
    "files": ("application", "domain", "icalendar.parser"),
    "dates": ("domain",),
    "addresses": ("domain",),
    "bodies": ("entrypoints.http.requests",),
    "leap_days": ("domain.occasion",),
}
