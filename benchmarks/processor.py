"""How much of the processor and of memory programs use, as Linux tells it."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def used_s(pids: Iterable[int]) -> float:
    """Return the seconds that these processes have used, and all that they have started and that has ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            _, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")
            ticks += sum(map(int, rest.split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def working_in(folder: Path) -> list[int]:
    """Return the processes whose working folder lies in *folder*: the servers that have their data there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found


def resident_mib(pid: int) -> float:
    """Return how much memory a process holds."""
    return _status_mib(pid, "VmRSS:")


def peak_mib(pid: int) -> float:
    """Return how much memory a process has held at most."""
    return _status_mib(pid, "VmHWM:")


def _status_mib(pid: int, line: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(line)[2].split()[0]) / 1024
