"""The application: routes, problems, and the document of the API."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from entrypoints.http.access import Doorkeeper
from entrypoints.http.audit import AuditController
from entrypoints.http.channel import ChannelController
from entrypoints.http.exports import ExportController
from entrypoints.http.feeds import CalendarController, FeedController
from entrypoints.http.health import HealthController
from entrypoints.http.imports import ImportController, UndoController
from entrypoints.http.keys import KeyController
from entrypoints.http.limits import Throttle
from entrypoints.http.login import LoginController
from entrypoints.http.messages import MessageController, SchedulerController
from entrypoints.http.metrics import show_metrics
from entrypoints.http.occasions import OccasionController
from entrypoints.http.operations import COMPONENTS
from entrypoints.http.page.demonstration import Demonstration, demo_router
from entrypoints.http.page.rendering import ASSETS, TEMPLATES
from entrypoints.http.page.routes import PageController
from entrypoints.http.parameters import provide_message_key, provide_user_id, refuse_unknown_parameters
from entrypoints.http.personal_export import PersonalExportController
from entrypoints.http.problems import answer_problem
from entrypoints.http.repeats import Repeats
from entrypoints.http.templates import TemplateController
from entrypoints.http.unsubscribe import LinkController, UnsubscribeController
from entrypoints.http.use_cases import UseCases
from entrypoints.http.users import UserController

_ABOUT = """Birthday and work-anniversary messages at nine in the morning where people live.

Every error is a problem (RFC 9457). `HEAD` works wherever `GET` does. Every answer has an `X-Request-Id`, which is
the request's own where that has up to 64 letters, digits, dots, dashes and underscores. Query parameters and fields
that are not described here are refused. Every answer to a key has `RateLimit` and `RateLimit-Policy`."""

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    use_cases: UseCases, *, lifespan: Sequence[Lifespan] = (), demonstration: Demonstration | None = None
) -> Litestar:
    """Return the API over *use_cases*; *lifespan* opens and closes what they need, unless the caller does.

    A *demonstration* has a page of its own, where its clock is moved.

    To be served inside ``with_edges``.
    """

    def provide_use_cases() -> UseCases:
        return use_cases

    return Litestar(
        route_handlers=[
            UserController,
            LinkController,
            PersonalExportController,
            UnsubscribeController,
            ExportController,
            ImportController,
            UndoController,
            OccasionController,
            KeyController,
            FeedController,
            CalendarController,
            AuditController,
            LoginController,
            MessageController,
            ChannelController,
            SchedulerController,
            TemplateController,
            HealthController,
            show_metrics,
            PageController,
            ASSETS,
            *(() if demonstration is None else (demo_router(demonstration),)),
        ],
        state=State({"is_demo": demonstration is not None}),
        dependencies={
            "use_cases": Provide(provide_use_cases, sync_to_thread=False),
            "user_id": Provide(provide_user_id, sync_to_thread=False),
            "message_key": Provide(provide_message_key, sync_to_thread=False),
        },
        middleware=[Doorkeeper(use_cases.access), Throttle(use_cases.limiter), Repeats(use_cases.answers)],
        guards=[refuse_unknown_parameters],
        exception_handlers={Exception: answer_problem},
        lifespan=list(lifespan),
        openapi_config=OpenAPIConfig(
            title="Birthdays",
            version=version("birthdays"),
            description=_ABOUT,
            components=COMPONENTS,
            openapi_router=Router(
                "/schema",
                route_handlers=[],
                after_request=_without_pages,
                include_in_schema=False,
                opt={"needs": None},
            ),
            render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
            use_handler_docstrings=True,
        ),
        template_config=TEMPLATES,
        logging_config=None,
        debug=False,
    )


def _without_pages(answer: Response[bytes]) -> Response[bytes]:
    # Litestar answers what it does not know below /schema with a page of HTML.
    if answer.status_code == NotFoundException.status_code:
        raise NotFoundException
    return answer
