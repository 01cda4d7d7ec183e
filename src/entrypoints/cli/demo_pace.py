"""How the clock of the demonstration is to go on: as keys say, and the buttons of its page."""

from datetime import datetime

import attrs

SPEED_MIN, SPEED_MAX = 1.0, 1e8


@attrs.define
class Pace:
    """How the clock is to go on. To step is to go to the next message and stop there, to jump to an instant."""

    speed: float
    is_paused: bool = False
    is_stepping: bool = False
    is_over: bool = False
    jumps_to: datetime | None = None

    def press(self, key: str) -> None:
        match key:
            case " ":
                self.is_paused, self.is_stepping, self.jumps_to = not self.is_paused, False, None
            case "n":
                self.is_paused = self.is_stepping = True
                self.jumps_to = None
            case "+" | "=":
                self.speed = min(self.speed * 2, SPEED_MAX)
            case "-" | "_":
                self.speed = max(self.speed / 2, SPEED_MIN)
            case "q":
                self.is_over = True

    def jump_to(self, instant: datetime) -> None:
        self.is_paused, self.is_stepping, self.jumps_to = True, False, instant

    def stand(self) -> None:
        """Go nowhere until a key says so."""
        self.is_paused, self.is_stepping, self.jumps_to = True, False, None

    def arrive(self) -> None:
        """End a step or a jump."""
        self.is_stepping, self.jumps_to = False, None

    def quit(self) -> None:
        self.is_over = True
