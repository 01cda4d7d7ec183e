"""Carry out the steps of the image without a container, and run what comes of it: python -m tests.deploy."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from tests.deploy.steps import Image, carry_out
from tests.servers import running_postgres, running_valkey
from tests.service.running import STOP_WITHIN_S, free_port

READY_WITHIN_S = 60.0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="birthdays-image-") as folder:
        image = carry_out(Path(folder))
        with running_postgres() as database_url, running_valkey() as redis_url:
            told = serve(image, {"DATABASE_URL": database_url, "REDIS_URL": redis_url})
    sys.stdout.write(told)


def serve(image: Image, servers: dict[str, str]) -> str:
    """Run the service as the image would, ask whether it is well, and end it; return what was found."""
    port, data = free_port(), image.folder / "data"
    data.mkdir()
    environment = {
        **image.environment,
        **servers,
        "PATH": f"{image.programs}{os.pathsep}{os.defpath}",
        "BIRTHDAYS_DATA_DIR": str(data),
        "BIRTHDAYS_PORT": str(port),
    }
    with (image.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [image.programs / "birthdays", "serve"], env=environment, cwd=data, stdout=log, stderr=log
        )
        try:
            ready = _wait_until_ready(port)
            program, *arguments = image.health_check
            healthy = subprocess.run([image.programs / program, *arguments], env=environment, check=False)
            process.terminate()
            ended = process.wait(STOP_WITHIN_S)
        finally:
            process.kill()
            process.wait()
    if not (ready and healthy.returncode == ended == 0):
        sys.exit((image.folder / "log").read_text(encoding="utf-8"))
    return "The steps were carried out; the service was ready, healthy, and ended with 0.\n"


def _wait_until_ready(port: int) -> bool:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer,
        ):
            if answer.status == HTTPStatus.OK:
                return True
        time.sleep(0.2)
    return False


if __name__ == "__main__":
    main()
