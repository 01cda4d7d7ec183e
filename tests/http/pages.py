"""The operator's page as a browser without a script uses it, and scenes to look at."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from http import HTTPStatus

import attrs
import httpx

from application.deliveries import FailedForGood, FailedForNow
from domain.brake import Brake
from domain.message import MessageKey, Status
from tests.contract.adapters import RETRIES, START, TERMS
from tests.contract.people import NINE_IN_BERLIN, message, person
from tests.http.world import Api
from tests.use_cases.service import Service

_TOKEN = re.compile(r'name="token" value="([^"]+)"')
EVIL = "<script>alert('Ada')</script>\" onload=\"x"


class Inspector(HTMLParser):
    """Goes through a page, and fails at what its policy forbids or what comes from anywhere else."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        assert tag != "style"
        assert tag != "script" or told == {"src": "/page/assets/page.js", "defer": None}
        for name, value in told.items():
            assert name != "style"
            assert not name.startswith("on"), name
            assert name not in {"href", "src", "action"} or re.match(r"/(?!/)|#", value or ""), value


def look(api: Api, path: str, status: HTTPStatus = HTTPStatus.OK) -> str:
    """Return a page, and check that it is one that keeps to itself."""
    return checked(api.get(path), status)


def checked(answer: httpx.Response, status: HTTPStatus = HTTPStatus.OK) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    Inspector(answer.text)
    return answer.text


def words(page: str) -> str:
    """Return what is to be read on *page*, in one line."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main.replace("<wbr>", ""))).split())


def send(
    api: Api, path: str, fields: Mapping[str, str], *, seen_at: str = "/", **headers: str
) -> httpx.Response:
    """Send a form as a browser does that has seen a page of ours."""
    found = _TOKEN.search(look(api, seen_at))
    assert found is not None
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api("POST", path, data={"token": found[1], **fields}, headers=named, follow_redirects=False)


async def end_badly(service: Service) -> Mapping[Status, MessageKey]:
    """Let the messages of three people, the only ones, who are due in Berlin, fail, be lost, and be missed."""
    service.at(NINE_IN_BERLIN)
    async with service.unit_of_work() as uow:
        claim = await uow.messages.claim(2, TERMS)
        await uow.commit()
    failed, lost = claim.deliveries
    async with service.unit_of_work() as uow:
        await uow.messages.settle([(failed, FailedForGood("no such mailbox"))], RETRIES, TERMS.channel)
        await uow.commit()
    service.let_leases_run_out()
    await service.keep()
    service.at(NINE_IN_BERLIN + timedelta(days=1))
    await service.keep()
    found = {Status(one.status): MessageKey.parse(one.key) for one in await service.messages()}
    assert found.keys() == {Status.FAILED, Status.UNKNOWN, Status.EXPIRED}
    assert found[Status.FAILED] == failed.key
    assert found[Status.UNKNOWN] == lost.key
    return found


async def pause_channel(service: Service, at: datetime = NINE_IN_BERLIN) -> None:
    """Let the far side ask for a pause of ten minutes when the message that is due *at* is sent."""
    service.at(at)
    async with service.unit_of_work() as uow:
        [delivery] = (await uow.messages.claim(1, TERMS)).deliveries
        outcome = FailedForNow("later", retry_after=timedelta(minutes=10))
        await uow.messages.settle([(delivery, outcome)], RETRIES, TERMS.channel)
        await uow.commit()


async def send_braked(service: Service) -> int:
    """Send with a brake that stops at three messages in an hour; return how many have left."""
    return (await attrs.evolve(service.send, brake=Brake(factor=5, least=2))()).claimed


async def brake_channel(service: Service) -> None:
    """Let three messages be due where two may be."""
    for number in range(3):
        told = {
            "first_name": "Ada",
            "last_name": "King",
            "timezone": "Europe/Berlin",
            "birthday": "1990-03-14",
        }
        await service.register({**told, "email": f"ada{number}@example.com"})
    service.at(START + timedelta(hours=21))
    assert await send_braked(service) == 0


async def miss_many(service: Service, number: int) -> None:
    """Let so many people have a message that missed its window."""
    people = [person(f"P{count}") for count in range(number)]
    async with service.unit_of_work() as uow:
        await uow.users.add(people)
        await uow.messages.save([message(user, status=Status.EXPIRED) for user in people])
        await uow.commit()
