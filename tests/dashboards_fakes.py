"""A store, a live feed and a wearer that pages can be shown with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec
import numpy as np

from analytics.exposure.counts import QuarterExposure
from ingest.reading import Day, Person, Series
from ingest.results.coarse import coarser, step_for, whole_steps
from poise.errors import StoreUnavailableError
from poise.notices import Live, Presence, SensorStatus
from poise.results import JUDGED, Activity, Episode, Kind
from poise.samples import Gap
from poise.strain import Exceedance
from poise.topics import Wearer

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

    def calibrated(self, wearer: Wearer) -> Sequence[int]:
        return ()

    def efforts(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Exceedance]:
        return ()

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


def _cut(series: Series, from_s: int, to_s: int) -> Series:
    a, b = np.searchsorted(series.t_s, [from_s, to_s])
    return Series(series.t_s[a:b], series.mean[a:b], series.low[a:b], series.high[a:b], series.coverage[a:b])


def replace_status(status: SensorStatus, last_us: int, state: str = "streaming") -> SensorStatus:
    """Return the status with a newer sample."""
    return msgspec.structs.replace(status, last_us=last_us, state=state)
