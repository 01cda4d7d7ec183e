"""Users whom many want at once, as after an outage of the cache: those of one turn of the event loop are one statement."""

import asyncio
from contextvars import Context
from typing import Any

from sqlalchemy import ARRAY, any_, bindparam
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import POOL_TIMEOUT_S, connected
from adapters.postgres.tables import users
from adapters.postgres.user_reader import PostgresUserReader, live_users
from adapters.postgres.users import to_view
from application.errors import StoreUnavailable
from application.views import UserView
from domain.user import UserId

TOGETHER_MAX = 250

Answer = asyncio.Future[UserView | None]

_BY_IDS = live_users().where(users.c.id == any_(bindparam("wanted", type_=ARRAY(users.c.id.type))))


class JoinedUserReader(PostgresUserReader):
    """As its base; *statements* bounds how many are under way.

    Who asks is answered by a statement that begins afterwards. While it waits for its turn others may join it.
    """

    __slots__ = ("_reading", "_statements", "_waiting")

    def __init__(self, engine: AsyncEngine, statements: asyncio.Semaphore) -> None:
        super().__init__(engine)
        self._statements = statements
        self._waiting: list[tuple[UserId, Answer]] = []
        self._reading: set[asyncio.Task[None]] = set()

    async def get(self, user_id: UserId) -> UserView | None:
        answer: Answer = asyncio.get_running_loop().create_future()
        if len(self._waiting) % TOGETHER_MAX == 0:
            # In nobody's context: it belongs to no request, and to no unit of work.
            reading = asyncio.create_task(self._read(), context=Context())
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)
        self._waiting.append((user_id, answer))
        return await answer

    async def _read(self) -> None:
        has_turn = await self._has_turn()
        asked, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
        try:
            if not has_turn:
                raise StoreUnavailable  # noqa: TRY301  # told to all, as any other
            found = await self._all({user_id for user_id, answer in asked if not answer.done()})
        except Exception as error:  # noqa: BLE001  # everybody who waits hears of it, whatever it is
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # nobody may be left who waits
        else:
            for user_id, answer in asked:
                if not answer.done():
                    answer.set_result(found.get(user_id))
        finally:
            if has_turn:
                self._statements.release()

    async def _has_turn(self) -> bool:
        """Wait for a turn, as long as anybody waits for a connection; tell whether it has come."""
        try:
            async with asyncio.timeout(POOL_TIMEOUT_S):
                await self._statements.acquire()
        except TimeoutError:
            return False
        return True

    async def _all(self, wanted: set[UserId]) -> dict[Any, UserView]:
        if not wanted:
            return {}
        async with connected(self._engine) as connection:
            rows = await connection.execute(_BY_IDS, {"wanted": list(wanted)})
            return {row.id: to_view(row) for row in rows}
