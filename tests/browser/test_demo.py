"""The demonstration in a browser: its clock obeys, time passes before one's eyes, and what has left can be read."""

import contextlib
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.site import findings, overflows
from tests.service.running import COMMAND

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

AS_SLOW_AS_THE_WORLD = "1"


@contextlib.contextmanager
def demonstration(start: str, *more: str) -> Iterator[str]:
    """Run the command as somebody does who has no terminal at hand; lend the address of its page."""
    process = subprocess.Popen(
        [COMMAND, "demo", "--port", "0", "--start", start, *more],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = process.stderr.readline()
        found = re.fullmatch(r"In a browser: (http://127\.0\.0\.1:\d+/demo)\n", told)
        assert found, told
        yield found[1]
        process.terminate()
        left = process.stderr.read()
        assert process.wait(20) == 0
        assert "Traceback" not in left
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser) -> AsyncIterator[Page]:
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()


async def test_the_clock_obeys_and_what_has_left_can_be_read(page: Page, tmp_path: Path) -> None:
    with demonstration("2027-02-26T00:00:00Z", "--speed", AS_SLOW_AS_THE_WORLD) as address:
        await page.goto(address)
        await expect(page.locator("#clock")).to_contain_text("Fri 26 Feb 2027, 00:00 UTC")
        await expect(page.locator("#outbox")).to_contain_text("Nothing has left yet.")
        for button, speed in (("Faster", "2.0"), ("Slower", "1.0")):
            await page.get_by_role("button", name=button).click()
            await expect(page.locator("#controls")).to_contain_text(f"running at {speed} times as fast.")
        await page.get_by_role("button", name="Stop the clock").click()
        await expect(page.locator("#controls")).to_contain_text("paused")
        await page.get_by_role("button", name="To 28 February").click()
        await expect(page.locator("#clock")).to_contain_text("Sun 28 Feb 2027, 00:00 UTC", timeout=30_000)
        await expect(page.locator("#outbox")).to_contain_text("Nothing has left yet.")
        await page.get_by_role("button", name="Next message").click()
        # Nine in the morning in Rome.
        await expect(page.locator("#clock")).to_contain_text("Sun 28 Feb 2027, 08:00 UTC")
        letter = page.locator(".letters .card").first
        await expect(letter).to_contain_text("Gioachino Rossini")
        await expect(letter).to_contain_text("Sun 28 Feb 09:00 in Europe/Rome")
        await expect(letter).to_contain_text("29 Feb kept on 28 Feb (rule feb28)")
        await expect(letter).to_contain_text("Dear Gioachino")
        assert await findings(page) == []
        await page.screenshot(path=tmp_path / "demo.png", full_page=True)
        await page.set_viewport_size({"width": 390, "height": 844})
        assert not await overflows(page)
        await page.screenshot(path=tmp_path / "demo-390.png", full_page=True)
        await page.get_by_role("link", name="Birthdays", exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Everything due has been sent.")
        # The cache is one that is kept and looked after.
        await page.get_by_label("Find a person").fill("rossini")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="What happened").wait_for()
        for _ in range(3):
            await page.get_by_role("link", name="The message of 2027-02-28").click()
            await page.go_back()
        await page.get_by_role("link", name="Birthdays", exact=True).click()
        await expect(page.locator("#health")).to_contain_text(re.compile(r"Hit rate\s*[1-9]"))
        await page.get_by_role("link", name="Clock and outbox").click()
        await expect(page.locator("#outbox")).to_be_visible()


async def test_time_passes_before_ones_eyes_and_stands_still_at_the_end(page: Page) -> None:
    weeks = ("2027-05-01T00:00:00Z", "--until", "2027-07-10T00:00:00Z")
    with demonstration(*weeks, "--speed", "1e8") as address:
        await page.goto(address)
        # Without a touch: the page brings itself up to date.
        await expect(page.locator("#clock")).to_contain_text("Sat 10 Jul 2027, 00:00 UTC", timeout=60_000)
        await expect(page.locator("#controls")).to_contain_text("paused")
        heading = page.get_by_role("heading", level=2).first
        await expect(heading).to_have_text("Outbox: 14 messages have left")
