"""Messages of which nobody can know whether they arrived."""

from datetime import UTC, datetime

import pytest

from application.deliveries import Delivery, FailedForNow, Outcome, Sent
from domain.message import Status
from tests.use_cases.service import Service

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)


@pytest.mark.parametrize("then", (Status.SENT, Status.UNKNOWN))
async def test_they_are_sent_again_only_where_they_arrive_once(
    service: Service, ada: dict[str, str | None], then: Status
) -> None:
    await service.register_many(3, ada)
    doubted: set[Delivery] = set()

    def answer(delivery: Delivery) -> Outcome:
        if doubted:
            return Sent()
        doubted.add(delivery)
        return FailedForNow("The connection broke.", may_have_arrived=True)

    service.channel.deduplicates = then is Status.SENT
    service.channel.answer = answer
    service.at(NINE)
    await service.send()
    assert (await service.statuses())[Status.SENT] == 2
    service.let_leases_run_out()
    await service.keep()
    service.at(NINE.replace(hour=9))
    await service.send()
    found = await service.statuses()
    assert found == ({Status.SENT: 3} if then is Status.SENT else {Status.SENT: 2, Status.UNKNOWN: 1})
