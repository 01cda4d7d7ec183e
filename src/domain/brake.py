"""When so many messages are due that somebody should look at it before they leave."""

from datetime import timedelta

import attrs


@attrs.frozen
class Brake:
    """How many messages may be due within an hour: *factor* times the busiest hour of late, and *least* always."""

    factor: int = 5
    least: int = 200
    looks_back: timedelta = timedelta(days=30)

    def allowed(self, busiest: int) -> int:
        """Return how many may be due within an hour; *busiest* is how many were, or were confirmed, before."""
        return max(self.least, self.factor * busiest)
