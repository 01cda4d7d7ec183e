"""Whether the service is well, for whoever watches it."""

from http import HTTPStatus

from litestar import Controller, get
from litestar.di import NamedDependency

from application.errors import StoreUnavailable
from entrypoints.http.operations import operation
from entrypoints.http.problems import RequestRefused
from entrypoints.http.resources import HealthResource
from entrypoints.http.use_cases import UseCases


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
        """Answer 503 while the database cannot be reached, and once the process was told to stop.

        Without its cache it serves as well, but slower.
        """
        if use_cases.leaving.is_leaving:
            raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "This process was told to stop.")
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
        """Answer 503 with the reason while messages are not planned, not looked for, or do not leave."""
        complaint = use_cases.scheduler_state.complaint(use_cases.clock.now())
        if complaint is not None:
            raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, complaint)
        return HealthResource("ok", scheduler="ok")
