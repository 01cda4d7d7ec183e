"""What the start prints leads to the service, whichever addresses it listens on."""

import pytest
from click import ClickException

from entrypoints.cli.listening import listening, reached_at


@pytest.mark.parametrize(
    ("host", "told"),
    (
        ("127.0.0.1", "http://127.0.0.1"),
        ("0.0.0.0", "http://127.0.0.1"),  # noqa: S104  # all of them, and this is the one to go to
        ("::1", "http://[::1]"),
        ("::", "http://[::1]"),
    ),
)
def test_an_address_is_one_to_go_to(host: str, told: str) -> None:
    with listening(host, 0) as listener:
        assert reached_at(listener) == f"{told}:{listener.getsockname()[1]}"


def test_an_address_of_another_machine_is_told_by_its_setting() -> None:
    with pytest.raises(ClickException, match="BIRTHDAYS_HOST"), listening("203.0.113.1", 0):
        pass
