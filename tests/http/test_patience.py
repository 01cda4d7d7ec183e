"""Who waits too long is given up, and nobody else."""

import asyncio

import pytest

from entrypoints.http.patience import Patience


async def test_what_is_done_in_time_is_returned_and_what_is_not_is_given_up() -> None:
    patience = Patience(0.05)

    async def wait(seconds: float) -> str:
        await patience.wait_for(asyncio.sleep(seconds))
        return "done"

    found = await asyncio.gather(*(wait(seconds) for seconds in (5.0, 0.0, 0.01)), return_exceptions=True)
    assert isinstance(found[0], TimeoutError)
    assert found[1:] == ["done", "done"]
    assert await asyncio.create_task(wait(0.0)) == "done"
    with pytest.raises(TimeoutError):
        await asyncio.create_task(wait(5.0))


async def test_who_is_cancelled_by_somebody_else_stays_cancelled() -> None:
    patience = Patience(5.0)
    waiting = asyncio.create_task(patience.wait_for(asyncio.Event().wait()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_goes_wrong_is_told() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await Patience(5.0).wait_for(fail())
