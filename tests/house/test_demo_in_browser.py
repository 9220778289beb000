"""`poise demo` as a person sees it: a real browser, the whole chain from Bluetooth bytes to the page."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
FIRST_EPISODE_S = 60
HEAD = ".figure-stage .body [data-part=head]"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    port = servers.free_port()
    program = Path(sys.executable).with_name("poise")
    command = [program, "demo", "--port", str(port), "--data", str(tmp_path / "demo")]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        servers.wait_for_port(port, demo)
        yield f"http://127.0.0.1:{port}"
    finally:
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=10)
    assert demo.returncode == 0
    assert b"Traceback" not in output, output.decode()


@pytest.fixture
def page() -> Iterator[Page]:
    if not CHROMIUM.exists():
        servers.missing("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser.new_page(viewport={"width": 1280, "height": 930})
        browser.close()


def test_the_figure_moves_and_the_first_episode_appears_within_a_minute(address: str, page: Page) -> None:
    began = time.monotonic()
    page.goto(address, timeout=60_000)  # what counts is the minute below; a busy machine may load slowly
    page.get_by_role("link", name=re.compile("P-0142")).click()
    expect(page.get_by_text("simulated").first).to_be_visible()
    # The figure moves once the wearer is calibrated.
    expect(page.get_by_text(re.compile("Near your upright|Drifting"))).to_be_visible(timeout=40_000)
    head = page.locator(HEAD)
    before = head.get_attribute("d")
    page.wait_for_function(
        "([path, d]) => document.querySelector(path).getAttribute('d') !== d", arg=[HEAD, before]
    )
    episode = page.get_by_text(re.compile("still going on"))
    expect(episode.first).to_be_visible(timeout=FIRST_EPISODE_S * 1000)
    assert time.monotonic() - began < FIRST_EPISODE_S
    expect(page.get_by_text(re.compile("^forward head$", re.IGNORECASE)).first).to_be_visible()
    if folder := os.environ.get("POISE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "demo.png")
