"""The pages on the memory adapters behind a real socket, and a headless Chromium in front of them."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.site import Site, opened_site

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A browser that runs as long as the tests of one file."""
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine; on Debian, apt-get install chromium brings it.")
    async with async_playwright() as playwright:
        # Containers have no user namespaces, and nothing but our own pages is opened.
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def site(chromium: Browser) -> AsyncIterator[Site]:
    """The pages of a service of its own, whose clock stands at noon on 13 March 2027, UTC."""
    async with opened_site(chromium) as site:
        yield site
