"""The routes of the operator's page. Names and addresses stand in documents and forms, never in an address."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from application.cache_ports import CacheFigures, CacheUnavailable
from application.errors import StoreUnavailable, UserNotFound
from application.finding import FOUND_MAX
from application.headline import AWAY, FAILURES_MAX
from application.messages import AT_ONCE
from application.operator_ports import COUNTED_MAX
from domain.decision import REASON_LENGTH_MAX, allowed_to_operators
from domain.errors import IllegalTransition, InvalidField
from domain.message import IN_NEED, Action, MessageKey, Status
from domain.user import UserId
from entrypoints.http.access import SEND_A_KEY
from entrypoints.http.page.forms import form_token, read_form
from entrypoints.http.page.rendering import page
from entrypoints.http.problems import answer_problem
from entrypoints.http.requests import AnyRequest
from entrypoints.http.use_cases import UseCases

_DECISIONS_MAX = 50
_NEXT_SHOWN = 8
_LOG_IN = "This browser is not logged in. 'birthdays login' prints a link that does it, once."


def answer_trouble(request: AnyRequest, error: Exception) -> Response[Any]:
    """Litestar's exception handler for the pages: what the API says as a problem, as a document."""
    told = answer_problem(request, error)
    problem = told.content
    text = problem.detail or problem.title
    if isinstance(error, StoreUnavailable):
        text = AWAY.text
    elif text == SEND_A_KEY:
        text = _LOG_IN
    token, cookie = form_token(request)
    # What was asked for may be there again; what was sent must not be sent twice.
    is_live = isinstance(error, StoreUnavailable) and request.method == "GET"
    context = {"title": problem.title, "text": text, "is_live": is_live, "token": token}
    headers = {name: value for name, value in told.headers.items() if name.lower() != "content-type"}
    return page("trouble", context, status=problem.status, cookie=cookie, **headers)


class PageController(Controller):
    """For a person in front of a browser, and so no part of the API's document."""

    include_in_schema = False
    exception_handlers = {Exception: answer_trouble}  # noqa: RUF012  # Litestar's way to say it

    @get("/")
    async def overview(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[Any]:
        """Show how things stand."""
        overview = await use_cases.show_overview()
        is_reachable, figures = await _cache_now(use_cases)
        token, cookie = form_token(request)
        context = {
            "overview": overview,
            "now": overview.now,
            "highest": max(hour.messages for hour in overview.hours),
            "has_cache": use_cases.cache is not None,
            "is_cache_reachable": is_reachable,
            "cache_figures": figures,
            "failures_max": FAILURES_MAX,
            "counted_max": COUNTED_MAX,
            "next_shown": _NEXT_SHOWN,
            "token": token,
        }
        return page("overview", context, cookie=cookie)

    @get("/page/search")
    async def search(self, request: AnyRequest) -> Response[Any]:
        """Show a search of nothing: where a reload of what was found ends, too."""
        token, cookie = form_token(request)
        return page("found", {"people": None, "is_cut": False, "sought": "", "token": token}, cookie=cookie)

    @post("/page/search", status_code=HTTPStatus.OK)
    async def find(self, request: AnyRequest, use_cases: NamedDependency[UseCases]) -> Response[Any]:
        """Show who was found, or the only one."""
        sought = (await read_form(request)).get("sought", "")
        people = await use_cases.find_people(sought)
        if len(people) == 1:
            return Redirect(f"/page/people/{people[0].id}", status_code=303)
        token, cookie = form_token(request)
        return page(
            "found",
            {"people": people, "is_cut": len(people) == FOUND_MAX, "sought": sought, "token": token},
            cookie=cookie,
        )

    @get("/page/people/{id:str}")
    async def person(
        self, request: AnyRequest, user_id: NamedDependency[UserId], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Show when a person's messages go out, why then, and what became of the last ones."""
        found = await use_cases.upcoming_of_user(user_id)
        token, cookie = form_token(request)
        context = {
            "now": use_cases.clock.now(),
            "person": found.user,
            "upcoming": found.upcoming,
            "past": found.past,
            "deeds": (await use_cases.audit_reader.page(None, _DECISIONS_MAX, user_id)).items,
            "token": token,
        }
        return page("person", context, cookie=cookie)

    @get("/page/messages/{key:str}")
    async def message(
        self,
        request: AnyRequest,
        message_key: NamedDependency[MessageKey],
        use_cases: NamedDependency[UseCases],
    ) -> Response[Any]:
        """Show a message, and what can be done with it."""
        return await _message_page(request, use_cases, message_key)

    @post("/page/messages/{key:str}", status_code=HTTPStatus.OK)
    async def decide(
        self,
        request: AnyRequest,
        message_key: NamedDependency[MessageKey],
        use_cases: NamedDependency[UseCases],
    ) -> Response[Any]:
        """Do what was decided, and show what came of it."""
        form = await read_form(request)
        reason = form.get("reason", "")
        try:
            await use_cases.act_on_message(_action(form), message_key, reason)
        except InvalidField as error:
            return await _message_page(
                request,
                use_cases,
                message_key,
                wrong=str(error),
                reason=reason,
                status=HTTPStatus.UNPROCESSABLE_ENTITY,
            )
        except IllegalTransition as error:
            # Somebody else was faster: what is allowed now is shown.
            return await _message_page(
                request, use_cases, message_key, wrong=str(error), reason=reason, status=HTTPStatus.CONFLICT
            )
        return Redirect(f"/page/messages/{message_key}", status_code=303)

    @get("/page/attention/{status:str}")
    async def those_in_need(
        self, request: AnyRequest, status: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Show how many messages of a status need somebody, and what can be done with all of them."""
        return await _attention_page(request, use_cases, _status(status))

    @post("/page/attention/{status:str}", status_code=HTTPStatus.OK)
    async def decide_on_all(
        self, request: AnyRequest, status: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Do with all of them, or as many as are done at once, what was decided."""
        form = await read_form(request)
        reason, in_need = form.get("reason", ""), _status(status)
        try:
            decided = await use_cases.act_on_those_in_need(in_need, _action(form), reason)
        except (InvalidField, IllegalTransition) as error:
            return await _attention_page(request, use_cases, in_need, wrong=str(error), reason=reason)
        more = decided == AT_ONCE
        return Redirect(f"/page/attention/{status}" if more else "/", status_code=303)

    @get("/page/channels/{name:str}")
    async def channel(
        self, request: AnyRequest, name: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Show a channel that is paused, or was until now."""
        return await _channel_page(request, use_cases, name)

    @post("/page/channels/{name:str}", status_code=HTTPStatus.OK)
    async def resume(
        self, request: AnyRequest, name: FromPath[str], use_cases: NamedDependency[UseCases]
    ) -> Response[Any]:
        """Let a channel go on."""
        reason = (await read_form(request)).get("reason", "")
        try:
            await use_cases.resume_channel(name, reason)
        except InvalidField as error:
            return await _channel_page(request, use_cases, name, wrong=str(error), reason=reason)
        return Redirect("/", status_code=303)


def _action(form: Mapping[str, str]) -> Action:
    try:
        return Action(form.get("action", ""))
    except ValueError:
        raise InvalidField("action", "Choose what to do.") from None


def _status(text: str) -> Status:
    for status in IN_NEED:
        if text == status.lower():
            return status
    raise NotFoundException


async def _attention_page(
    request: AnyRequest, use_cases: UseCases, status: Status, *, wrong: str | None = None, reason: str = ""
) -> Response[Any]:
    attention = await use_cases.operator_reader.attention(1)
    token, cookie = form_token(request)
    context = {
        "status": status,
        "count": attention.counts[status],
        "at_once": AT_ONCE,
        "actions": allowed_to_operators(status),
        "reason_length_max": REASON_LENGTH_MAX,
        "wrong": wrong,
        "reason": reason,
        "token": token,
    }
    code = HTTPStatus.OK if wrong is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return page("attention", context, status=code, cookie=cookie)


async def _message_page(
    request: AnyRequest,
    use_cases: UseCases,
    key: MessageKey,
    *,
    wrong: str | None = None,
    reason: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response[Any]:
    message = await use_cases.get_message(key)
    decisions = await use_cases.audit_reader.decided(_DECISIONS_MAX, key.user_id)
    token, cookie = form_token(request)
    context = {
        "now": use_cases.clock.now(),
        "message": message,
        "name": await _name_of(use_cases, key.user_id),
        "actions": allowed_to_operators(Status(message.status)),
        "decisions": [one for one in decisions if one.message == key],
        "reason_length_max": REASON_LENGTH_MAX,
        "wrong": wrong,
        "reason": reason,
        "token": token,
    }
    return page("message", context, status=status, cookie=cookie)


async def _channel_page(
    request: AnyRequest, use_cases: UseCases, name: str, *, wrong: str | None = None, reason: str = ""
) -> Response[Any]:
    paused = await use_cases.operator_reader.paused_channels()
    token, cookie = form_token(request)
    context = {
        "paused": next((one for one in paused if one.name == name), None),
        "reason_length_max": REASON_LENGTH_MAX,
        "wrong": wrong,
        "reason": reason,
        "token": token,
    }
    status = HTTPStatus.OK if wrong is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return page("channel", context, status=status, cookie=cookie)


async def _name_of(use_cases: UseCases, user_id: UserId) -> str | None:
    try:
        user = (await use_cases.get_user(user_id)).value
    except UserNotFound:
        return None
    return f"{user.first_name} {user.last_name}"


async def _cache_now(use_cases: UseCases) -> tuple[bool, CacheFigures | None]:
    """Return whether the cache answers, and what it says of itself."""
    if use_cases.cache is None:
        return False, None
    try:
        return True, await use_cases.cache.figures()
    except CacheUnavailable:
        return False, None
