"""The ledger as an operator sees it, and what an operator can do."""

import contextlib
from collections.abc import Sequence
from datetime import datetime

import attrs

from application.errors import MessageNotFound
from application.operator_ports import OperatorReader
from application.ports import MessageReader, UnitOfWorkFactory
from application.trail import current_actor
from application.views import MessageView, Page
from domain.audit import Entry
from domain.decision import RESUME
from domain.due import SendPolicy
from domain.errors import IllegalTransition
from domain.message import Action, Message, MessageKey, Reason, Status, next_status
from domain.user import UserId

AT_ONCE = 100
"""On how many messages an operator decides at once."""


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
    """An operator sends a message after all, cancels it, says that it was sent, or lets it be.

    Who did it, and why where they say so, is kept in the same transaction. Raises MessageNotFound, InvalidField, and
    IllegalTransition where its status forbids that.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def retry(self, key: MessageKey, because: str | None = None) -> MessageView:
        return await self(Action.RETRY, key, because)

    async def cancel(self, key: MessageKey, because: str | None = None) -> MessageView:
        return await self(Action.CANCEL, key, because)

    async def mark_sent(self, key: MessageKey, because: str | None = None) -> MessageView:
        return await self(Action.MARK_SENT, key, because)

    async def __call__(self, action: Action, key: MessageKey, because: str | None) -> MessageView:
        async with self.unit_of_work() as uow:
            message = await uow.messages.get(key)
            if message is None:
                raise MessageNotFound
            now = await uow.now()
            changed = self._changed(message, action, now)
            await uow.messages.save([changed])
            entry = Entry(
                at=now, actor=current_actor(), action=action, user_id=key.user_id, message=key, reason=because
            )
            await uow.audit.note([entry])
            await uow.commit()
        return MessageView.of(changed)

    def _changed(self, message: Message, action: Action, now: datetime) -> Message:
        match action:
            case Action.RETRY:
                return message.retried(now, self.policy.window)
            case Action.CANCEL:
                return message.cancelled(now, Reason.OPERATOR)
            case Action.MARK_SENT:
                return message.marked_sent(now)
            case Action.LEAVE:
                return message.left_alone(now)
            case _:
                raise IllegalTransition(action, message.status)


@attrs.frozen
class ActOnThoseInNeed:
    """An operator decides on many messages of one status that need somebody, the latest first, for one reason.

    Each is a transaction of its own, so that nothing else waits for all of them; what somebody else has
    decided meanwhile is left out. Raises InvalidField, and IllegalTransition where the status forbids the action.
    """

    reader: OperatorReader
    act: ActOnMessage

    async def __call__(self, status: Status, action: Action, because: str) -> int:
        """Return how many were decided on, AT_ONCE at most."""
        next_status(status, action)
        latest = (await self.reader.attention(AT_ONCE)).latest
        decided = 0
        for named in latest:
            if named.message.status == status:
                with contextlib.suppress(IllegalTransition, MessageNotFound):
                    await self.act(action, MessageKey.parse(named.message.key), because)
                    decided += 1
        return decided


@attrs.frozen
class ResumeChannel:
    """An operator lets a channel go on that was asked to pause; why is kept. Raises InvalidField."""

    unit_of_work: UnitOfWorkFactory

    async def __call__(self, channel: str, because: str) -> bool:
        """Return whether it was paused."""
        async with self.unit_of_work() as uow:
            entry = Entry(
                at=await uow.now(), actor=current_actor(), action=RESUME, subject=channel, reason=because
            )
            was_paused = await uow.channels.let_go_on(channel)
            if was_paused:
                await uow.audit.note([entry])
            await uow.commit()
        return was_paused
