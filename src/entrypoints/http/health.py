"""Whether the service is well, for whoever watches it."""

from http import HTTPStatus

from litestar import Controller, get
from litestar.di import NamedDependency

from application.errors import StoreUnavailable
from application.upkeep import CLOCK_OFFSET_MAX
from entrypoints.http.operations import operation
from entrypoints.http.problems import RequestRefused
from entrypoints.http.resources import HealthResource
from entrypoints.http.use_cases import UseCases

_FAILURES_MAX = 3


class HealthController(Controller):
    """Liveness touches nothing; readiness asks the database; the scheduler's health is its own."""

    path = "/health"
    tags = ("health",)

    @get(
        "/live",
        operation_id="isLive",
        summary="Is the process there?",
        operation_class=operation(needs=None, answer={"live": {"status": "ok"}}),
    )
    async def live(self) -> HealthResource:
        """Answer, and nothing else."""
        return HealthResource("ok")

    @get(
        "/ready",
        operation_id="isReady",
        summary="Can it serve?",
        operation_class=operation(
            needs=None,
            answer={
                "ready": {"status": "ok", "database": "ok", "cache": "ok"},
                "degraded": {"status": "degraded", "database": "ok", "cache": "unreachable"},
            },
            refuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
        ),
    )
    async def ready(self, use_cases: NamedDependency[UseCases]) -> HealthResource:
        """Answer 503 while the database cannot be reached; without its cache it serves as well, but slower."""
        if not await use_cases.message_reader.is_reachable():
            raise StoreUnavailable
        if use_cases.cache is None:
            return HealthResource("ok", database="ok")
        if not await use_cases.cache.is_healthy():
            return HealthResource("degraded", database="ok", cache="unreachable")
        return HealthResource("ok", database="ok", cache="ok")

    @get(
        "/scheduler",
        operation_id="isScheduling",
        summary="Do messages leave?",
        operation_class=operation(
            needs=None,
            answer={"scheduler": {"status": "ok", "scheduler": "ok"}},
            refuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
        ),
    )
    async def scheduler(self, use_cases: NamedDependency[UseCases]) -> HealthResource:
        """Answer 503 while nothing is planned, or the scheduler's jobs fail one after the other."""
        state = use_cases.scheduler_state
        if abs(state.clock_offset_s) > CLOCK_OFFSET_MAX.total_seconds():
            raise _unwell("This machine's clock differs from the database's, so nothing is planned here.")
        if state.last_plan_at is None:
            raise _unwell("The scheduler has not planned yet.")
        if state.failures_in_a_row >= _FAILURES_MAX:
            raise _unwell("The scheduler fails again and again; the log tells why.")
        return HealthResource("ok", scheduler="ok")


def _unwell(detail: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, detail)
