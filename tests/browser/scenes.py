"""What there is to be seen: how a service comes to each view of the page, and where that view is."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta

import attrs
from playwright.async_api import Page

from application.cache_ports import Poll
from application.observing import CacheObserver, Source
from domain.message import Status
from domain.occasion import Kind
from domain.user import UserId
from tests.browser.site import Site
from tests.contract.people import NINE_IN_BERLIN, message, person
from tests.http.pages import brake_channel, end_badly, pause_channel
from tests.use_cases.service import Service

_NAMES = [
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Margaret",
    "Niklaus",
    "Frances",
    "Tony",
    "Radia",
    "Ken",
]
_LAST_NAMES = [
    "Lovelace",
    "Hopper",
    "Turing",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Hamilton",
    "Wirth",
    "Allen",
    "Hoare",
    "Perlman",
    "Thompson",
]
_ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "Pacific/Auckland",
    "America/Argentina/ComodRivadavia",
)

Told = Mapping[str, str | None]


def somebody(number: int, **changes: str) -> Told:
    """Return somebody who has a birthday on 14 March, and an anniversary now and then."""
    first_name, last_name = _NAMES[number % len(_NAMES)], _LAST_NAMES[number * 5 % len(_LAST_NAMES)]
    return {
        "first_name": first_name,
        "last_name": last_name,
        "email": f"{first_name}.{last_name}.{number}@example.com".lower(),
        "timezone": _ZONES[number % len(_ZONES)],
        "birthday": f"{1960 + number}-03-14",
        "anniversary": "2019-03-14" if number % 3 == 0 else None,
        **changes,
    }


async def settle_in(service: Service, number: int = 40, birthday: str = "1990-03-14") -> None:
    """Let people come who are to be greeted soon, and have others been greeted in time."""
    for count in range(100, 100 + number):
        await service.register(somebody(count, birthday=birthday))
    past = [person(f"P{count}") for count in range(30)]
    async with service.unit_of_work() as uow:
        await uow.users.add(past)
        for days in range(1, 6):
            sent = [
                message(user, date(2027, 3, 13) - timedelta(days), status=Status.SENT)
                for user in past[days * 4 :]
            ]
            await uow.messages.save(
                [
                    attrs.evolve(one, sent_at=one.due_at + timedelta(milliseconds=70 * days * place))
                    for place, one in enumerate(sent)
                ]
            )
        await uow.commit()


def observer(site: Site) -> CacheObserver:
    """Return whom the cache of this site tells what happens."""
    metrics = site.use_cases.metrics
    assert isinstance(metrics, CacheObserver)
    return metrics


def read(site: Site, *, hits: int, misses: int) -> None:
    """Let the cache have been read so often, and the auditor have looked at a few of the hits."""
    for source, number in ((Source.HIT, hits), (Source.MISS, misses)):
        for _ in range(number):
            observer(site).value_read(source)
    for _ in range(hits // 10):
        observer(site).hit_audited(0.0, is_stale=False)
    observer(site).polled(
        Poll(acknowledged={}, overdue=frozenset(), pending=misses // 9, oldest_pending_s=0.2)
    )


async def run_into_trouble(service: Service) -> Mapping[Status, str]:
    """Let three messages end badly and the channel be paused; return where each is decided on, by status."""
    for count in range(3):
        await service.register(somebody(count, timezone="Europe/Berlin"))
    found = await end_badly(service)
    await service.register(somebody(30, timezone="Europe/Berlin", birthday="1980-03-15"))
    await pause_channel(service, NINE_IN_BERLIN + timedelta(days=1))
    return {status: f"/page/messages/{key}" for status, key in found.items()}


async def _nobody_yet(site: Site, page: Page) -> None:
    await page.goto("/")


async def _all_is_well(site: Site, page: Page) -> None:
    await settle_in(site.service)
    long = "Wolfeschlegelsteinhausenbergerdorff"
    await site.service.register(
        somebody(36, timezone="Pacific/Auckland", first_name=long, last_name=long.lower() * 2)
    )
    read(site, hits=957, misses=43)
    await page.goto("/")


async def _odd_names(site: Site, page: Page) -> None:
    """Names from right to left, without end, and of one letter; the longest name of a zone there is."""
    long = "Wolfeschlegelsteinhausenbergerdorff"
    names = [("محمد", "العبدالله (أبو علي)"), ("שלמה", "בן־דוד"), (long, long.lower() * 2), ("光", "O")]
    for number, (first_name, last_name) in enumerate(names * 3):
        zone = "America/Argentina/ComodRivadavia" if number % 2 else "Asia/Riyadh"
        told = {"first_name": first_name, "last_name": last_name, "timezone": zone}
        await site.service.register(somebody(number, **told))
    site.service.at(NINE_IN_BERLIN - timedelta(hours=17))
    await page.goto("/")
    await page.locator("summary").click()


async def _much_is_wrong(site: Site, page: Page) -> None:
    await run_into_trouble(site.service)
    await settle_in(site.service, 12, "1990-03-16")
    read(site, hits=1, misses=9)
    observer(site).hit_audited(5.0, is_stale=True)
    observer(site).breaker_changed("reading", "open")
    await page.goto("/")


async def _decision(site: Site, page: Page) -> None:
    places = await run_into_trouble(site.service)
    await page.goto(places[Status.UNKNOWN])


async def _refused_decision(site: Site, page: Page) -> None:
    await _decision(site, page)
    await page.get_by_label("Why?").fill(" ")
    await page.get_by_role("button", name="Let it be").click()
    await page.get_by_role("alert").wait_for()


async def _refused_for_all(site: Site, page: Page) -> None:
    await run_into_trouble(site.service)
    await page.goto("/")
    await page.get_by_role("link", name="Decide on all 2 expired messages").click()
    await page.get_by_label("Why?").fill(" ")
    await page.get_by_role("button", name="Let it be").click()
    await page.get_by_role("alert").wait_for()


async def _person(site: Site, page: Page) -> None:
    places = await run_into_trouble(site.service)
    await page.goto(places[Status.EXPIRED])
    await page.get_by_label("Why?").fill("She was told by telephone.")
    await page.get_by_role("button", name="Let it be").click()
    await page.get_by_role("heading", level=1).get_by_role("link").click()
    await page.get_by_role("heading", name="What comes").wait_for()


async def _found(site: Site, page: Page) -> None:
    await settle_in(site.service, 12)
    await page.goto("/")
    await page.get_by_label("Find a person").fill("h")
    await page.get_by_role("button", name="Find").click()
    await page.get_by_role("heading", name="people").wait_for()


async def _paused_channel(site: Site, page: Page) -> None:
    await run_into_trouble(site.service)
    await page.goto("/page/channels/memory")


async def _braked(site: Site, page: Page) -> None:
    await brake_channel(site.service)
    await page.goto("/")


async def _braked_channel(site: Site, page: Page) -> None:
    await _braked(site, page)
    await page.get_by_role("link", name="Confirm that they may leave").click()
    await page.get_by_role("heading", name="The brake has stopped the channel").wait_for()


async def _not_logged_in(site: Site, page: Page) -> None:
    await page.context.clear_cookies()
    await page.goto("/")
    await page.get_by_role("heading", name="This browser is not logged in.").wait_for()


async def _spent_link(site: Site, page: Page) -> None:
    await page.goto("/login?token=bday_spent")
    await page.get_by_role("heading", name="This link was used before").wait_for()


async def _way_out(site: Site, page: Page) -> None:
    user = await site.service.register(somebody(1))
    await page.goto(f"/unsubscribe/{site.service.links.token(UserId(user.id), Kind.BIRTHDAY, 0)}")
    await page.get_by_role("button", name="No more birthday messages").wait_for()


async def _got_out(site: Site, page: Page) -> None:
    await _way_out(site, page)
    await page.get_by_role("button", name="No more birthday messages").click()
    await page.get_by_role("heading", name="You have got out").wait_for()


async def _away(site: Site, page: Page) -> None:
    site.service.store.is_reachable = False
    await page.goto("/")


VIEWS: Mapping[str, Callable[[Site, Page], Awaitable[None]]] = {
    "nobody-yet": _nobody_yet,
    "all-is-well": _all_is_well,
    "odd-names": _odd_names,
    "much-is-wrong": _much_is_wrong,
    "decision": _decision,
    "refused-decision": _refused_decision,
    "refused-for-all": _refused_for_all,
    "person": _person,
    "found": _found,
    "paused-channel": _paused_channel,
    "braked": _braked,
    "braked-channel": _braked_channel,
    "not-logged-in": _not_logged_in,
    "spent-link": _spent_link,
    "way-out": _way_out,
    "got-out": _got_out,
    "away": _away,
}
