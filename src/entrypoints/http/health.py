"""Whether the service is well, for whoever watches it."""

from http import HTTPStatus

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from entrypoints.http.documents import operation
from entrypoints.http.resources import HealthResource
from entrypoints.http.use_cases import UseCases

_FAILURES_MAX = 3


class HealthController(Controller):
    """Liveness touches nothing; readiness asks the database; the scheduler's health is its own."""

    path = "/health"
    tags = ("health",)

    @get("/live", operation_id="isLive", summary="Is the process there?", operation_class=operation())
    async def live(self) -> Response[HealthResource]:
        """Answer, and nothing else."""
        return _health(HealthResource("ok"))

    @get("/ready", operation_id="isReady", summary="Can it serve?", operation_class=operation())
    async def ready(self, use_cases: NamedDependency[UseCases]) -> Response[HealthResource]:
        """Answer 503 while the database cannot be reached."""
        if await use_cases.message_reader.is_reachable():
            return _health(HealthResource("ok", database="ok"))
        return _health(HealthResource("unavailable", database="unreachable"))

    @get("/scheduler", operation_id="isScheduling", summary="Do messages leave?", operation_class=operation())
    async def scheduler(self, use_cases: NamedDependency[UseCases]) -> Response[HealthResource]:
        """Answer 503 while nothing is planned, or the scheduler's jobs fail one after the other."""
        state = use_cases.scheduler_state
        if state.last_plan_at is None:
            return _health(HealthResource("unavailable", scheduler="has not planned yet"))
        if state.failures_in_a_row >= _FAILURES_MAX:
            return _health(HealthResource("unavailable", scheduler="fails again and again: see the log"))
        return _health(HealthResource("ok", scheduler="ok"))


def _health(found: HealthResource) -> Response[HealthResource]:
    status = HTTPStatus.OK if found.status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(found, status_code=status, headers={"Cache-Control": "no-store"})
