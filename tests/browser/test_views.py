"""Every view on a telephone and on a desk, in light and in dark: readable by everybody, and all on one screen's width."""

from pathlib import Path
from typing import Literal

import pytest

from tests.browser.scenes import VIEWS
from tests.browser.site import Site, findings, overflows

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ("light", "dark"))
@pytest.mark.parametrize("width", (390, 1280))
@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_can_be_read_by_everybody(
    site: Site, view: str, width: int, scheme: Scheme, tmp_path: Path
) -> None:
    async with site.visitor(viewport={"width": width, "height": 844}, color_scheme=scheme) as page:
        await VIEWS[view](site, page)
        await page.screenshot(path=tmp_path / f"{view}-{width}-{scheme}.png", full_page=True)
        assert await findings(page) == []
        assert not await overflows(page)
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in background[4:-1].split(",")) / 3
        assert (brightness > 128) == (scheme == "light")
