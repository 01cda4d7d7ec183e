"""The routes of the ledger and the scheduler."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Reference, RequestBody, Schema

from application.errors import ApplicationError
from domain.access import Scope
from domain.errors import InvalidField
from domain.message import MessageKey, Status
from entrypoints.http import documents
from entrypoints.http.operations import operation, shown_example
from entrypoints.http.pages import bad_cursor, linked_page, read_cursor
from entrypoints.http.parameters import bad_parameter, key_of, one_parameter, user_id_parameter, whole_number
from entrypoints.http.requests import JSON, AnyRequest, read_object
from entrypoints.http.resources import MessagePage, MessageResource, SchedulerResource
from entrypoints.http.use_cases import UseCases

_REASON: dict[str, Reference | Schema] = {
    "reason": replace(documents.REASON, type=[OpenAPIType.STRING, OpenAPIType.NULL])
}
_ACTION = operation(
    request=RequestBody(
        required=False,
        content={
            JSON: OpenAPIMediaType(
                schema=Schema(type=OpenAPIType.OBJECT, properties=_REASON, additional_properties=False),
                examples={"body": shown_example({"reason": "She wrote that she has it."})},
            )
        },
    ),
    needs=Scope.MESSAGES_ACT,
    repeatable=True,
    about="userId",
    answer={"message": documents.MESSAGE},
    refuses=(
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ),
)


class MessageController(Controller):
    """The ledger, and what an operator can do."""

    path = "/messages"
    tags = ("messages",)

    @get(
        operation_id="listMessages",
        summary="List messages, newest occasion first",
        operation_class=operation(
            documents.AFTER,
            documents.LIMIT,
            documents.STATUS,
            documents.USER_ID,
            needs=Scope.MESSAGES_READ,
            answer={"page": {"items": [documents.MESSAGE], "next": None}},
            with_headers=documents.LINKED,
            refuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
        ),
    )
    async def list(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[MessagePage]:
        """List the ledger in pages."""
        after = one_parameter(request, "after")
        page = await use_cases.list_messages(
            after=None if after is None else _message_cursor(after),
            limit=whole_number(request, "limit", 100, 1, 1000),
            statuses=_statuses(request),
            user_id=user_id_parameter(request),
        )
        items = [MessageResource.of(view) for view in page.items]
        return linked_page(request, MessagePage, items, items[-1].key if page.more else None)

    @get(
        "/{key:str}",
        operation_id="getMessage",
        summary="Show a message",
        operation_class=operation(
            needs=Scope.MESSAGES_READ,
            answer={"message": documents.MESSAGE},
            refuses=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        ),
    )
    async def show(
        self, message_key: NamedDependency[MessageKey], use_cases: NamedDependency[UseCases]
    ) -> MessageResource:
        """Show one message."""
        return MessageResource.of(await use_cases.get_message(message_key))

    @post(
        "/{key:str}/retry",
        operation_id="retryMessage",
        summary="Send a message after all",
        status_code=HTTPStatus.OK,
        operation_class=_ACTION,
    )
    async def retry(
        self,
        request: AnyRequest,
        message_key: NamedDependency[MessageKey],
        use_cases: NamedDependency[UseCases],
    ) -> MessageResource:
        """Schedule a message again that is FAILED, EXPIRED, CANCELLED, SKIPPED or UNKNOWN.

        One of zero years leaves in the words for an unknown year.
        """
        return MessageResource.of(await use_cases.act_on_message.retry(message_key, await _reason(request)))

    @post(
        "/{key:str}/cancel",
        operation_id="cancelMessage",
        summary="Do not send a message",
        status_code=HTTPStatus.OK,
        operation_class=_ACTION,
    )
    async def cancel(
        self,
        request: AnyRequest,
        message_key: NamedDependency[MessageKey],
        use_cases: NamedDependency[UseCases],
    ) -> MessageResource:
        """Cancel a message that is SCHEDULED or RETRYING."""
        return MessageResource.of(await use_cases.act_on_message.cancel(message_key, await _reason(request)))

    @post(
        "/{key:str}/mark-sent",
        operation_id="markMessageSent",
        summary="Say that a message was sent",
        status_code=HTTPStatus.OK,
        operation_class=_ACTION,
    )
    async def mark_sent(
        self,
        request: AnyRequest,
        message_key: NamedDependency[MessageKey],
        use_cases: NamedDependency[UseCases],
    ) -> MessageResource:
        """Settle a message that is UNKNOWN, because somebody has found out that it arrived."""
        return MessageResource.of(
            await use_cases.act_on_message.mark_sent(message_key, await _reason(request))
        )


class SchedulerController(Controller):
    """The scheduler in numbers."""

    path = "/scheduler"
    tags = ("scheduler",)

    @get(
        "/stats",
        operation_id="schedulerStatistics",
        summary="Counts per status, and how the scheduler is",
        operation_class=operation(
            needs=Scope.MESSAGES_READ,
            answer={"statistics": documents.STATISTICS},
            with_headers=documents.SOURCE,
            refuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
        ),
    )
    async def statistics(self, use_cases: NamedDependency[UseCases]) -> Response[SchedulerResource]:
        """Count the messages of the ledger per status, and tell what the scheduler last did."""
        statistics = await use_cases.scheduler_statistics()
        return Response(
            SchedulerResource.of(
                statistics, use_cases.clock.now(), await use_cases.operator_reader.paused_channels()
            ),
            headers={"X-Cache": statistics.source.value, "Cache-Control": "private, no-cache"},
        )


async def _reason(request: AnyRequest) -> str | None:
    """Return why, if the request has a body that says so."""
    has_body = "content-type" in request.headers or request.headers.get("content-length", "0") != "0"
    reason = (await read_object(request, _REASON)).get("reason") if has_body else None
    if not isinstance(reason, str | None):
        raise InvalidField("reason", "This is to be a text.")
    return reason


def _message_cursor(text: str) -> MessageKey:
    try:
        return key_of(read_cursor(text))
    except ApplicationError:
        raise bad_cursor() from None


def _statuses(request: AnyRequest) -> Sequence[Status]:
    given: list[str] = request.query_params.getall("status", [])
    try:
        return [Status(text) for text in given]
    except ValueError:
        raise bad_parameter("status", f"Choose from {', '.join(Status)}.") from None
