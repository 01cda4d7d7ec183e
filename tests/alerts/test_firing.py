"""A Prometheus that scrapes a running service, and what it says when the cache is killed."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.alerts.prometheus import needs_prometheus, running_prometheus, write_hasty
from tests.faults.valkey import Valkey
from tests.service.running import running

pytestmark = [pytest.mark.servers, pytest.mark.slow, needs_prometheus]

_WITHIN_S = 20.0


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)


async def test_the_right_alert_fires_when_the_cache_is_killed_and_ends_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with Valkey.running(tmp_path / "valkey") as valkey:
        url = f"redis://127.0.0.1:{valkey.port}"
        with running(tmp_path / "var", REDIS_URL=url) as service:
            made = await asyncio.to_thread(
                service.command, "keys", "make", "prometheus", "--scope", "messages:read"
            )
            key = tmp_path / "key"
            key.write_text(made.stdout, encoding="utf-8")
            config = write_hasty(tmp_path, f"127.0.0.1:{service.port}", key)
            with running_prometheus(config, tmp_path / "data") as prometheus:
                wait_for(lambda: prometheus.value("up") == 1)
                wait_for(lambda: prometheus.value("count(ALERTS) or vector(0)") == 0)
                assert prometheus.firing() == {}
                await valkey.kill()
                wait_for(lambda: bool(prometheus.firing()))
                assert prometheus.firing() == {"CacheDown": "docs/runbooks.md#cachedown"}
                await valkey.start()
                wait_for(lambda: prometheus.firing() == {})
