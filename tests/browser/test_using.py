"""How the page is used: with a keyboard, without a script, and while it brings itself up to date."""

from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from domain.message import MessageKey, Status
from tests.browser.scenes import run_into_trouble, somebody
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

REASON = "She was told by telephone."
FINE = "Everything due has been sent."


async def let_time_pass(page: Page) -> None:
    """Let the page believe that it is time to look again, and wait until it has."""
    async with page.expect_response(lambda answer: answer.url.endswith("/")):
        await page.clock.run_for(10_500)


async def opened_with_clock(page: Page) -> None:
    """Open the first page, whose timers go by a clock of the test's from then on."""
    await page.clock.install()
    await page.goto("/")


def headline(page: Page) -> Any:
    return page.get_by_role("heading", level=1)


async def test_it_brings_itself_up_to_date(site: Site) -> None:
    async with site.visitor() as page:
        await opened_with_clock(page)
        await expect(headline(page)).to_contain_text(f"{FINE} Nothing is due")
        await expect(page.locator("#freshness")).to_contain_text("As of 12:00:00 UTC")
        await run_into_trouble(site.service)
        await let_time_pass(page)
        await expect(headline(page)).to_contain_text(
            "1 unknown, 1 failed and 2 expired messages need somebody."
        )
        await expect(headline(page)).to_have_class("tone-bad")
        await expect(page.get_by_role("link", name="Decide about")).to_have_count(4)
        await expect(page.locator("#freshness")).to_contain_text("As of 08:00:00 UTC")
        await expect(page).to_have_title("⚠ Birthdays")


async def test_what_one_is_about_to_use_stays_in_hand(site: Site) -> None:
    """The focus stays on the link, and what was typed in the search, although all around them is replaced."""
    async with site.visitor() as page:
        await run_into_trouble(site.service)
        await opened_with_clock(page)
        await page.get_by_label("Find a person").fill("half a na")
        link = page.get_by_role("link", name="Decide about").nth(1)
        place = await link.get_attribute("href")
        await link.focus()
        first = await page.get_by_role("link", name="Decide about").first.get_attribute("href") or ""
        key = MessageKey.parse(first.rpartition("/")[2])
        await site.service.operator.mark_sent(key)
        await let_time_pass(page)
        await expect(page.get_by_role("link", name="Decide about")).to_have_count(3)
        assert await page.evaluate("document.activeElement.getAttribute('href')") == place
        await expect(page.get_by_label("Find a person")).to_have_value("half a na")


async def test_the_strip_stays_where_it_was_pushed(site: Site) -> None:
    async with site.visitor() as page:
        await opened_with_clock(page)
        await page.evaluate("document.querySelector('.strip').scrollLeft = 400")
        await site.service.register(somebody(0))
        await let_time_pass(page)
        await expect(page.locator(".greeted")).to_have_count(1)
        assert await page.evaluate("document.querySelector('.strip').scrollLeft") == 400


async def test_a_list_that_was_opened_stays_open(site: Site) -> None:
    async with site.visitor() as page:
        for number in range(9):
            await site.service.register(somebody(number, timezone="Europe/Berlin"))
        await opened_with_clock(page)
        await page.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".coming li").nth(8)).to_be_visible()
        await site.service.register(somebody(9, timezone="Europe/Berlin"))
        await let_time_pass(page)
        await expect(page.locator(".coming li")).to_have_count(14)
        await expect(page.locator(".coming li").nth(13)).to_be_visible()
        await expect(page.locator("summary")).to_be_focused()


async def test_the_numbers_over_the_bars_do_not_lie_on_each_other(site: Site) -> None:
    zones = ("Europe/Athens", "Europe/Berlin", "Europe/London", "Atlantic/Azores")
    rows = "".join(f"p{n}@example.com,Jo,Doe,{zones[n % 4]},1990-03-14\n" for n in range(1200))
    await site.service.import_csv("email,first_name,last_name,timezone,birthday\n" + rows)
    for width in (320, 390, 768, 1280):
        async with site.visitor(viewport={"width": width, "height": 844}) as page:
            await page.goto("/")
            await expect(page.locator(".hours .count").filter(has_text="300")).to_have_count(4)
            overlap = await page.evaluate(
                """() => {
                    const boxes = [...document.querySelectorAll(".hours .count")]
                        .filter((one) => one.textContent.trim())
                        .map((one) => {
                            const range = document.createRange();
                            range.selectNodeContents(one);
                            return range.getBoundingClientRect();
                        });
                    return boxes.some((one, place) => place && boxes[place - 1].right > one.left + 0.5);
                }"""
            )
            assert not overlap, width
            bottoms = await page.evaluate(
                "[...document.querySelectorAll('.hours svg')].map((one) => one.getBoundingClientRect().bottom)"
            )
            assert len(set(bottoms)) == 1, "all bars stand on one line"


async def test_updates_can_be_paused(site: Site) -> None:
    async with site.visitor() as page:
        await opened_with_clock(page)
        button = page.get_by_role("button", name="Pause updates")
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        asked = len(site.asked)
        await page.clock.run_for(60_000)
        assert len(site.asked) == asked
        async with page.expect_response(lambda answer: answer.url.endswith("/")):
            await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")


async def test_a_service_that_does_not_answer_is_told_and_found_again(site: Site) -> None:
    async def hang_up(route: Route) -> None:
        await route.abort()

    async with site.visitor() as page:
        await opened_with_clock(page)
        await page.route("**/*", hang_up)
        async with page.expect_event("requestfailed"):
            await page.clock.run_for(10_500)
        stale = page.get_by_text("The service has not answered since.")
        await expect(stale).to_have_count(1)
        await expect(headline(page)).to_contain_text(FINE)
        await page.unroute("**/*")
        await let_time_pass(page)
        await expect(stale).to_have_count(0)


async def test_a_database_that_is_away_is_told_and_found_again(site: Site) -> None:
    async with site.visitor() as page:
        await opened_with_clock(page)
        site.service.store.is_reachable = False
        await let_time_pass(page)
        await expect(headline(page)).to_contain_text("The database cannot be reached")
        await expect(page.get_by_role("heading", name="Needs somebody")).to_have_count(0)
        site.service.store.is_reachable = True
        await let_time_pass(page)
        await expect(headline(page)).to_contain_text(FINE)
        await expect(page.get_by_role("heading", name="Needs somebody")).to_have_count(1)


async def test_without_a_script_everything_works_and_the_page_loads_itself_anew(site: Site) -> None:
    async with site.visitor(java_script_enabled=False) as page:
        await run_into_trouble(site.service)
        await page.goto("/")
        await expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
        assert await page.locator("meta[http-equiv=refresh]").get_attribute("content") == "30"
        await page.get_by_role("link", name="Decide about").first.click()
        assert await page.locator("meta[http-equiv=refresh]").count() == 0, "nothing that is typed gets lost"
        await page.get_by_label("Why?").fill(REASON)
        await page.get_by_role("button", name="It arrived").click()
        await expect(page.get_by_text(REASON)).to_be_visible()
        await page.get_by_label("Find a person").fill("turing")
        await page.get_by_role("button", name="Find").click()
        await expect(page.get_by_role("heading", name="Nobody was found")).to_be_visible()
        await page.get_by_label("Find a person").fill("grace")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        assert "grace" not in page.url.lower()


async def test_with_a_keyboard_alone_a_decision_is_made(site: Site) -> None:
    async with site.visitor() as page:
        places = await run_into_trouble(site.service)
        await page.goto("/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await press_until(page, "Decide")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Decide").wait_for()
        await press_until(page, "reason")
        await page.keyboard.type(REASON)
        await press_until(page, "It arrived")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await expect(page.get_by_text("An operator says that it arrived.")).to_be_visible()
    key = MessageKey.parse(places[Status.UNKNOWN].rpartition("/")[2])
    assert (await site.service.ledger.get(key)).status == Status.SENT  # type: ignore[union-attr]  # it is there


async def press_until(page: Page, wanted: str) -> None:
    """Press Tab until the focus, which must be visible, is on what is called so."""
    for _ in range(30):
        await page.keyboard.press("Tab")
        told = await page.evaluate(
            """() => {
                const one = document.activeElement, style = getComputedStyle(one);
                return [one.id + one.textContent, style.outlineStyle !== 'none' && style.outlineWidth !== '0px'];
            }"""
        )
        name, is_seen = told
        assert is_seen, f"nobody sees that the focus is on {name}"
        if wanted in name:
            return
    raise AssertionError(f"{wanted} was not reached")


async def test_a_form_is_not_believed_from_another_place(site: Site) -> None:
    """A page elsewhere sends a form here: the cookie stays at home, and nothing is done."""
    places = await run_into_trouble(site.service)
    elsewhere = site.address.replace("127.0.0.1", "localhost")
    async with site.visitor() as page:
        await page.goto("/")
        await page.route(
            f"{elsewhere}/**",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f"""<form method="post" action="{site.address}{places[Status.FAILED]}">
                    <input name="reason" value="x"><input name="token" value="x">
                    <button name="action" value="leave">Win</button></form>""",
            ),
        )
        site.asked.clear()
        await page.goto(f"{elsewhere}/")
        await page.get_by_role("button", name="Win").click()
        await expect(headline(page)).to_contain_text("not logged in")  # the cookie has stayed at home
        site.asked.clear()
    key = MessageKey.parse(places[Status.FAILED].rpartition("/")[2])
    message = await site.service.ledger.get(key)
    assert message is not None
    assert message.reason == "refused"
