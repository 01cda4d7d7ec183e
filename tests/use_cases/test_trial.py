"""SendTrial."""

import io

import pytest

from adapters.delivery.console import ConsoleChannel
from application.deliveries import FailedForGood, Sent
from application.trial import SendTrial
from domain.errors import InvalidField
from tests.delivery.words import WRITE
from tests.use_cases.service import Service


async def test_it_arrives_marked_and_the_ledger_knows_nothing(service: Service) -> None:
    stream = io.StringIO()
    send = SendTrial(ConsoleChannel(WRITE, stream), service.clock)
    assert await send(" operator@example.com ") == Sent()
    [line] = stream.getvalue().splitlines()
    assert "operator@example.com" in line
    assert "[Test] Happy birthday, Ada!" in line
    assert await service.statuses() == {}


async def test_a_second_one_arrives_as_well(service: Service) -> None:
    send = SendTrial(service.channel, service.clock)
    await send("operator@example.com")
    await send("operator@example.com")
    assert len(service.channel.reached) == 2


async def test_it_tells_what_the_channel_says(service: Service) -> None:
    service.channel.fail_for_good()
    outcome = await SendTrial(service.channel, service.clock)("operator@example.com")
    assert outcome == FailedForGood("No such mailbox.")


async def test_what_is_no_address_is_refused(service: Service) -> None:
    with pytest.raises(InvalidField) as raised:
        await SendTrial(service.channel, service.clock)("operator")
    assert raised.value.field == "email"
    assert service.channel.batches == []
