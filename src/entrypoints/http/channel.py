"""The routes of the channel by which messages leave."""

from http import HTTPStatus
from typing import Literal

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Reference, RequestBody, Schema
from litestar.params import FromPath

from application.deliveries import Sent
from application.errors import ChannelNotStopped
from domain.access import Scope
from domain.errors import InvalidField
from entrypoints.http import documents
from entrypoints.http.operations import operation, shown_example
from entrypoints.http.requests import JSON, AnyRequest, read_object
from entrypoints.http.resources import Resource
from entrypoints.http.use_cases import UseCases

_FIELDS: dict[str, Reference | Schema] = {
    "email": Schema(
        type=OpenAPIType.STRING,
        description="An address of yours; nothing of it is kept.",
        format=OpenAPIFormat.EMAIL,
    )
}
_BODY = RequestBody(
    required=True,
    content={
        JSON: OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT, properties=_FIELDS, required=["email"], additional_properties=False
            ),
            examples={"body": shown_example({"email": "operator@example.com"})},
        )
    },
)


class TrialResource(Resource, frozen=True):
    """What the channel said; *reason* is null where it has taken the message over."""

    channel: str
    outcome: Literal["sent", "not-sent"]
    reason: str | None


class ChannelController(Controller):
    """The channel by which messages leave, and what an operator can do with it."""

    tags = ("channel",)

    @post(
        "/channel/test",
        operation_id="sendTestMessage",
        summary="Send a test message",
        status_code=HTTPStatus.OK,
        operation_class=operation(
            needs=Scope.ADMIN,
            request=_BODY,
            answer={
                "sent": {"channel": "smtp", "outcome": "sent", "reason": None},
                "refused": {
                    "channel": "smtp",
                    "outcome": "not-sent",
                    "reason": "The mail server refuses us (535).",
                },
            },
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            ),
        ),
    )
    async def test(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> TrialResource:
        """Send the birthday message of somebody made up, marked as a test, by the channel; the ledger keeps nothing."""
        email = (await read_object(request, _FIELDS)).get("email")
        if not isinstance(email, str):
            raise InvalidField("email", "This is to be a text.")
        outcome = await use_cases.send_trial(email)
        name = use_cases.send_trial.channel.name
        if isinstance(outcome, Sent):
            return TrialResource(name, "sent", None)
        return TrialResource(name, "not-sent", outcome.reason)

    @post(
        "/channels/{name:str}/resume",
        operation_id="resumeChannel",
        summary="Let a channel go on",
        status_code=HTTPStatus.NO_CONTENT,
        operation_class=operation(
            needs=Scope.MESSAGES_ACT,
            request=documents.WITH_REASON,
            answer={},
            refuses=(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            ),
        ),
    )
    async def resume(
        self, request: AnyRequest, name: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> None:
        """End a pause that the far side asked for, or confirm what the brake has found; why is kept."""
        told = await read_object(request, {"reason"})
        reason = told.get("reason")
        if not isinstance(reason, str):
            raise InvalidField("reason", "Say why, in a few words.")
        if not await use_cases.resume_channel(name, reason):
            raise ChannelNotStopped
