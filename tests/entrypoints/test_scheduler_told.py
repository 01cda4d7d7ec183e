"""What the scheduler tells of a thousand messages: numbers for each batch, and nothing of anybody."""

import asyncio
import json
from datetime import timedelta

from structlog.testing import capture_logs

from application.deliveries import Delivery, Outcome, Sent
from application.scheduler_observing import SchedulerObserver
from domain.message import Status
from domain.occasion import Kind
from tests.contract.adapters import START
from tests.entrypoints.test_scheduler_clock import scheduler_of
from tests.use_cases.service import Service

PEOPLE = 1000


class Heard(SchedulerObserver):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.accepted: dict[tuple[Kind, float], int] = {}
        self.settled: dict[Status, int] = {}
        self.lost = 0

    def messages_accepted(self, accepted: object) -> None:
        assert isinstance(accepted, dict)
        for key, number in accepted.items():
            self.accepted[key] = self.accepted.get(key, 0) + number

    def batch_settled(self, settled: object, lost: int) -> None:
        assert isinstance(settled, dict)
        for status, number in settled.items():
            self.settled[status] = self.settled.get(status, 0) + number
        self.lost += lost


async def test_a_thousand_messages_are_a_line_for_each_batch() -> None:
    service = Service()
    rows = [f"Canary,Sparrow,canary{number}@birds.example,Europe/Berlin,--03-14" for number in range(PEOPLE)]
    report = await service.import_csv("\n".join(["first_name,last_name,email,timezone,birthday", *rows]))
    assert report.created == PEOPLE
    service.clock.move_to(START + timedelta(hours=20, minutes=5))
    heard = Heard()
    scheduler = scheduler_of(service, heard)
    with capture_logs() as lines:
        await scheduler._drain(asyncio.Event())
    assert (heard.settled, heard.lost) == ({Status.SENT: PEOPLE}, 0)
    assert sum(heard.accepted.values()) == PEOPLE
    assert {kind for kind, _ in heard.accepted} == {Kind.BIRTHDAY}
    assert all(late_s > 0 for _, late_s in heard.accepted)
    assert 0 < len(lines) <= PEOPLE / service.channel.batch_size + 1
    told = json.dumps(lines, default=str).lower()
    assert not [word for word in ("canary", "sparrow", "birds.example", "03-14") if word in told]


async def test_outcomes_that_come_after_their_lease_are_counted() -> None:
    service = Service()
    await service.register(
        {
            "first_name": "A",
            "last_name": "B",
            "email": "a@b.example",
            "timezone": "UTC",
            "birthday": "--03-14",
        }
    )
    service.clock.move_to(START + timedelta(days=1))
    heard = Heard()
    scheduler = scheduler_of(service, heard)

    def late(_delivery: Delivery) -> Outcome:
        service.store.committed.messages.clear()  # as if somebody else had ended it
        return Sent()

    service.channel.answer = late
    await scheduler._drain(asyncio.Event())
    assert (heard.settled, heard.lost) == ({}, 1)
