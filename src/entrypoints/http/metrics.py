"""The route of the metrics."""

from litestar import Response, get
from litestar.di import NamedDependency

from application.cache_ports import CacheFigures, CacheUnavailable
from domain.access import Scope
from entrypoints.http.use_cases import UseCases


@get("/metrics", include_in_schema=False, opt={"needs": Scope.MESSAGES_READ})
async def show_metrics(use_cases: NamedDependency[UseCases]) -> Response[bytes]:
    """Tell all metrics in Prometheus' text format; what the cache does not say in time is what it last said."""
    content, media_type = use_cases.metrics.render(await _figures(use_cases))
    return Response(content, media_type=media_type)


async def _figures(use_cases: UseCases) -> CacheFigures | None:
    if use_cases.cache is None:
        return None
    try:
        return await use_cases.cache.figures()
    except CacheUnavailable:
        return None
