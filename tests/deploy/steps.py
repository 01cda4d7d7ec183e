"""The steps of the image's definition, carried out in a folder instead of a container."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from tests.architecture.sources import PROJECT

CONTAINERFILE = PROJECT / "deploy" / "Containerfile"
_INSTALLED = "/opt/birthdays"


@attrs.frozen
class Image:
    """What came of the steps: a folder with the service in it, and what its definition says of running it."""

    folder: Path
    environment: Mapping[str, str]
    health_check: list[str]

    @property
    def programs(self) -> Path:
        return self.folder / "opt" / "bin"


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction with its arguments, lines put together."""
    whole = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    for line in whole.splitlines():
        name, _, rest = line.partition(" ")
        if name:
            yield name, rest.strip()


def carry_out(folder: Path) -> Image:
    """Do what the first stage does, below *folder*, with this Python; read from the second how it is run."""
    build, base = folder / "build", folder / "base"
    build.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", base], check=True)
    stage, environment = 0, dict[str, str]()
    for name, rest in instructions(CONTAINERFILE.read_text(encoding="utf-8")):
        stage += name == "FROM"
        words = shlex.split(rest)
        if stage == 1 and name == "COPY":
            _copy(words, build)
        elif stage == 1 and name == "RUN":
            command = re.sub(r"(?<![\w/])python(?= -m)", str(base / "bin" / "python"), rest)
            command = command.replace(_INSTALLED, str(folder / "opt"))
            subprocess.run(
                ["sh", "-euc", command], cwd=build, env={**os.environ, "PIP_QUIET": "2"}, check=True
            )
        elif stage == 2 and name == "ENV":
            environment |= dict(word.split("=", 1) for word in words)
    return Image(folder, environment, health_check())


def health_check() -> list[str]:
    """Return the program that asks the service how it is, and its arguments."""
    found = dict(instructions(CONTAINERFILE.read_text(encoding="utf-8")))
    words: list[str] = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
    return words


def _copy(words: list[str], build: Path) -> None:
    *sources, target = words
    for source in sources:
        found, place = PROJECT / source, build / target
        if found.is_dir():
            shutil.copytree(found, place, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place)
