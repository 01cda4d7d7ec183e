"""The people of a run: when their messages are due, and how they get into the database."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import attrs

from tests.faults.truth import Connection

WAVES = 5
_BACKLOG, _BURST, _LATE = 0.15, 0.4, 0.15
_BURST_AT, _SPREAD_UNTIL = 0.25, 0.75
_NOON = 12
SEND_TIME = "00:05"
"""It is about noon where everybody lives: their messages are due since this morning, and may leave today."""
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_COLUMNS = (
    *("id", "first_name", "last_name", "email", "timezone", "birthday_month", "birthday_day", "version"),
    *("created_at", "updated_at", "birthday_known_at", "anniversary_known_at"),
)
_MOVE = """
    UPDATE messages m SET due_at = d.due_at, expires_at = d.due_at + interval '24 hours'
    FROM unnest($1::uuid[], $2::timestamptz[]) AS d (user_id, due_at)
    WHERE m.user_id = d.user_id AND m.occasion_on = $3 AND m.kind = 'BIRTHDAY'
"""


@attrs.frozen
class Crowd:
    """Everybody has their birthday today.

    Of all messages, some are due before anything runs, many at one instant, some all through the run; and
    some are of people who are there only later, in waves, so that the next process that starts plans them.
    """

    ids: Sequence[uuid.UUID]
    zones: Sequence[str]
    on: date

    @classmethod
    def of(cls, seed: int, size: int, now: datetime) -> "Crowd":
        random = Random(seed)
        ids = [uuid.UUID(int=random.getrandbits(128), version=4) for _ in range(size)]
        hours = [_NOON - now.hour + more for more in range(-3, 4) if -12 <= _NOON - now.hour + more <= 14]
        # The signs of these names are the other way round.
        zones = [f"Etc/GMT{-hour:+d}" if hour else "Etc/GMT" for hour in hours]
        return cls(ids, zones, (now + timedelta(hours=_NOON - now.hour)).date())

    @property
    def planned(self) -> int:
        """How many are there before anything runs."""
        return len(self.ids) - int(len(self.ids) * _LATE)

    def wave(self, number: int) -> tuple[int, int]:
        """Return the first of a wave, and who is the first no more."""
        late = len(self.ids) - self.planned
        return self.planned + late * number // WAVES, self.planned + late * (number + 1) // WAVES

    def occasions(self, first: int = 0, end: int | None = None) -> Sequence[str]:
        """Return the keys that the messages must have, as the README has them."""
        return [f"{self.on}.birthday.{person}" for person in self.ids[first:end]]

    async def add(self, connection: Connection, first: int, end: int) -> None:
        """Put people into the database, as a bulk load does it, unless they are there."""
        if await connection.fetchval("SELECT EXISTS (SELECT FROM users WHERE id = $1)", self.ids[first]):
            return
        await connection.copy_records_to_table(
            "users",
            columns=_COLUMNS,
            records=[
                (
                    *(self.ids[number], "Ada", "Lovelace", f"p{number}@example.com"),
                    *(self.zones[number % len(self.zones)], self.on.month, self.on.day, 1),
                    *(_LONG_AGO, _LONG_AGO, _LONG_AGO, _LONG_AGO),
                )
                for number in range(first, end)
            ],
        )

    async def spread(self, connection: Connection, seed: int, now: datetime, seconds: float) -> None:
        """Move the due instants of what was planned into a run that begins *now*: they are whole minutes else."""
        random = Random(seed)
        backlog, burst = int(len(self.ids) * _BACKLOG), int(len(self.ids) * _BURST)
        order = random.sample(self.ids[: self.planned], self.planned)[backlog:]
        instants = [now + timedelta(seconds=seconds * _BURST_AT)] * burst
        instants += [
            now + timedelta(seconds=random.uniform(0, seconds * _SPREAD_UNTIL)) for _ in order[burst:]
        ]
        await connection.execute(_MOVE, order, instants, self.on)
        await connection.execute("ANALYZE messages")
