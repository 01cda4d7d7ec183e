"""Events find their way from a commit to whoever asked to hear of them."""

from collections.abc import Sequence

import attrs
import structlog

from application.ports import EventHandler
from domain.events import Event

log = structlog.get_logger()


@attrs.define
class Announcer:
    """The event handler of all units of work; tells each subscriber, and one's failure is not another's."""

    _subscribers: list[EventHandler] = attrs.field(factory=list)

    def subscribe(self, handler: EventHandler) -> None:
        self._subscribers.append(handler)

    async def __call__(self, events: Sequence[Event]) -> None:
        for handler in self._subscribers:
            try:
                await handler(events)
            except Exception:
                log.exception("event_handler_failed")
