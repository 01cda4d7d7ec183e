"""Every view on a telephone and on a desk, in light and in dark: readable by everybody, and all on one screen's width."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from tests.browser.scenes import VIEWS
from tests.browser.site import Site, findings, overflows

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (390, 1280)
HEIGHT = 844


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_can_be_read_by_everybody(site: Site, view: str, tmp_path: Path) -> None:
    first = {"width": WIDTHS[0], "height": HEIGHT}
    async with site.visitor(viewport=first, color_scheme=SCHEMES[0]) as page:
        await VIEWS[view](site, page)
        wrong = []
        for width, scheme in product(WIDTHS, SCHEMES):
            await page.set_viewport_size({"width": width, "height": HEIGHT})
            await page.emulate_media(color_scheme=scheme)
            found = [f"{width}, {scheme}: {finding}" async for finding in amiss(page, scheme)]
            if found:
                await page.screenshot(path=tmp_path / f"{view}-{width}-{scheme}.png", full_page=True)
            wrong += found
        assert wrong == [], tmp_path


async def amiss(page: Page, scheme: Scheme) -> AsyncIterator[str]:
    """Yield what keeps somebody from reading *page*."""
    for finding in await findings(page):
        yield finding
    if await overflows(page):
        yield "it is wider than the screen"
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background[4:-1].split(",")) / 3
    if (brightness > 128) != (scheme == "light"):
        yield f"its background is {background}"
