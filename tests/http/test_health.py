"""GET /health/live, /health/ready and /health/scheduler."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from litestar.testing import TestClient

from application.statistics import SchedulerState
from entrypoints.http.use_cases import UseCases
from tests.http.world import Api, app_of, problem

NOW = datetime(2027, 3, 13, 12, tzinfo=UTC)


def test_a_service_that_is_well_says_so(api: Api, state: SchedulerState) -> None:
    state.last_plan_at = NOW
    assert api.get("/health/live").json() == {"status": "ok"}
    assert api.get("/health/ready").json() == {"status": "ok", "database": "ok"}
    assert api.get("/health/scheduler").json() == {"status": "ok", "scheduler": "ok"}


def test_it_lives_without_its_database_but_is_not_ready(api: Api, state: SchedulerState) -> None:
    state.last_plan_at = NOW
    api.service.store.is_reachable = False
    assert api.get("/health/live").status_code == HTTPStatus.OK
    assert api.get("/health/scheduler").status_code == HTTPStatus.OK
    answer = api.get("/health/ready")
    assert problem(answer, HTTPStatus.SERVICE_UNAVAILABLE)["detail"].startswith("The database")
    api.service.store.is_reachable = True
    assert api.get("/health/ready").status_code == HTTPStatus.OK


def test_a_scheduler_that_never_planned_is_not_well(api: Api) -> None:
    found = problem(api.get("/health/scheduler"), HTTPStatus.SERVICE_UNAVAILABLE)
    assert found["detail"] == "The scheduler has not planned yet."


def test_a_machine_whose_clock_is_wrong_is_not_well(api: Api, state: SchedulerState) -> None:
    state.last_plan_at = NOW
    for offset_s, status in ((1.9, 200), (2.1, 503), (-2.1, 503), (0.0, 200)):
        state.clock_offset_s = offset_s
        assert api.get("/health/scheduler").status_code == status


def test_one_failure_is_an_accident_and_three_are_a_trouble(api: Api, state: SchedulerState) -> None:
    state.last_plan_at = NOW
    for failures, status in ((1, 200), (2, 200), (3, 503), (30, 503), (0, 200)):
        state.failures_in_a_row = failures
        assert api.get("/health/scheduler").status_code == status


def test_a_scheduler_whose_messages_do_not_leave_is_not_well(api: Api, state: SchedulerState) -> None:
    state.last_plan_at = NOW
    well = {
        "planned_until": NOW.date() + timedelta(days=2),
        "last_tick_at": NOW - timedelta(minutes=14),
        "waiting_since": NOW - timedelta(minutes=9),
    }
    ill = {
        "planned_until": (NOW.date(), "The plan does not reach beyond today"),
        "last_tick_at": (NOW - timedelta(minutes=16), "The scheduler has not looked"),
        "waiting_since": (NOW - timedelta(minutes=11), "A message has been due"),
    }
    for name, value in well.items():
        setattr(state, name, value)
    assert api.get("/health/scheduler").status_code == HTTPStatus.OK
    for name, (value, reason) in ill.items():
        setattr(state, name, value)
        found = problem(api.get("/health/scheduler"), HTTPStatus.SERVICE_UNAVAILABLE)
        assert found["detail"].startswith(reason)
        setattr(state, name, well[name])
    state.waiting_since, state.is_paused = NOW - timedelta(hours=11), True
    assert api.get("/health/scheduler").status_code == HTTPStatus.OK
    for minutes, status in ((9, HTTPStatus.OK), (11, HTTPStatus.SERVICE_UNAVAILABLE)):
        state.refused_since = NOW - timedelta(minutes=minutes)
        assert api.get("/health/scheduler").status_code == status


def test_health_is_never_kept(api: Api) -> None:
    for path in ("/health/live", "/health/ready", "/health/scheduler"):
        assert api.get(path).headers["cache-control"] == "no-store"


def test_a_process_that_was_told_to_stop_is_not_ready_and_serves(api: Api, use_cases: UseCases) -> None:
    use_cases.leaving.is_leaving = True
    found = problem(api.get("/health/ready"), HTTPStatus.SERVICE_UNAVAILABLE)
    assert found["detail"] == "This process was told to stop."
    assert api.get("/health/live").status_code == HTTPStatus.OK
    assert api.get("/users").status_code == HTTPStatus.OK


def test_a_process_that_was_told_to_stop_lets_go_of_its_connections(use_cases: UseCases) -> None:
    with TestClient(app_of(use_cases)) as client:
        assert "connection" not in client.get("/health/live").headers
        use_cases.leaving.is_leaving = True
        assert client.get("/health/live").headers["connection"] == "close"
        assert client.get("/nowhere").headers["connection"] == "close"
