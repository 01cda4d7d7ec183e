"""Where on earth the send time comes next."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time, timedelta

import attrs

from domain.due import due, zone, zone_names


@attrs.frozen
class Morning:
    """An instant at which clocks show the send time in all of these zones."""

    at: datetime
    zones: Sequence[str]


def next_mornings(now: datetime, send_time: time) -> Sequence[Morning]:
    """Return when the send time comes next in every zone that there is, the soonest first."""
    found: dict[datetime, list[str]] = defaultdict(list)
    for name in sorted(zone_names()):
        where = zone(name)
        today = now.astimezone(where).date()
        # Three days: where a place leaves one out, its message is due on the one after.
        instants = (due(today + timedelta(days=ahead), send_time, where).at for ahead in range(3))
        found[min(at for at in instants if at > now)].append(name)
    return [Morning(at, zones) for at, zones in sorted(found.items())]
