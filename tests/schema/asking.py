"""The service is asked whatever its own document allows, and what it does not: by schemathesis, over a socket."""

import os
import re
import subprocess
import sys
from pathlib import Path

import attrs

from tests.service.running import running

_ROOT = Path(__file__).parents[2]
_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
_UNLIMITED = "read=100000000,write=100000000,import=100000000,admin=100000000"


@attrs.frozen
class Asked:
    """What came of it: *failures* is what it says of them, *cases* how many requests there were."""

    is_well: bool
    cases: int
    text: str


def ask(folder: Path, examples: int, *more: str) -> Asked:
    """Run a service in *folder*, and ask each operation so many made-up questions, and many that are derived."""
    with running(folder / "var", BIRTHDAYS_LIMITS=_UNLIMITED) as service:
        key = (service.folder / "local.key").read_text(encoding="ascii").strip()
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIGURATION), "run"),
                f"http://127.0.0.1:{service.port}/schema",
                *(
                    "--header",
                    f"Authorization: Bearer {key}",
                    "--checks",
                    "all",
                    "--max-examples",
                    str(examples),
                ),
                *("--continue-on-failure", "--generation-database", "none", "--no-color", *more),
            ],
            cwd=folder,
            env={
                **os.environ,
                "OWN_KEY": key.split("_")[1][:12],
                "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}",
                "SCHEMATHESIS_HOOKS": "tests.schema.hooks",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        served = service.log.read_text(encoding="utf-8")
        with service.api as api:
            assert api.get("/health/ready").is_success
            assert api.get("/keys").is_success, "our own key is good"
    text = ran.stdout + ran.stderr
    found = re.search(r"^\s*(\d+) generated", text, re.MULTILINE)
    is_well = ran.returncode == 0 and '"request_failed"' not in served and '"status":500' not in served
    return Asked(is_well=is_well, cases=int(found[1]) if found else 0, text=text)
