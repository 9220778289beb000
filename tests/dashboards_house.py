"""A wearer's day made up for the pages: stands in for the store and the live topic, the layer below only.

Also used to take the README's screenshots. Everything is labelled simulated, as it is.
"""

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from analytics.exposure.counts import QuarterExposure
from dashboards.app import create_app, utc_us
from dashboards.serve import serve
from ingest.reading import Day, Person, Series
from ingest.results.coarse import coarser, step_for, whole_steps
from poise.errors import StoreUnavailableError
from poise.notices import Live, Presence, SensorStatus
from poise.results import JUDGED, Activity, Episode, Kind
from poise.samples import Gap
from poise.topics import Wearer

VIENNA = ZoneInfo("Europe/Vienna")
ANNA = Wearer("P-0142")
SEGMENTS = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")
EMPTY = np.empty(0)


def posture_deg(kind: Kind | None) -> dict[str, float]:
    """Return sagittal inclinations as the recordings show them, degrees by segment."""
    upright = dict.fromkeys(SEGMENTS, 0.0)
    shapes = {
        None: {},
        Kind.FORWARD_HEAD: {"head": 3, "c7": 17, "t4": 3, "scapula_left": 7, "scapula_right": 8},
        Kind.SLOUCH: {"head": 8, "c7": 22, "t4": 26, "lumbar": 3, "scapula_left": 29, "scapula_right": 31},
        Kind.LOOKING_DOWN: {"head": 31, "c7": 4, "t4": 1},
        Kind.HIP_LEAN: {"head": 9, "c7": 17, "t4": 18, "lumbar": 16, "scapula_left": 19, "scapula_right": 19},
        Kind.ROUNDED_SHOULDER_RIGHT: {"c7": 3, "t4": 2, "scapula_left": 6, "scapula_right": 16},
    }
    return upright | shapes[kind]


@dataclass
class FakeStore:
    """An in-memory `Reader`.

    Attributes:
        down: a sentence makes every call fail with it.
    """

    persons: dict[Wearer, Person] = field(default_factory=dict)
    streams: dict[str, Series] = field(default_factory=dict)
    held: dict[Wearer, list[Episode]] = field(default_factory=dict)
    history: dict[Wearer, list[Day]] = field(default_factory=dict)
    statuses: dict[Wearer, list[SensorStatus]] = field(default_factory=dict)
    online: dict[Wearer, Presence] = field(default_factory=dict)
    missing: list[Gap] = field(default_factory=list)
    down: str = ""

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailableError(self.down)

    def people(self) -> Sequence[Person]:
        self._check()
        return sorted(self.persons.values(), key=lambda p: p.wearer.patient)

    def person(self, wearer: Wearer) -> Person | None:
        self._check()
        return self.persons.get(wearer)

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        self._check()
        none = Series(np.empty(0, np.int64), EMPTY, EMPTY, EMPTY, EMPTY)
        step_s = step_for(from_s, to_s, points)
        within = whole_steps(from_s, to_s, step_s)
        return {n: coarser(_cut(self.streams.get(n, none), *within), step_s) for n in streams}

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        self._check()
        found = [e for e in self.held.get(wearer, []) if e.start_us < to_us and (e.end_us or to_us) > from_us]
        return sorted(found, key=lambda e: e.start_us)

    def days(self, wearer: Wearer, first: date, last: date) -> Sequence[Day]:
        self._check()
        return [d for d in self.history.get(wearer, []) if first <= d.day <= last]

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        return []

    def gaps(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Gap]:
        return [g for g in self.missing if g.from_us < to_us and g.to_us > from_us]

    def sensors(self, wearer: Wearer) -> Sequence[SensorStatus]:
        return self.statuses.get(wearer, [])

    def presence(self, wearer: Wearer) -> Presence | None:
        return self.online.get(wearer)


@dataclass
class FakeFeed:
    """An in-memory `LiveFeed`."""

    watchers: list[tuple[Wearer, Callable[[Live], None]]] = field(default_factory=list)

    def watch(self, wearer: Wearer, callback: Callable[[Live], None]) -> Callable[[], None]:
        entry = (wearer, callback)
        self.watchers.append(entry)
        return lambda: self.watchers.remove(entry)

    def send(self, wearer: Wearer, live: Live) -> None:
        """Hand a notice to whoever watches that wearer."""
        for other, callback in list(self.watchers):
            if other == wearer:
                callback(live)


@dataclass
class FakeWearer:
    """Sits and moves: makes `Live` notices of ten frames, about one a second.

    Attributes:
        kind: the posture to go to, None for upright.
        lost: segments whose sensor is silent.
        calibration: "" for a wearer who is not calibrated.
        activity: what they do.
        advice: what they should know and do.
    """

    kind: Kind | None = None
    lost: frozenset[str] = frozenset()
    calibration: str = "cal-1"
    activity: Activity = Activity.SITTING
    advice: tuple[str, ...] = ()
    angles: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SEGMENTS, 0.0))

    def second(self, end_us: int) -> Live:
        """Return the ten frames up to `end_us`."""
        times = [(end_us // 100_000 - i) * 100_000 for i in range(9, -1, -1)]
        rows = [self._frame(t) for t in times]
        return Live(
            run_us=0,
            calibration=self.calibration,
            origin="simulated",
            segments=list(SEGMENTS),
            t_us=times,
            sagittal=[list(column) for column in zip(*rows, strict=True)],
            frontal=[[None if v is None else 0.01 for v in column] for column in zip(*rows, strict=True)],
            kinds=[self._kinds(row) for row in rows],
            activity=str(self.activity),
            advice=list(self.advice),
        )

    def _frame(self, t_us: int) -> list[float | None]:
        target, row = posture_deg(self.kind), []
        for i, name in enumerate(SEGMENTS):
            self.angles[name] += 0.16 * (target[name] - self.angles[name])
            sway = 1.4 * math.sin(t_us / 1e6 * 1.3 + i) + 0.5 * math.sin(t_us / 1e6 * 4.1 + 2 * i)
            hidden = name in self.lost or not self.calibration
            row.append(None if hidden else math.radians(self.angles[name] + sway))
        return row

    def _kinds(self, row: Sequence[float | None]) -> list[str]:
        far = (
            self.kind is not None
            and self.activity in JUDGED
            and max(abs(v or 0.0) for v in row) > math.radians(11)
        )
        return [str(self.kind)] if far and self.kind else []


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


def _cut(series: Series, from_s: int, to_s: int) -> Series:
    a, b = np.searchsorted(series.t_s, [from_s, to_s])
    return Series(series.t_s[a:b], series.mean[a:b], series.low[a:b], series.high[a:b], series.coverage[a:b])


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


def replace_status(status: SensorStatus, last_us: int, state: str = "streaming") -> SensorStatus:
    """Return the status with a newer sample."""
    return msgspec.structs.replace(status, last_us=last_us, state=state)


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
