"""A fuzzer that is led by coverage, in a process of its own: it ends itself, and takes its process along."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

_ROOT = Path(__file__).parents[2]
_SIZE_MAX = 4096


@attrs.frozen
class Fuzzed:
    """What came of it. *failure* is what the fuzzer wrote when it found something."""

    target: str
    executions: int
    covered: int
    failure: str | None


def fuzz(
    target: str, seconds: int, folder: Path, *, seed: int = 0, targets: str = "tests.fuzz.targets"
) -> Fuzzed:
    """Fuzz for so long. What is found lies in *folder*, as do the inputs that led somewhere new."""
    corpus = folder / target
    corpus.mkdir(parents=True, exist_ok=True)
    options: Mapping[str, object] = {
        "max_total_time": seconds,
        "max_len": _SIZE_MAX,
        "timeout": 10,
        "rss_limit_mb": 2048,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
        "seed": seed,
    }
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", targets, target, str(corpus)),
            *(f"-{name}={value}" for name, value in options.items()),
        ],
        cwd=_ROOT,
        env={"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    said = (ran.stdout + ran.stderr).decode(errors="replace")
    return Fuzzed(
        target=target,
        executions=_number(r"number_of_executed_units: (\d+)", said) or _number(r"Done (\d+) runs", said),
        covered=_number(r"cov: (\d+)", said),
        failure=None if ran.returncode == 0 else said[-4000:],
    )


def _number(pattern: str, text: str) -> int:
    found: Sequence[str] = re.findall(pattern, text)
    return int(found[-1]) if found else 0
