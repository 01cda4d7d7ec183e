"""The service, its console a channel that costs nothing: python -m benchmarks.costless serve, as ``birthdays serve``."""

from collections.abc import Sequence

from adapters.delivery.console import ConsoleChannel
from application.deliveries import Delivery, Outcome, Sent
from entrypoints.cli.main import main


async def _take(_channel: ConsoleChannel, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
    return [Sent()] * len(deliveries)


if __name__ == "__main__":
    setattr(ConsoleChannel, "send_many", _take)  # noqa: B010  # an assignment to a method would not be typed
    main()
