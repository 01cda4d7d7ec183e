"""The API on the memory adapters, as for its own tests."""

from tests.http.conftest import ada, api, logged, service, state, use_cases

__all__ = ["ada", "api", "logged", "service", "state", "use_cases"]
