"""The API over the memory adapters, and short words for what its tests look at."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import attrs
import httpx
from litestar.testing import TestClient
from litestar.types import ASGIApp

from adapters.delivery.texts import JinjaTexts
from adapters.memory.answers import MemoryAnswers
from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.permits import MemoryPermits
from adapters.memory.person_reader import MemoryPersonReader
from adapters.metrics import PrometheusMetrics
from application.access import Access, NewKey
from application.cached_reader import UncachedUserReader
from application.exports import ExportUsers, WhereItIsWritten
from application.feeds import Feeds
from application.finding import FindPeople
from application.imports import ImportUsers
from application.key_texts import new_key_text
from application.limiting import LIMITS, Limiter
from application.messages import ActOnThoseInNeed, GetMessage, ListMessages, ResumeChannel
from application.occasions import ComputeTodaysList, ShowTodaysList
from application.overview import LatenessOfDays, ShowOverview
from application.personal_export import ExportPerson
from application.ports import UnitOfWorkFactory, UserReader
from application.statistics import SchedulerState, SchedulerStatistics
from application.texts import PreviewText
from application.trial import SendTrial
from application.undoing import UndoImport
from application.unsubscribing import LookAtLink, RevokeLinks, Unsubscribe
from application.upcoming_of_user import UpcomingOfUser
from application.users import ChangeUser, FindUserByEmail, GetUser, ListUsers, RegisterUser, RemoveUser
from domain.access import ApiKey, Scope
from entrypoints.http.edges import with_edges
from entrypoints.http.use_cases import UseCases
from tests.contract.adapters import POLICY, START
from tests.http import shared_app
from tests.use_cases.service import Service

T = TypeVar("T")

ADA: Mapping[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/Berlin",
    "birthdayDate": "1990-03-14",
}
"""Somebody who turns 37 tomorrow: the clock stands at noon on 13 March 2027, UTC."""


def _admin() -> NewKey:
    text = new_key_text("ad0000000000")
    scopes = frozenset({Scope.ADMIN})
    key = ApiKey(id=text.id, name="tests", scopes=scopes, digest=text.digest, created_at=START)
    return NewKey(key, text.text)


ADMIN = _admin()
"""A key that may do everything, and that every world knows."""
AS_ADMIN = {"Authorization": f"Bearer {ADMIN.text}"}
TEXTS = JinjaTexts(None, "en")
NOBODY = "01900000-0000-7000-8000-000000000000"
NO_MESSAGE = f"2027-03-14.birthday.{NOBODY}"


def use_cases_of(
    service: Service,
    state: SchedulerState,
    *,
    users: UserReader | None = None,
    unit_of_work: UnitOfWorkFactory | None = None,
) -> UseCases:
    """Wire the use cases as the service does, on other adapters where they are given."""
    metrics = PrometheusMetrics()
    users, unit_of_work = users or service.users, unit_of_work or service.unit_of_work
    keys = MemoryApiKeys(service.store)
    # Put there by hand: nobody waits here, and no test begins with making a key.
    keys._held[ADMIN.key.id] = ADMIN.key
    access, export_users = Access.over(keys, service.clock), ExportUsers(WhereItIsWritten(users), POLICY)
    return UseCases(
        access=access,
        limiter=Limiter(MemoryPermits(), LIMITS, lambda: service.clock.now().timestamp()),
        answers=MemoryAnswers(service.store),
        register_user=RegisterUser(unit_of_work, POLICY),
        change_user=ChangeUser(unit_of_work, POLICY),
        look_at_link=LookAtLink(unit_of_work, service.links),
        unsubscribe=Unsubscribe(unit_of_work, service.links, POLICY),
        revoke_links=RevokeLinks(unit_of_work),
        export_person=ExportPerson(MemoryPersonReader(service.store), service.trail, unit_of_work),
        remove_user=RemoveUser(unit_of_work, POLICY),
        get_user=GetUser(UncachedUserReader(users)),
        find_user_by_email=FindUserByEmail(UncachedUserReader(users)),
        list_users=ListUsers(users),
        upcoming_of_user=UpcomingOfUser(users, service.ledger, POLICY, service.clock),
        import_users=ImportUsers(unit_of_work, POLICY),
        undo_import=UndoImport(unit_of_work, POLICY),
        export_users=export_users,
        feeds=Feeds(access, keys, users, export_users),
        todays_list=ShowTodaysList(ComputeTodaysList(service.ledger, service.clock)),
        list_messages=ListMessages(service.ledger),
        get_message=GetMessage(service.ledger),
        act_on_message=service.operator,
        metrics=metrics,
        scheduler_statistics=SchedulerStatistics(service.ledger, state),
        show_overview=ShowOverview(
            service.looked_at,
            service.trail,
            LatenessOfDays(service.looked_at),
            POLICY,
            service.clock,
            state,
            metrics,
        ),
        find_people=FindPeople(users, service.looked_at),
        operator_reader=service.looked_at,
        audit_reader=service.trail,
        resume_channel=ResumeChannel(unit_of_work),
        act_on_those_in_need=ActOnThoseInNeed(service.looked_at, service.operator),
        preview_text=PreviewText(TEXTS),
        send_trial=SendTrial(service.channel, service.clock),
        message_reader=service.ledger,
        scheduler_state=state,
        clock=service.clock,
    )


def client_of(use_cases: UseCases) -> TestClient[ASGIApp]:
    """Return a client who shows a key that may do everything."""
    client = TestClient(app_of(use_cases))
    client.headers.update(AS_ADMIN)
    return client


def app_of(use_cases: UseCases) -> ASGIApp:
    return with_edges(shared_app.over(use_cases), use_cases)


@attrs.frozen
class Api:
    """A client of the API, and the service behind it."""

    service: Service
    client: TestClient[ASGIApp]

    def __call__(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return self.client.request(method, path, **rest)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self("GET", path, headers=_header_names(headers))

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        return self("POST", path, json=body, headers=_header_names(headers))

    def put(self, path: str, body: object, **headers: str) -> httpx.Response:
        return self("PUT", path, json=body, headers=_header_names(headers))

    def patch(self, path: str, body: object, **headers: str) -> httpx.Response:
        return self("PATCH", path, json=body, headers=_header_names(headers))

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self("DELETE", path, headers=_header_names(headers))

    def do(self, what: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run something of the service's own on the loop of the application."""
        portal = self.client.blocking_portal
        return portal.call(what, *arguments)

    def register(self, **changes: Any) -> str:
        """Register Ada, or somebody who differs from her, and return where she is shown."""
        answer = self.post("/users", {**ADA, **changes})
        assert answer.status_code == HTTPStatus.CREATED, answer.text
        return answer.headers["location"]

    def message_of(self, user: str) -> str:
        """Return where the only message of the user is shown."""
        [message] = self.get(f"/messages?userId={user.removeprefix('/users/')}").json()["items"]
        return f"/messages/{message['key']}"


def _header_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def problem(answer: httpx.Response, status: HTTPStatus) -> dict[str, Any]:
    """Return the problem that *answer* is, and check that it is one in every respect."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    assert found.keys() <= {"type", "title", "status", "detail", "errors"}
    assert (found["type"], found["title"], found["status"]) == ("about:blank", status.phrase, status.value)
    return found


def reasons(answer: httpx.Response) -> dict[str, str]:
    """Return what is wrong, by field or parameter; each is told once."""
    errors = problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY)["errors"]
    found = {one["field"]: one["detail"] for one in errors}
    assert len(found) == len(errors)
    return found
