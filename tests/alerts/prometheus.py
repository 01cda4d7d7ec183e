"""Prometheus' own programs, where the machine has them, and the files of ours that they read."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.service.running import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
CONFIG = DEPLOY / "prometheus" / "prometheus.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "birthdays.json"
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks.md"
_READY_WITHIN_S = 20.0

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("prometheus")),
    reason="ALERTS NOT TESTED: neither promtool nor prometheus is on this machine (apt-get install prometheus)",
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)


def alerts() -> Sequence[str]:
    return re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))


def _changed(text: str, pattern: str, replacement: str) -> str:
    """Replace what must be there."""
    changed, number = re.subn(pattern, replacement, text)
    assert number, pattern
    return changed


def write_hasty(folder: Path, target: str, key: Path) -> Path:
    """Write our own configuration and rules to *folder*, for *target*: every second, and without patience."""
    text = CONFIG.read_text(encoding="utf-8")
    text = _changed(text, r"_interval: \w+", "_interval: 1s")
    text = _changed(text, r"credentials_file: \S+", f"credentials_file: {key}")
    text = _changed(text, r"targets: \[.*\]", f'targets: ["{target}"]')
    rules = _changed(RULES.read_text(encoding="utf-8"), r"\bfor: \w+", "for: 0s")
    (folder / "alerts.yml").write_text(rules, encoding="utf-8")
    config = folder / "prometheus.yml"
    config.write_text(text, encoding="utf-8")
    return config


@attrs.frozen
class Prometheus:
    """A Prometheus that runs."""

    address: str

    def firing(self) -> dict[str, str]:
        """Return the alerts that fire, with their runbooks."""
        told: Any = httpx.get(f"{self.address}/api/v1/alerts").json()
        return {
            one["labels"]["alertname"]: one["annotations"]["runbook_url"]
            for one in told["data"]["alerts"]
            if one["state"] == "firing"
        }

    def value(self, query: str) -> float | None:
        told: Any = httpx.get(f"{self.address}/api/v1/query", params={"query": query}).json()
        found = told["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@contextlib.contextmanager
def running_prometheus(config: Path, data: Path) -> Iterator[Prometheus]:
    """Run a Prometheus until the end of the block."""
    port = free_port()
    with (data.parent / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _READY_WITHIN_S
        while True:
            assert process.poll() is None, (data.parent / "prometheus.log").read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{address}/-/ready").is_success:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Prometheus(address)
    finally:
        process.terminate()
        process.wait(20)
