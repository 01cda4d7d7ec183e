"""Our service with a part of the scheduler's care taken out, to see that a run of chaos misses it.

python -m tests.chaos.without fence serve: as ``birthdays serve``, without fences.
"""

import secrets
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import text

from adapters.delivery import webhook, webhook_request
from adapters.postgres import statements
from adapters.postgres.messages import PostgresMessages
from application.dispatch import DispatchReport, SendDueMessages, _is_in_doubt
from application.ledger import ReapReport
from entrypoints.cli.main import main
from tests.faults.cluster import Service

_FENCES = {
    "SETTLE": ("AND m.status = o.held AND m.fence = o.fence", ""),
    "SETTLE_SENT": (
        "AND m.status = 'SENDING' AND m.fence = CAST(:fence AS bigint)",
        "AND CAST(:fence AS bigint) IS NOT NULL",
    ),
}


def fence() -> None:
    """Whoever has sent a message writes what came of it, also if others have had it since."""
    for name, (asked, unasked) in _FENCES.items():
        statement = str(getattr(statements, name).text)
        assert asked in statement
        setattr(statements, name, text(statement.replace(asked, unasked)))


def commit() -> None:
    """Messages are sent in the transaction that claims them, and all is committed afterwards."""

    async def send_uncommitted(send: SendDueMessages) -> DispatchReport:
        async with send.unit_of_work() as uow:
            claim = await uow.messages.claim(send.channel.batch_size, send._terms)
            sent = await send.channel.send_many(claim.deliveries) if claim.deliveries else []
            outcomes = [
                (delivery, outcome)
                for delivery, outcome in zip(claim.deliveries, sent, strict=True)
                if send.channel.deduplicates or not _is_in_doubt(outcome)
            ]
            report = await uow.messages.settle(outcomes, send.retry_policy, send.channel.name)
            await uow.commit()
        return DispatchReport(len(claim.deliveries), report.settled, report.lost, pause=claim.pause)

    _replace(SendDueMessages, __call__=send_uncommitted)


def hold() -> None:
    """A message of which nobody knows whether it arrived is tried again, on any channel."""
    reap = PostgresMessages.reap

    async def try_again(messages: PostgresMessages, *arguments: Any, **named: Any) -> ReapReport:
        return await reap(messages, *arguments, **{**named, "retries": True})

    _replace(PostgresMessages, reap=try_again)


def reaper() -> None:
    """Nobody looks after what a process had claimed that is no more."""

    async def find_nothing(_messages: PostgresMessages, *_: Any, **__: Any) -> ReapReport:
        return ReapReport(0, 0)

    _replace(PostgresMessages, reap=find_nothing)


def key() -> None:
    """Each attempt has an idempotency key of its own."""
    headers = webhook_request.headers

    def with_new_key(known: str, *rest: Any) -> Mapping[str, str]:
        return headers(f"{known}.{secrets.token_hex(4)}", *rest)

    setattr(webhook, "headers", with_new_key)  # noqa: B010  # it is not the module's to give away


PARTS: Mapping[str, Callable[[], None]] = {part.__name__: part for part in (fence, commit, hold, reaper, key)}


def without(part: str) -> Service:
    return Service(f"ours without the {part}", (sys.executable, "-m", "tests.chaos.without", part, "serve"))


def _replace(owner: type, **methods: Callable[..., Any]) -> None:
    for name, method in methods.items():
        setattr(owner, name, method)


if __name__ == "__main__":
    PARTS[sys.argv[1]]()
    main(sys.argv[2:])
