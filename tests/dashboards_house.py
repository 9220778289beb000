"""A wearer's day made up for the pages: stands in for the store and the live topic, the layer below only.

Also used to take the README's screenshots. Everything is labelled simulated, as it is.
"""

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from dashboards_fakes import SEGMENTS, FakeFeed, FakeStore, FakeWearer, posture_deg, replace_status

from dashboards.app import create_app, utc_us
from dashboards.serve import serve
from ingest.reading import Day, Person, Series
from poise.notices import Presence, SensorStatus
from poise.results import Episode, Kind
from poise.topics import Wearer

VIENNA = ZoneInfo("Europe/Vienna")
ANNA = Wearer("P-0142")


def early_afternoon() -> Callable[[], int]:
    """Return a clock, UTC µs, that goes on from 13:20 of the wearer's day, so that no test knows midnight."""
    begin = round(datetime.combine(date(2026, 11, 20), time(13, 20), VIENNA).timestamp() * 1e6) - utc_us()
    return lambda: utc_us() + begin


def made_up_day(now_us: int) -> FakeStore:
    """Return a store with four people, one of them with a full day up to `now_us`."""
    today = datetime.fromtimestamp(now_us / 1e6, VIENNA).date()
    store = FakeStore()
    injection = today - timedelta(days=12)
    _add(store, ANNA, "Europe/Vienna", (injection,), now_us)
    begin = _begin_us(now_us)
    store.streams = _seconds(begin, now_us)
    store.held[ANNA] = _episodes(begin, now_us)
    store.history[ANNA] = _days(today, injection, (now_us - begin) / 1e6)
    _add(store, Wearer("P-0098"), "Europe/Vienna", (today - timedelta(days=61),), now_us - 95 * 60_000_000)
    store.history[Wearer("P-0098")] = [Day(today, 3 * 3600.0, {"slouch": 2400.0, "forward_head": 900.0})]
    _add(store, Wearer("P-0203"), "Europe/Vienna", (today - timedelta(days=40),), now_us)
    store.history[Wearer("P-0203")] = [Day(today, 9000.0, {"slouch": 1200.0})]
    _add(store, Wearer("P-0217"), "America/New_York", (today,), 0)
    store.statuses[Wearer("P-0217")] = []
    return store


def _begin_us(now_us: int) -> int:
    """Four hours and twenty minutes of wear, but not before the wearer's midnight."""
    local = datetime.fromtimestamp(now_us / 1e6, VIENNA)
    midnight = round(datetime.combine(local.date(), time(), VIENNA).astimezone(UTC).timestamp() * 1e6)
    return max(now_us - 15_600_000_000, midnight)


def _add(store: FakeStore, wearer: Wearer, zone: str, injections: tuple[date, ...], last_us: int) -> None:
    store.persons[wearer] = Person(wearer, zone, "simulated", injections, last_us)
    store.statuses[wearer] = [
        SensorStatus(
            sensor=f"sim-{name}", segment=name, state="streaming", since_us=last_us, last_us=last_us,
            rate_hz=60.0, battery_percent=84 - 7 * i, vendor="simulated", origin="simulated",
        )
        for i, name in enumerate(SEGMENTS)
    ]  # fmt: skip
    store.online[wearer] = Presence(
        state="online" if last_us else "offline", gateway="desk", session="s1",
        since_us=max(last_us - 15_600_000_000, 0),
    )  # fmt: skip


def _seconds(begin: int, now_us: int) -> dict[str, Series]:
    t_s = np.arange(begin // 1_000_000, now_us // 1_000_000, dtype=np.int64)
    share = (t_s - t_s[0]) / max(len(t_s), 1)
    t_s = t_s[~(((share > 0.34) & (share < 0.39)) | ((share > 0.71) & (share < 0.74)))]
    streams = {}
    for name in SEGMENTS:
        mean = np.radians(np.array([posture_deg(_kind_at(t, begin, now_us))[name] for t in t_s.tolist()]))
        streams[name] = Series(t_s, mean, mean - 0.02, mean + 0.02, np.ones(len(t_s)))
    noise = np.radians(np.random.default_rng(3).normal(0.0, 0.8, len(t_s)))
    for name, above in (
        ("neck", "c7"),
        ("shoulder_left", "scapula_left"),
        ("shoulder_right", "scapula_right"),
    ):
        mean = streams[above].mean - streams["t4"].mean + noise
        streams[name] = replace(streams["t4"], mean=mean)
    return streams


_PLAN = (
    (0.06, 0.02, Kind.FORWARD_HEAD), (0.12, 0.004, Kind.LOOKING_DOWN), (0.2, 0.05, Kind.SLOUCH),
    (0.3, 0.003, Kind.HIP_LEAN), (0.42, 0.03, Kind.FORWARD_HEAD), (0.5, 0.002, Kind.LOOKING_DOWN),
    (0.55, 0.07, Kind.FORWARD_HEAD), (0.66, 0.02, Kind.SLOUCH), (0.78, 0.05, Kind.SLOUCH),
    (0.86, 0.002, Kind.FORWARD_HEAD), (0.9, 0.04, Kind.ROUNDED_SHOULDER_RIGHT),
)  # fmt: skip


def _kind_at(t_s: int, begin: int, now_us: int) -> Kind | None:
    share = (t_s * 1_000_000 - begin) / max(now_us - begin, 1)
    return next((kind for start, length, kind in _PLAN if start <= share < start + length), None)


def _episodes(begin: int, now_us: int) -> list[Episode]:
    span = now_us - begin
    return [
        episode(kind, begin + round(start * span), begin + round((start + length) * span))
        for start, length, kind in _PLAN
    ]


def episode(kind: Kind, start_us: int, end_us: int | None, last_us: int = 0) -> Episode:
    """Return an episode with a plausible peak."""
    peak = {Kind.SLOUCH: 27.0, Kind.LOOKING_DOWN: 33.0, Kind.HIP_LEAN: 19.0}.get(kind, 16.0)
    return Episode(
        f"{kind}-{start_us}", kind, 0, start_us, start_us + 10_000_000, end_us, end_us or last_us,
        math.radians(peak), math.radians(peak - 4), "cal-1", ("c7", "t4"),
    )  # fmt: skip


def _days(today: date, injection: date, worn_s: float) -> list[Day]:
    rng = np.random.default_rng(7)
    days = []
    for ago in range(39, 0, -1):
        day = today - timedelta(days=ago)
        if day.weekday() == 6:
            continue
        seen = rng.uniform(6.2, 8.6) * 3600 if rng.random() > 0.14 else 2.6 * 3600
        rate = rng.normal(0.36 if day < injection else 0.22, 0.04)
        days.append(Day(day, seen, {"forward_head": 0.6 * rate * seen, "slouch": 0.4 * rate * seen}))
    seen = 0.92 * worn_s
    return [*days, Day(today, seen, {"forward_head": 0.12 * seen, "slouch": 0.12 * seen, "hip_lean": 60.0})]


@dataclass
class House:
    """The pages being served over a fake store and feed.

    Attributes:
        url: where.
        now: its clock, UTC µs.
        body: who wears the sensors; None of their seconds are sent while `silent`.
    """

    url: str
    port: int
    store: FakeStore
    feed: FakeFeed
    now: Callable[[], int]
    body: FakeWearer = field(default_factory=FakeWearer)
    silent: bool = False

    async def wear(self) -> None:
        """Send a live second every second, and say so in the sensors' status."""
        while True:
            now_us = self.now()
            others = [w for w in self.store.persons if w == Wearer("P-0203")]
            for wearer in others:
                self.store.persons[wearer] = replace(self.store.persons[wearer], last_us=now_us)
                self.store.statuses[wearer] = [replace_status(s, now_us) for s in self.store.statuses[wearer]]
            if not self.silent and ANNA in self.store.persons:
                self.feed.send(ANNA, self.body.second(now_us))
                seen = [
                    s if s.segment in self.body.lost else replace_status(s, now_us)
                    for s in self.store.statuses[ANNA]
                ]
                self.store.statuses[ANNA] = seen
                self.store.persons[ANNA] = replace(self.store.persons[ANNA], last_us=now_us)
            await asyncio.sleep(1.0)


def free_port() -> int:
    """Return a TCP port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def open_house(store: FakeStore | None = None) -> AsyncIterator[House]:
    """Serve the pages over made-up data until the block ends."""
    port, feed, now = free_port(), FakeFeed(), early_afternoon()
    house = House(f"http://127.0.0.1:{port}", port, store or made_up_day(now()), feed, now)
    ready = asyncio.Event()
    pages = asyncio.create_task(
        serve(create_app(house.store, feed, port=port, now=now), "127.0.0.1", port, ready)
    )
    wearing = asyncio.create_task(house.wear())
    try:
        await asyncio.wait_for(ready.wait(), 10)
        yield house
    finally:
        for task in (wearing, pages):
            task.cancel()
        await asyncio.gather(wearing, pages, return_exceptions=True)
