"""The API on the memory adapters, its clock standing at noon on 13 March 2027, UTC."""

from collections.abc import Iterator

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict

from application.statistics import SchedulerState
from entrypoints.http.use_cases import UseCases
from tests.http.world import Api, client_of, use_cases_of
from tests.use_cases.service import Service


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def state() -> SchedulerState:
    return SchedulerState()


@pytest.fixture
def use_cases(service: Service, state: SchedulerState) -> UseCases:
    return use_cases_of(service, state)


@pytest.fixture
def api(service: Service, use_cases: UseCases, logged: list[EventDict]) -> Iterator[Api]:
    with client_of(use_cases) as client:
        yield Api(service, client)


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged while the test runs."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def ada(api: Api) -> str:
    """Where Ada is shown, who is registered."""
    return api.register()
