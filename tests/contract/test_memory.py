"""The adapters on dictionaries keep the contracts."""

import asyncio
from datetime import datetime, timedelta

import attrs
import pytest

from adapters.clock import MovableClock
from adapters.memory.audit import MemoryAuditReader
from adapters.memory.channel import MemoryChannel
from adapters.memory.message_reader import MemoryMessageReader
from adapters.memory.operator_reader import MemoryOperatorReader
from adapters.memory.person_reader import MemoryPersonReader
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from application.deliveries import FailedForGood, FailedForNow
from application.errors import EmailTaken, StoreUnavailable
from tests.contract.adapters import START, Adapters, Recorder
from tests.contract.audit import AuditContract
from tests.contract.brake import BrakeContract
from tests.contract.channel import ChannelContract, Reached, delivery
from tests.contract.channel_limits import ChannelLimitsContract
from tests.contract.claim import ClaimContract
from tests.contract.claim_truth import ClaimTruthContract
from tests.contract.events import EventsContract
from tests.contract.imports import ImportsContract
from tests.contract.leases import LeaseContract
from tests.contract.next_due import NextDueContract
from tests.contract.operator import OperatorContract
from tests.contract.people import person
from tests.contract.plan import PlanContract
from tests.contract.plan_at_once import PlanAtOnceContract
from tests.contract.readers import ReadersContract
from tests.contract.rights import RightsContract
from tests.contract.settle import SettleContract
from tests.contract.stored_messages import StoredMessagesContract
from tests.contract.todays_lists import TodaysListsContract
from tests.contract.unit_of_work import UnitOfWorkContract
from tests.contract.unwanted import UnwantedContract
from tests.contract.upkeep import UpkeepContract
from tests.contract.users import UsersContract


@attrs.define
class Stopwatch:
    """Real time, as far as leases are concerned."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def memory_adapters() -> tuple[Adapters, MemoryStore]:
    clock, stopwatch, told = MovableClock(START, speed=0), Stopwatch(), Recorder()
    store = MemoryStore(clock, monotonic=stopwatch)

    async def set_now(instant: datetime) -> None:
        clock.move_to(instant)

    async def expire_leases() -> None:
        stopwatch.seconds += 86_400

    async def let_pass(seconds: float) -> None:
        stopwatch.seconds += seconds

    adapters = Adapters(
        unit_of_work=lambda: MemoryUnitOfWork(store, told),
        user_reader=MemoryUserReader(store),
        message_reader=MemoryMessageReader(store),
        operator_reader=MemoryOperatorReader(store),
        audit_reader=MemoryAuditReader(store),
        person_reader=MemoryPersonReader(store),
        set_now=set_now,
        expire_leases=expire_leases,
        let_pass=let_pass,
        told=told,
    )
    return adapters, store


class OnMemory:
    """Binds a contract to the memory adapters."""

    @pytest.fixture
    def adapters(self) -> Adapters:
        return memory_adapters()[0]


class TestUnitOfWork(OnMemory, UnitOfWorkContract):
    pass


class TestEvents(OnMemory, EventsContract):
    pass


class TestUsers(OnMemory, UsersContract):
    pass


class TestImports(OnMemory, ImportsContract):
    pass


class TestPlan(OnMemory, PlanContract):
    pass


class TestPlanAtOnce(OnMemory, PlanAtOnceContract):
    pass


class TestClaim(OnMemory, ClaimContract):
    pass


class TestClaimTruth(OnMemory, ClaimTruthContract):
    pass


class TestBrake(OnMemory, BrakeContract):
    pass


class TestRights(OnMemory, RightsContract):
    pass


class TestUnwanted(OnMemory, UnwantedContract):
    pass


class TestChannelLimits(OnMemory, ChannelLimitsContract):
    pass


class TestUpkeep(OnMemory, UpkeepContract):
    pass


class TestNextDue(OnMemory, NextDueContract):
    pass


class TestSettle(OnMemory, SettleContract):
    pass


class TestLeases(OnMemory, LeaseContract):
    pass


class TestStoredMessages(OnMemory, StoredMessagesContract):
    pass


class TestReaders(OnMemory, ReadersContract):
    pass


class TestOperator(OnMemory, OperatorContract):
    pass


class TestAudit(OnMemory, AuditContract):
    pass


class TestTodaysLists(OnMemory, TodaysListsContract):
    pass


@pytest.mark.parametrize("deduplicates", (True, False))
class TestChannel(ChannelContract):
    @pytest.fixture
    def channel(self, *, deduplicates: bool) -> MemoryChannel:
        return MemoryChannel(deduplicates=deduplicates)

    @pytest.fixture
    def reached(self, channel: MemoryChannel) -> Reached:
        async def addresses() -> list[str]:
            return [one.recipient.email for one in channel.reached]

        return addresses


class TestStricterThanADatabase:
    async def test_a_unit_of_work_inside_another_is_refused_instead_of_waiting_for_ever(self) -> None:
        adapters, _ = memory_adapters()
        async with adapters.unit_of_work() as uow:
            with pytest.raises(RuntimeError, match="inside it would wait for ever"):
                async with adapters.unit_of_work():
                    pass
            await uow.users.add([person()])
            await uow.commit()
        assert adapters.told.names == ["UserCreated"]

    async def test_after_a_refused_address_nothing_goes_on_but_a_rollback(self) -> None:
        adapters, _ = memory_adapters()
        ada = person("Ada", email="one@example.com")
        await adapters.add(ada)
        async with adapters.unit_of_work() as uow:
            with pytest.raises(EmailTaken):
                await uow.users.add([person("Eve", email="one@example.com")])
            with pytest.raises(RuntimeError, match="roll it back"):
                await uow.users.get(ada.id)
            with pytest.raises(RuntimeError, match="roll it back"):
                await uow.commit()

    async def test_a_savepoint_must_end_before_the_commit(self) -> None:
        adapters, _ = memory_adapters()
        with pytest.raises(RuntimeError, match="savepoint"):
            async with adapters.unit_of_work() as uow, uow.savepoint():
                await uow.commit()

    async def test_a_user_is_saved_over_what_was_read_only(self) -> None:
        adapters, _ = memory_adapters()
        ada = person()
        await adapters.add(ada)
        with pytest.raises(RuntimeError, match="not read"):
            async with adapters.unit_of_work() as uow:
                await uow.users.save([(attrs.evolve(ada, version=7), attrs.evolve(ada, version=8))])

    async def test_two_cannot_swap_their_addresses_in_one_call(self) -> None:
        adapters, _ = memory_adapters()
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        with pytest.raises(EmailTaken):
            async with adapters.unit_of_work() as uow:
                await uow.users.save(
                    [(ada, attrs.evolve(ada, email=bob.email)), (bob, attrs.evolve(bob, email=ada.email))]
                )


class TestAStoreThatIsAway:
    async def test_nothing_can_be_read_or_written(self) -> None:
        adapters, store = memory_adapters()
        store.is_reachable = False
        with pytest.raises(StoreUnavailable):
            async with adapters.unit_of_work():
                pass
        with pytest.raises(StoreUnavailable):
            await adapters.user_reader.page(None, 1)
        assert not await adapters.message_reader.is_reachable()
        store.is_reachable = True
        await adapters.add(person())

    async def test_a_commit_on_it_stores_nothing(self) -> None:
        adapters, store = memory_adapters()
        ada = person()
        async with adapters.unit_of_work() as uow:
            await uow.users.add([ada])
            store.is_reachable = False
            with pytest.raises(StoreUnavailable):
                await uow.commit()
        store.is_reachable = True
        assert await adapters.user(ada) is None
        assert adapters.told.events == []


class TestAChannelThatIsNotWell:
    async def test_it_refuses_for_now_for_good_and_not_at_all(self) -> None:
        channel, one = MemoryChannel(), delivery()
        channel.fail_for_now(timedelta(minutes=1))
        assert await channel.send_many([one]) == [FailedForNow("Try again later.", timedelta(minutes=1))]
        channel.fail_for_good()
        assert await channel.send_many([one]) == [FailedForGood("No such mailbox.")]
        assert channel.accepted == {}
        channel.recover()
        await channel.send_many([one])
        assert channel.accepted == {one.key: one}
        assert channel.batches == [(one,)] * 3

    async def test_it_breaks(self) -> None:
        channel = MemoryChannel()
        channel.break_with(OSError("unplugged"))
        with pytest.raises(OSError, match="unplugged"):
            await channel.send_many([delivery()])
        assert channel.accepted == {}

    async def test_it_takes_messages_and_never_says_so(self) -> None:
        channel, one = MemoryChannel(), delivery()
        channel.hang()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await channel.send_many([one])
        assert channel.accepted == {one.key: one}
