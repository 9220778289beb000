"""The pages in a real browser, over made-up data."""

import asyncio
import contextlib
import os
import time
from math import radians
from pathlib import Path

import pytest
from dashboards_fakes import FakeStore, posture_deg
from dashboards_house import ANNA, episode, made_up_day, open_house
from playwright.async_api import async_playwright

from dashboards.figure import paths
from poise.results import Activity, Kind

pytestmark = pytest.mark.browser
CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PERSON = "/person/home/P-0142"
WITHIN_MS = 20_000
"""A status that says "streaming" is believed for 8 s; the page looks each second, the store each 3 s."""
UNLABELLED = """() => [...document.querySelectorAll('a, button, input, summary, svg, [role=img]')].filter(e =>
    !e.closest('[aria-hidden=true]') && !(e.textContent.trim() || e.getAttribute('aria-label'))).length"""
CHANGES = """async ms => {
    const path = document.querySelector('.figure-stage .body [data-part=head]');
    const seen = new Set();
    const watch = new MutationObserver(() => seen.add(path.getAttribute('d')));
    watch.observe(path, {attributes: true, attributeFilter: ['d']});
    await new Promise(done => setTimeout(done, ms));
    return seen.size;
}"""

DRAW = """async angles => {
    const url = performance.getEntriesByType('resource').map(r => r.name).find(n => n.endsWith('figure.js'));
    const { draw } = await import(url);
    const rig = Object.values(mounted_app.elements).map(e => e.props.rig).find(Boolean);
    const svg = document.querySelector('.figure-stage .figure').cloneNode(true);
    draw(svg, rig, angles);
    const shapes = [...svg.querySelectorAll('.body [data-part]')];
    return Object.fromEntries(shapes.map(p => [p.dataset.part, p.getAttribute('d')]));
}"""


@pytest.fixture(autouse=True)
def chromium():
    if not CHROMIUM.exists():
        sentence = "Chromium is not installed: apt-get install chromium"
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)


class Visit:
    """A browser page that remembers what went wrong in it."""

    def __init__(self, house, page):
        self.house, self.page, self.trouble, self.asked = house, page, [], set()
        page.on("console", lambda m: self.trouble.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: self.trouble.append(str(e)))
        page.on("request", lambda r: self.asked.add(r.url))

    async def open(self, path, *, width=1280):
        await self.page.set_viewport_size({"width": width, "height": 900})
        await self.page.goto(self.house.url + path)

    async def sees(self, text):
        await self.page.get_by_text(text).first.wait_for(timeout=WITHIN_MS)


@contextlib.asynccontextmanager
async def browsing(store=None, **context):
    async with open_house(store) as house, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        try:
            page = await browser.new_page(timezone_id="Europe/Vienna", **context)
            visit = Visit(house, page)
            yield visit
            assert visit.trouble == []
            assert {url for url in visit.asked if not url.startswith((house.url, "data:"))} == set()
        finally:
            await browser.close()


async def test_the_list_says_who_and_why_and_opens_by_keyboard():
    async with browsing() as visit:
        await visit.open("/")
        await visit.sees("4 people · 1 with a reason to look")
        first = visit.page.locator(".people tbody tr").first
        assert "P-0098" in await first.inner_text()
        assert "No data since" in await first.inner_text()
        row = visit.page.locator(".people tbody tr", has_text="P-0142")
        for text in ("day 12 after injection", "simulated", "forward of upright · 92 % of 4 h 20 min seen"):
            assert text in await row.inner_text()
        assert await visit.page.evaluate(UNLABELLED) == 0
        for _ in range(2):
            await visit.page.keyboard.press("Tab")
        assert await visit.page.evaluate("document.activeElement.textContent") == "P-0142"
        assert await visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await visit.page.keyboard.press("Enter")
        await visit.sees("Posture now")


async def test_the_figure_moves_at_ten_hertz_or_more_and_says_the_posture():
    async with browsing() as visit:
        await visit.open(PERSON)
        await visit.sees("Near your upright")
        await asyncio.sleep(2)
        assert await visit.page.evaluate(CHANGES, 1000) >= 10
        visit.house.body.kind = Kind.FORWARD_HEAD
        await visit.page.locator(
            ".figure[data-tone=drifting][aria-label='Side view: Forward head.']"
        ).wait_for()
        await visit.page.get_by_text("beyond your upright for").wait_for()
        drawn_from = "Drawn from head, C7, T4, lower back, left scapula and right scapula."
        assert drawn_from in await visit.page.locator(".now-words").inner_text()
        assert "all times are" not in await visit.page.locator(".top").inner_text()
        assert "Sitting, an estimate" in await visit.page.locator(".now-words").inner_text()
        assert await visit.page.locator(".advice").count() == 0
        visit.house.body.activity = Activity.WALKING
        visit.house.body.advice = ("Sit tall for <five> seconds.",)
        await visit.page.locator(".figure[data-tone=unknown]").wait_for(timeout=WITHIN_MS)
        assert "Posture is not judged while walking." in await visit.page.locator(".now-words").inner_text()
        region = visit.page.get_by_role("status", name="What to do")
        assert await region.inner_text() == "Sit tall for <five> seconds."


async def test_the_browser_draws_exactly_what_the_server_draws():
    angles = {name: radians(deg) for name, deg in posture_deg(Kind.SLOUCH).items()}
    async with browsing() as visit:
        await visit.open(PERSON)
        await visit.sees("Near your upright")
        assert await visit.page.evaluate(DRAW, angles) == paths(angles)


async def test_silence_is_said_sensor_by_sensor_and_as_a_whole_and_ends():
    async with browsing() as visit:
        await visit.open(PERSON)
        await visit.sees("Near your upright")
        visit.house.body.lost = frozenset({"scapula_left"})
        line = visit.page.locator(".sensor-list li", has_text="Left scapula")
        await line.get_by_text("no data since").wait_for(timeout=WITHIN_MS)
        assert "sends data" in await visit.page.locator(".sensor-list li", has_text="C7").inner_text()
        visit.house.silent = True
        await visit.sees("No live data")
        assert "No data since" in await visit.page.locator(".fresh").inner_text()
        await visit.page.locator(".figure-stage .silent").wait_for(timeout=WITHIN_MS)
        visit.house.silent, visit.house.body.lost = False, frozenset()
        await visit.sees("Near your upright")
        await visit.page.locator(".figure-stage .figure:not(.silent)").wait_for()


async def test_a_new_episode_appears_and_the_store_going_away_is_said():
    async with browsing() as visit:
        await visit.open(PERSON)
        await visit.page.locator(".episode-list li").first.wait_for()
        before = await visit.page.locator(".episode-list").get_attribute("data-count")
        now = visit.house.now()
        visit.house.store.held[ANNA].append(episode(Kind.SLOUCH, now - 75_000_000, None, now))
        await visit.page.locator(".episode-list .going", has_text="1 min, still going on").wait_for(
            timeout=WITHIN_MS
        )
        assert await visit.page.locator(".episode-list").get_attribute("data-count") == str(int(before) + 1)
        visit.house.store.down = "The database is locked by another program."
        await visit.sees("The store cannot be read just now: The database is locked by another program.")
        visit.house.store.down = ""
        await visit.page.locator(".trouble:empty").wait_for(state="attached", timeout=WITHIN_MS)


async def test_tables_behind_the_charts_open_by_keyboard_and_stay_open():
    async with browsing() as visit:
        await visit.open(PERSON)
        summary = visit.page.get_by_text("The last two minutes as a table")
        await summary.focus()
        await visit.page.keyboard.press("Enter")
        await asyncio.sleep(2.5)
        table = visit.page.locator(".traces table")
        assert await table.is_visible()
        assert await table.locator("tbody tr").count() == 12
        assert await visit.page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert await visit.page.evaluate(UNLABELLED) == 0
        heads = await visit.page.evaluate("[...document.querySelectorAll('h1,h2')].map(h => h.tagName)")
        assert heads == ["H1", *["H2"] * 6]
        assert await visit.page.locator("main").count() == 1
        assert await visit.page.evaluate("document.documentElement.lang") == "en-GB"


@pytest.mark.parametrize("path", ["/", PERSON])
async def test_a_phone_needs_no_scrolling_sideways(path):
    async with browsing() as visit:
        await visit.open(path, width=390)
        await visit.sees("P-0142")
        await asyncio.sleep(1)
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == 390


async def test_those_who_want_no_motion_get_a_still_a_second():
    async with browsing(reduced_motion="reduce") as visit:
        await visit.open(PERSON)
        await visit.sees("Near your upright")
        await asyncio.sleep(1.5)
        assert await visit.page.evaluate(CHANGES, 2000) <= 3


async def test_empty_unknown_uncalibrated_and_unreachable_are_said_plainly():
    async with browsing(FakeStore()) as visit:
        await visit.open("/")
        await visit.sees("Nobody has sent any data yet.")
        for path in ("/person/home/nobody", "/person/home/%3Cscript%3E"):
            await visit.open(path)
            await visit.sees("Nobody is known here by that name.")
        visit.house.store.down = "The disk is full."
        await visit.open("/person/home/nobody")
        await visit.sees("The store cannot be read just now: The disk is full.")
        visit.house.store.down = ""
        made = made_up_day(visit.house.now())
        visit.house.store.persons, visit.house.store.statuses = made.persons, made.statuses
        visit.house.body.calibration = ""
        await visit.open(PERSON)
        await visit.sees("Not calibrated yet")
        await visit.sees("No posture has been judged yet today.")


async def test_the_viewer_elsewhere_is_told_the_wearers_zone():
    async with browsing() as visit:
        await visit.open("/person/home/P-0217")
        await visit.sees("all times are the wearer's, America/New_York, where it is")
        await visit.sees("Waiting for the sensors")


async def test_the_pages_close_within_two_seconds_with_a_browser_connected(caplog):
    async with contextlib.AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        async with open_house() as house:
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
            stack.push_async_callback(browser.close)
            page = await browser.new_page()
            await page.goto(house.url + PERSON)
            await page.get_by_text("Near your upright").first.wait_for()
            assert len(house.feed.watchers) == 1
            start = time.monotonic()
        assert time.monotonic() - start < 2.0
    assert [r for r in caplog.records if r.exc_info or r.levelname in ("ERROR", "CRITICAL")] == []
