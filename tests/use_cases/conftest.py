"""The service on the memory adapters, its clock standing at noon on 13 March 2027, UTC."""

import pytest

from tests.use_cases.service import Service


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def ada() -> dict[str, str | None]:
    """Somebody in Berlin who turns 37 tomorrow."""
    return {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "Ada@Example.com",
        "timezone": "Europe/Berlin",
        "birthday": "1990-03-14",
    }
