"""How a process leaves: it is not ready any more, serves on, and lets go of a connection with each answer."""

import attrs
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send


@attrs.define(eq=False)
class Leaving:
    """Whether the process was told to stop, and serves only until whoever sends it requests has noticed."""

    is_leaving: bool = False


def letting_go(app: ASGIApp, leaving: Leaving) -> ASGIApp:
    """Wrap the application so that a process that is leaving ends its connections between two requests.

    One that was kept alive would be closed in the end while the next request is on its way, and fail it.
    """

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and leaving.is_leaving:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await app(scope, receive, sending if scope["type"] == ScopeType.HTTP else send)

    return outer
