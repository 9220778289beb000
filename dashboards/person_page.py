"""One person's page: the figure live, today, episodes, sensors, and the days around the injection."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nicegui import ui

from dashboards import words
from dashboards.elements import attribute, put, tag
from dashboards.live import LivePosture
from dashboards.panels import (
    AdvicePanel,
    DaysPanel,
    EpisodesPanel,
    LivePanel,
    SensorsPanel,
    TodayPanel,
    TracesPanel,
)
from dashboards.status import ended, newest_us, patience_s
from dashboards.today import Today, read_history, read_recent, read_seen, read_today
from ingest.reading import LiveFeed, Reader
from poise.errors import StoreError
from poise.notices import Live
from poise.topics import Wearer

STORE_S: Final = 3.0
DAY_S: Final = 20.0


async def show_person(
    reader: Reader, live: LiveFeed, wearer: Wearer | None, name: str, now: Callable[[], int]
) -> None:
    """Build the page of `wearer`, or say that nobody is known by that name."""
    with tag("nav", "crumb", aria_label="Pages"):
        tag("a", text="People", href="/")
    try:
        today = await asyncio.to_thread(read_today, reader, wearer, now()) if wearer else None
    except StoreError as exc:
        _apology(name, f"The store cannot be read just now: {exc} Load the page again in a moment.")
        return
    if today is None or wearer is None:
        _apology(name, "Nobody is known here by that name. It may be misspelt, or no data has arrived yet.")
        return
    page = _Person(reader, wearer, now, today)
    page.build()
    await page.read_day()
    await page.read_recent()
    stop = live.watch(wearer, page.take)
    ui.context.client.on_delete(stop)
    ui.timer(1.0, page.tick)
    ui.timer(STORE_S, page.read_store, immediate=False)
    ui.timer(DAY_S, page.read_day, immediate=False)


def _apology(name: str, sentence: str) -> None:
    with tag("header", "top"):
        tag("h1", text=name)
    tag("p", "trouble", text=sentence, role="alert")


class _Person:
    """Holds what the page knows, and hands it to its panels as it comes."""

    def __init__(self, reader: Reader, wearer: Wearer, now: Callable[[], int], today: Today) -> None:
        self._reader, self._wearer, self._now = reader, wearer, now
        self._today, self._posture = today, LivePosture()
        self._viewer_zone = ""

    def build(self) -> None:
        with tag("header", "top"):
            with tag("div", "name"):
                tag("h1", text=self._wearer.patient)
                self._origin = tag("span", "chip sim")
            self._about = tag("p", "mute")
            self._fresh = tag("p", "fresh")
        self._trouble = tag("p", "trouble", role="alert")
        self._advice = AdvicePanel()
        with tag("div", "panels"):
            self._live = LivePanel(self._today, self._posture, self._zone)
            self._traces = TracesPanel()
            self._day = TodayPanel()
            self._episodes = EpisodesPanel(self._reader, self._wearer)
            self._sensors = SensorsPanel()
            self._days = DaysPanel()
        self.tick()

    def take(self, live: Live) -> None:
        """Take a live notice in; the figure gets its frames at once."""
        self._posture.take(live)
        self._live.play(live)

    def tick(self) -> None:
        now_us, today = self._now(), self._today
        put(self._origin, text=words.origin_label(self._posture.origin or today.person.origin))
        put(self._about, text=self._headline())
        last_us = newest_us(today, self._posture.last_us)
        patience = patience_s(today, self._posture.last_us)
        put(self._fresh, text=words.freshness(last_us, now_us, today.zone, patience).capitalize())
        silent = 0 < last_us < now_us - patience * 1e6 and not ended(today)
        attribute(self._fresh, "data-silent", str(silent).lower())
        self._advice.show(self._posture, now_us)
        self._live.show(today, self._posture, now_us)
        self._traces.show(self._posture, now_us)
        self._sensors.show(today, self._posture, now_us)

    async def read_store(self) -> None:
        """Read what changes from second to second."""
        try:
            today = await asyncio.to_thread(read_today, self._reader, self._wearer, self._now())
            if today is not None:
                self._today = today
                await self._episodes.show(today)
        except StoreError as exc:
            self._apologise(exc)
            return
        put(self._trouble)
        self._day.show(self._today)

    async def read_recent(self) -> None:
        """Read the last two minutes, so that the traces do not begin empty."""
        try:
            recent = await asyncio.to_thread(read_recent, self._reader, self._wearer, self._now())
        except StoreError as exc:
            self._apologise(exc)
            return
        self._posture.recall(recent)

    async def read_day(self) -> None:
        """Read what needs a whole day's seconds, or many days."""
        try:
            seen = await asyncio.to_thread(read_seen, self._reader, self._today)
            days = await asyncio.to_thread(read_history, self._reader, self._today)
            await self._episodes.show(self._today)
        except StoreError as exc:
            self._apologise(exc)
            return
        self._day.seen = seen
        self._day.show(self._today)
        self._days.show(days, self._today)

    def _apologise(self, exc: StoreError) -> None:
        since = words.clock(self._today.now_us, self._today.zone, seconds=True)
        text = f"The store cannot be read just now: {exc} What it holds is shown as of {since}"
        put(self._trouble, text=f"{text}; the page keeps trying.")

    def _zone(self, name: str) -> None:
        self._viewer_zone = name
        self.tick()

    def _headline(self) -> str:
        today = self._today
        parts = [words.after_injection(today.person.injections, today.day)]
        if not _same_time(today.zone, self._viewer_zone, today.now_us):
            local = words.clock(self._now(), today.zone)
            parts.append(f"all times are the wearer's, {today.zone.key}, where it is {local}")
        return " · ".join(parts)


def _same_time(zone: ZoneInfo, viewer: str, now_us: int) -> bool:
    """Return whether the viewer's clock shows the wearer's time; unknown counts as different."""
    try:
        theirs = ZoneInfo(viewer) if viewer else None
    except (ZoneInfoNotFoundError, ValueError):
        theirs = None
    moment = datetime.fromtimestamp(now_us / 1e6, UTC)
    return theirs is not None and moment.astimezone(zone).utcoffset() == moment.astimezone(theirs).utcoffset()
