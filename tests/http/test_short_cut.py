"""The short cut of GET /users/{id} answers as the route does, to the last header."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast

import attrs
import httpx
import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send
from structlog.typing import EventDict

from application.limiting import LIMITS, RequestClass
from application.statistics import SchedulerState
from domain.access import Scope as Right
from entrypoints.http import edges
from entrypoints.http.edges import with_edges
from entrypoints.http.short_cut import ShortCut
from entrypoints.http.use_cases import UseCases
from tests.http.world import AS_ADMIN, NOBODY, Api, client_of, use_cases_of
from tests.use_cases.service import Service

OWN = {"x-request-id", "date"}
REMAINING = "ratelimit"


class NoShortCut(ShortCut):
    """Leaves everything to the routes."""

    def asked_for(self, scope: Scope) -> None:
        return None


def client_without(use_cases: UseCases) -> TestClient[ASGIApp]:
    """Return a client of the same application without the short cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edges, "ShortCut", NoShortCut)
        return client_of(use_cases)


@pytest.fixture
def routes(use_cases: UseCases) -> Iterator[TestClient[ASGIApp]]:
    with client_without(use_cases) as client:
        yield client


@attrs.frozen
class Ways:
    """Both ways to the same service, in which there is Ada."""

    short: TestClient[ASGIApp]
    routes: TestClient[ASGIApp]
    ada: str


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    """One for the whole table, since whoever reads changes nothing."""
    service = Service()
    use_cases = use_cases_of(service, SchedulerState())
    with client_of(use_cases) as short, client_without(use_cases) as routes:
        yield Ways(short, routes, Api(service, short).register())


def told(answer: httpx.Response) -> tuple[int, bytes, Mapping[str, str]]:
    headers = {name: value for name, value in answer.headers.items() if name not in {*OWN, REMAINING}}
    return answer.status_code, answer.content, headers


@pytest.mark.parametrize("method", ("GET", "HEAD"))
@pytest.mark.parametrize(
    "headers",
    (
        {},
        {"authorization": ""},
        {"authorization": "Basic x"},
        {"authorization": "Bearer nonsense"},
        {"if-none-match": '"1"'},
        {"if-none-match": '"7"'},
        {"if-none-match": "nonsense"},
        {"if-match": '"7"'},
        {"idempotency-key": "x"},
        {"cookie": "birthdays_session=x"},
        {"accept": "text/html"},
        {"sec-fetch-site": "cross-site"},
    ),
    ids=str,
)
@pytest.mark.parametrize(
    "path", ("{ada}", f"/users/{NOBODY}", "{ada}/", "{ada}?x=1", "{ADA}", "/users/nonsense", "{ada}?")
)
def test_both_ways_answer_alike(ways: Ways, method: str, path: str, headers: Mapping[str, str]) -> None:
    path = path.format(ada=ways.ada, ADA=f"/users/{ways.ada.removeprefix('/users/').upper()}")
    answers = [client.request(method, path, headers=headers) for client in (ways.short, ways.routes)]
    assert told(answers[0]) == told(answers[1])


@pytest.mark.parametrize("right", (Right.USERS_READ, Right.MESSAGES_READ))
def test_both_ways_let_the_same_keys_pass(
    api: Api, ada: str, routes: TestClient[ASGIApp], right: Right
) -> None:
    made = api.post("/keys", {"name": "some", "scopes": [right.value]}).json()["text"]
    by_key = {"authorization": f"Bearer {made}"}
    answers = api("GET", ada, headers=by_key), routes.request("GET", ada, headers=by_key)
    assert told(answers[0]) == told(answers[1])
    assert answers[0].is_success == (right is Right.USERS_READ)


def test_both_ways_count_in_the_same_limit(
    api: Api, ada: str, routes: TestClient[ASGIApp], use_cases: UseCases
) -> None:
    left = [
        int(client.request("GET", ada).headers[REMAINING].partition("r=")[2].partition(";")[0])
        for client in (api.client, routes, api.client)
    ]
    assert left == [LIMITS[RequestClass.READ] - taken for taken in (1, 2, 3)]
    use_cases.limiter.limits = LIMITS | {RequestClass.READ: 3}
    answers = api.get(ada), routes.request("GET", ada)
    assert told(answers[0]) == told(answers[1])


async def test_the_plain_case_takes_the_short_cut_and_nothing_else_does(
    ada: str, use_cases: UseCases, logged: list[EventDict]
) -> None:
    went_on = []

    async def routes_of_nothing(scope: Scope, _receive: Receive, send: Send) -> None:
        went_on.append(scope["path"])
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    transport = httpx.ASGITransport(cast(Any, with_edges(routes_of_nothing, use_cases)))
    async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=AS_ADMIN) as client:
        assert (await client.get(ada)).status_code == HTTPStatus.OK
        assert went_on == []
        for path in (f"{ada}?x=1", "/users", f"{ada}/upcoming", f"/{ada}"):
            assert (await client.get(path)).status_code == HTTPStatus.IM_A_TEAPOT
        assert (await client.put(ada)).status_code == HTTPStatus.IM_A_TEAPOT
        conditional = {"if-none-match": '"1"'}
        assert (await client.get(ada, headers=conditional)).status_code == HTTPStatus.IM_A_TEAPOT
