"""What every reader keeps to: the committed and the live, page by page."""

from datetime import date, timedelta

import attrs
import pytest

from application.scheduler_observing import Backlog
from application.views import MessageView, UserView
from domain.message import MessageKey, Status
from domain.occasion import Kind
from domain.user import User, UserId, remove
from tests.contract.adapters import START, Adapters
from tests.contract.people import message, person, user_number


class ReadersContract:
    """Users and the ledger as they are shown."""

    async def test_a_live_user_is_shown(self, adapters: Adapters) -> None:
        ada = person("Ada", email="Ada@Example.com", anniversary=date(2020, 2, 29))
        await adapters.add(ada)
        assert await adapters.user_reader.get(ada.id) == UserView.of(ada)
        for spelt in ("Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM", " ada@example.com "):
            assert await adapters.user_reader.find_by_email(spelt) == UserView.of(ada)

    async def test_nobody_is_none(self, adapters: Adapters) -> None:
        assert await adapters.user_reader.get(user_number(1)) is None
        assert await adapters.user_reader.find_by_email("nobody@example.com") is None
        assert await adapters.message_reader.get(message(person()).key) is None

    async def test_a_deleted_user_is_not_shown(self, adapters: Adapters) -> None:
        ada, eve = person("Ada", email="one@example.com"), person("Eve", email="one@example.com")
        await adapters.add(remove(ada, START))
        assert await adapters.user_reader.get(ada.id) is None
        assert await adapters.user_reader.find_by_email(ada.email) is None
        assert (await adapters.user_reader.page(None, 10)).items == []
        await adapters.add(eve)
        assert await adapters.user_reader.find_by_email(ada.email) == UserView.of(eve)

    async def test_what_is_not_committed_is_not_shown(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada)
        async with adapters.unit_of_work() as uow:
            await uow.users.add([bob])
            await uow.users.save([(ada, attrs.evolve(ada, first_name="Augusta", version=2))])
            await uow.messages.prepare(START.date(), START.date())
            await uow.messages.save([message(ada)])
            assert await adapters.user_reader.get(ada.id) == UserView.of(ada)
            assert await adapters.user_reader.get(bob.id) is None
            assert await adapters.user_reader.find_by_email(bob.email) is None
            assert (await adapters.user_reader.page(None, 10)).items == [UserView.of(ada)]
            assert await adapters.message_reader.get(message(ada).key) is None
            assert (await adapters.message_reader.page(after=None, limit=10)).items == []

    async def test_the_fingerprint_is_another_once_a_live_user_is(self, adapters: Adapters) -> None:
        ada, bob, eve = person("Ada"), person("Bob"), remove(person("Eve"), START)
        seen = [await adapters.user_reader.fingerprint()]
        for added in (ada, bob):
            await adapters.add(added)
            seen.append(await adapters.user_reader.fingerprint())
        changed = attrs.evolve(ada, first_name="Augusta", version=2)
        for before, after in ((ada, changed), (bob, remove(bob, START))):
            async with adapters.unit_of_work() as uow:
                await uow.users.save([(before, after)])
                await uow.commit()
            seen.append(await adapters.user_reader.fingerprint())
        assert len(set(seen)) == len(seen)
        await adapters.add(eve)
        assert await adapters.user_reader.fingerprint() == seen[-1]

    @pytest.mark.parametrize("limit", (1, 2, 3, 4, 5, 6))
    async def test_users_come_in_pages_in_the_order_of_their_ids(
        self, adapters: Adapters, limit: int
    ) -> None:
        ids = [3, 1, 2**127, 5, 2**64, 4]
        people = [person("Ada", id=user_number(number)) for number in ids]
        gone = attrs.evolve(people[3], deleted_at=START)
        await adapters.add(*people[:3], gone, *people[4:])
        shown: list[UserId] = []
        after: UserId | None = None
        while True:
            page = await adapters.user_reader.page(after, limit)
            shown.extend(UserId(view.id) for view in page.items)
            assert len(page.items) <= limit
            if not page.more:
                break
            assert len(page.items) == limit
            after = shown[-1]
        assert shown == [user_number(number) for number in (1, 3, 4, 2**64, 2**127)]

    async def test_a_page_may_begin_after_somebody_who_is_gone(self, adapters: Adapters) -> None:
        await adapters.add(person("Ada", id=user_number(3)))
        assert len((await adapters.user_reader.page(user_number(2), 10)).items) == 1
        assert (await adapters.user_reader.page(user_number(3), 10)).items == []

    async def test_a_message_is_shown(self, adapters: Adapters) -> None:
        ada = person("Ada")
        sent = message(ada, status=Status.SENT, sent_at=START, attempt=2, fence=3, years=None)
        await adapters.add(ada)
        await adapters.keep(sent)
        assert await adapters.message_reader.get(sent.key) == MessageView.of(sent)

    @pytest.mark.parametrize("limit", (1, 2, 3, 7, 8, 9))
    async def test_messages_come_in_pages_newest_occasion_first(self, adapters: Adapters, limit: int) -> None:
        """Those of one day in some order that stays the same, none twice and none left out."""
        people = [person("Ada"), person("Bob")]
        stored = [
            message(user, date(2027, 3, 13) + timedelta(days), kind)
            for user in people
            for days in (0, 1)
            for kind in Kind
        ]
        await adapters.add(*people)
        await adapters.keep(*stored)
        shown: list[MessageKey] = []
        after: MessageKey | None = None
        while True:
            page = await adapters.message_reader.page(after=after, limit=limit)
            shown.extend(MessageKey.parse(view.key) for view in page.items)
            if not page.more:
                break
            assert len(page.items) == limit
            after = shown[-1]
        assert sorted(shown) == sorted(one.key for one in stored)
        days = [key.occasion_on for key in shown]
        assert days == sorted(days, reverse=True)

    async def test_messages_are_chosen_by_status_and_by_person(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        kept = {
            (user.first_name, status): message(user, date(2027, 1, 1) + timedelta(number), status=status)
            for user in (ada, bob)
            for number, status in enumerate((Status.SENT, Status.FAILED, Status.SKIPPED))
        }
        await adapters.add(ada, bob)
        await adapters.keep(*kept.values())

        async def shown(user: User | None, *statuses: Status) -> set[str]:
            page = await adapters.message_reader.page(
                after=None, limit=10, statuses=statuses, user_id=None if user is None else user.id
            )
            assert not page.more
            return {view.key for view in page.items}

        assert await shown(None, Status.SENT) == {
            str(kept["Ada", Status.SENT].key),
            str(kept["Bob", Status.SENT].key),
        }
        assert await shown(ada, Status.SENT, Status.FAILED) == {
            str(kept["Ada", Status.SENT].key),
            str(kept["Ada", Status.FAILED].key),
        }
        assert len(await shown(bob)) == 3
        assert await shown(None, Status.EXPIRED) == set()

    async def test_messages_are_counted_by_status(self, adapters: Adapters) -> None:
        ada = person("Ada")
        await adapters.add(ada)
        assert sum((await adapters.message_reader.counts()).values()) == 0
        await adapters.keep(
            message(ada, date(2026, 1, 1), status=Status.SENT),
            message(ada, date(2026, 2, 1), status=Status.SENT),
            message(ada, date(2027, 1, 1), status=Status.EXPIRED),
        )
        counts = await adapters.message_reader.counts()
        assert {status: count for status, count in counts.items() if count} == {
            Status.SENT: 2,
            Status.EXPIRED: 1,
        }

    async def test_what_could_be_sent_now_is_the_backlog(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        assert await adapters.message_reader.backlog(START) == Backlog(0, None)
        due = message(ada, date(2027, 3, 13))
        retry_at = due.due_at + timedelta(minutes=10)
        waiting = attrs.evolve(
            message(bob, date(2027, 3, 13), status=Status.RETRYING), due_at=due.due_at, retry_at=retry_at
        )
        sent = message(ada, date(2027, 3, 12), status=Status.SENT)
        await adapters.keep(due, waiting, sent, message(ada, date(2027, 3, 16)))
        backlog = adapters.message_reader.backlog
        assert await backlog(due.due_at - timedelta(seconds=1)) == Backlog(0, None)
        assert await backlog(due.due_at) == Backlog(1, due.due_at)
        assert await backlog(retry_at) == Backlog(2, due.due_at)
        assert await backlog(due.expires_at) == Backlog(0, None)

    async def test_the_store_is_reachable(self, adapters: Adapters) -> None:
        assert await adapters.message_reader.is_reachable()
