"""A site to browse: the service behind it, how it is opened, and what no page of it may do."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page

from adapters.clock import SystemClock
from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.cache import MemoryCache
from application.access import Access
from application.statistics import SchedulerState
from entrypoints.http.use_cases import UseCases
from tests.contract.adapters import START
from tests.http.world import app_of, use_cases_of
from tests.use_cases.service import Service

_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # of all that is well it needs no list
}


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers, which tells when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@attrs.define(eq=False)
class Site:
    """The pages of *service*, and what its visitors noticed: nobody may ask elsewhere, or for what is forbidden."""

    service: Service
    use_cases: UseCases
    address: str
    _browser: Browser
    asked: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    @asynccontextmanager
    async def visitor(self, **options: Any) -> AsyncIterator[Page]:
        """Lend a tab of a new browser that has logged in; *options* are those of a context of Playwright's."""
        context: BrowserContext = await self._browser.new_context(base_url=self.address, **options)
        link = await self.use_cases.access.log_in.link()
        await context.request.get(f"/login?token={link}", max_redirects=0)
        page = await context.new_page()
        # A function, not a method: Playwright writes on what it is given.
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if "Security Policy" in said.text else None,
        )
        try:
            yield page
            assert not self.complaints
            assert [url for url in self.asked if not url.startswith(self.address)] == []
        finally:
            await context.close()


@asynccontextmanager
async def opened_site(browser: Browser) -> AsyncIterator[Site]:
    """Serve the pages of a new service until the end of the block."""
    service, state = (
        Service(),
        SchedulerState(started_at=START, last_plan_at=START, planned_until=START.date()),
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # Sessions are of real time, wherever a scene moves the service's clock.
        access = Access.over(MemoryApiKeys(service.store), SystemClock())
        use_cases = attrs.evolve(use_cases_of(service, state), cache=MemoryCache(), access=access)
        config = uvicorn.Config(app_of(use_cases), log_config=None, lifespan="off", access_log=False)
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await server.is_up.wait()
            yield Site(service, use_cases, f"http://127.0.0.1:{listener.getsockname()[1]}", browser)
        finally:
            server.should_exit = True
            await serving


async def findings(page: Page) -> list[str]:
    """Return what axe has to say against *page* as it is now, whatever the weight."""
    is_there = await page.evaluate("'axe' in window")  # half a megabyte, from the last look at the same page
    found = await (Axe("") if is_there else Axe()).run(page, options=_RULES)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'] for node in one['nodes']]}"
        for one in found.response["violations"]
    ]


async def overflows(page: Page) -> bool:
    """Tell whether one has to scroll sideways to see all of *page*."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def text_of(found: str | None) -> str:
    """Return what is to be read, in one line."""
    return re.sub(r"\s+", " ", found or "").strip()
