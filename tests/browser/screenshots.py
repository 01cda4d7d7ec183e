"""Takes the pictures of the guide: the operator's page on a telephone and on a desk, into docs/screenshots."""

import asyncio
import logging
import sys

import structlog
from playwright.async_api import async_playwright

from tests.architecture.sources import PROJECT
from tests.browser.conftest import CHROMIUM
from tests.browser.scenes import VIEWS
from tests.browser.site import opened_site

FOLDER = PROJECT / "docs" / "screenshots"
TAKEN = ("all-is-well", "much-is-wrong", "person")
SIZES = {"phone": (390, 844), "desktop": (1280, 960)}


async def take() -> None:
    if CHROMIUM is None:
        sys.exit("There is no Chromium on this machine; on Debian, apt-get install chromium brings it.")
    FOLDER.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for view in TAKEN:
            for name, (width, height) in SIZES.items():
                viewport = {"width": width, "height": height}
                async with (
                    opened_site(browser) as site,
                    site.visitor(viewport=viewport, color_scheme="light") as page,
                ):
                    await VIEWS[view](site, page)
                    await page.wait_for_load_state()
                    await page.screenshot(path=FOLDER / f"{view}-{name}.png")
        await browser.close()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(take())
