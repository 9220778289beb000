"""Ctrl-C ends every program at once, in good order, and leaves nothing behind."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from house_helpers import Ending, Programs, answers
from playwright.sync_api import sync_playwright
from servers import free_port

from device.recordings.recording import RecordingHeader, RecordingWriter
from device.wearer import Wearer

CHROMIUM = Path("/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ENDED = ("gateway", "pages", "ingest", "room", "broker")


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ending]]:
    """Every part as a program of its own, all connected with each other; then each gets its Ctrl-C."""
    starter = Programs(tmp_path_factory.mktemp("parts"))
    broker_port, hci, pages_port = free_port(), free_port(), free_port()
    env = {"POISE_BROKER__PORT": str(broker_port), "POISE_BROKER__EMBEDDED": "true"}
    broker = starter.start("broker", "--port", broker_port)
    room = starter.start("room", "--hci", f"tcp-server:127.0.0.1:{hci}")
    broker.said("MQTT broker at")
    ingest = starter.start("ingest", env=env)
    worn = [room.said(f"={segment}").split()[-1] for segment in ("head", "c7")]
    options = [word for sensor in worn for word in ("--sensor", sensor)]
    gateway = starter.start(
        "gateway", "--hci", f"tcp-client:127.0.0.1:{hci}", "--simulated", *options, env=env
    )
    ingest.said("Ingest stores into")
    pages = starter.start("pages", "--port", pages_port, env=env)
    gateway.said("Now bow")
    pages.said("Pages at")
    running = {"gateway": gateway, "pages": pages, "ingest": ingest, "room": room, "broker": broker}
    try:
        yield {name: running[name].interrupted() for name in ENDED}
    finally:
        starter.end()


@pytest.mark.parametrize("name", ENDED)
def test_a_part_ends_in_good_order(name: str, endings: dict[str, Ending]) -> None:
    endings[name].in_good_order()


@pytest.fixture
def chromium() -> Iterator[object]:
    if not CHROMIUM.exists():
        sentence = "Chromium is not installed: apt-get install chromium"
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


@pytest.mark.browser
def test_the_demonstration_ends_with_a_browser_open_and_can_begin_again(programs: Programs, chromium) -> None:
    port = free_port()
    for number in (signal.SIGINT, signal.SIGTERM):
        demo = programs.start("demo", "--port", port, "--data", "shown")
        assert "simulated" in demo.said("is showing a")
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}/person/home/P-0142")
        page.get_by_text("simulated").first.wait_for(timeout=30_000)
        demo.said("Now bow")
        demo.interrupted(number).in_good_order()
        assert not answers(port)
        page.close()


def test_a_replay_that_waits_for_a_broker_ends_too(programs: Programs) -> None:
    with RecordingWriter(programs.folder / "x.poise", RecordingHeader("P-1")) as writer:
        for message in Wearer("short").to_messages(1_790_000_000_000_000, "s", 5):
            writer.write(message)
    replay = programs.start("replay", "x.poise", env={"POISE_BROKER__PORT": str(free_port())})
    replay.said("trying again")
    replay.interrupted().in_good_order()


def test_ctrl_c_before_anything_has_begun_is_quiet(programs: Programs) -> None:
    program = programs.start("ingest")
    time.sleep(1.2)  # the libraries take longer to be read
    ending = program.interrupted()
    assert ending.code in (0, 130)
    assert "Traceback" not in ending.text
