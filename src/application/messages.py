"""The ledger as an operator sees it, and what an operator can do."""

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from application.errors import MessageNotFound
from application.ports import MessageReader, UnitOfWorkFactory
from application.views import MessageView, Page
from domain.due import SendPolicy
from domain.message import Message, MessageKey, Reason, Status
from domain.user import UserId


@attrs.frozen
class ListMessages:
    """A page of the ledger, newest occasion first."""

    reader: MessageReader

    async def __call__(
        self,
        *,
        after: MessageKey | None = None,
        limit: int = 100,
        statuses: Sequence[Status] = (),
        user_id: UserId | None = None,
    ) -> Page[MessageView]:
        return await self.reader.page(after=after, limit=limit, statuses=statuses, user_id=user_id)


@attrs.frozen
class GetMessage:
    """One message."""

    reader: MessageReader

    async def __call__(self, key: MessageKey) -> MessageView:
        message = await self.reader.get(key)
        if message is None:
            raise MessageNotFound
        return message


@attrs.frozen
class ActOnMessage:
    """An operator sends a message after all, cancels it, or says that it was sent.

    Raises MessageNotFound, and IllegalTransition where its status forbids that.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def retry(self, key: MessageKey) -> MessageView:
        return await self._act(key, lambda message, now: message.retried(now, self.policy.window))

    async def cancel(self, key: MessageKey) -> MessageView:
        return await self._act(key, lambda message, now: message.cancelled(now, Reason.OPERATOR))

    async def mark_sent(self, key: MessageKey) -> MessageView:
        return await self._act(key, lambda message, now: message.marked_sent(now))

    async def _act(self, key: MessageKey, action: Callable[[Message, datetime], Message]) -> MessageView:
        async with self.unit_of_work() as uow:
            message = await uow.messages.get(key)
            if message is None:
                raise MessageNotFound
            changed = action(message, await uow.now())
            await uow.messages.save([changed])
            await uow.commit()
        return MessageView.of(changed)
