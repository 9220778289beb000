"""What the live topic says of one wearer now: posture, since when, sensors seen, the last two minutes."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analytics.posture.rules import DEFAULT_PLAN, Plan, Worn, deviations, measures
from dashboards.palette import Tone, tone_of
from dashboards.words import NO_DATA_AFTER_S, doing, held, not_judged, several
from ingest.reading import Series
from poise.notices import Live
from poise.results import FORWARD_OF_UPRIGHT, SPINE_KINDS, Activity, Kind
from poise.samples import Floats
from poise.skeleton import SCAPULAE, SPINE, THORAX_REFERENCES, spoken

TRACE_S: Final = 120
"""Seconds of live traces kept."""
_LAPSE_US: Final = 1_000_000
"""A posture whose rule fails for less than this still counts as held, so that the seconds do not flicker."""
_KINDS: Final[Mapping[str, Kind]] = {str(kind): kind for kind in Kind}
_ACTIVITIES: Final[Mapping[str, Activity]] = {str(activity): activity for activity in Activity}
_STALE_US: Final = round(NO_DATA_AFTER_S * 1e6)
_ORDER: Final = (
    *SPINE_KINDS,
    Kind.SIDE_BEND,
    Kind.ROUNDED_SHOULDER_LEFT,
    Kind.ROUNDED_SHOULDER_RIGHT,
    Kind.RAISED_SHOULDER_LEFT,
    Kind.RAISED_SHOULDER_RIGHT,
)


@dataclass(frozen=True, slots=True)
class Now:
    """The posture at this moment in words and colour.

    Attributes:
        tone: colour of the figure.
        title: a few words.
        sentence: what is held, how far and for how long; "" where the title says it all.
        alternative: text alternative of the figure, without running seconds.
        doing: what the wearer does meanwhile, "" where that is not known or stands in the title.
    """

    tone: Tone
    title: str
    sentence: str
    alternative: str
    doing: str = ""


@dataclass(slots=True)
class LivePosture:
    """Takes `Live` notices in and answers what is true now; knows no clock of its own.

    Attributes:
        plan: thresholds.
        last_us: UTC µs of the newest frame, 0 before the first.
        calibration: id, "" while uncalibrated, None before the first notice.
        angles: newest sagittal inclinations, rad; unseen segments are absent.
        seen_us: UTC µs at which each segment was last seen.
        origin: of the newest notice.
        activity: what the wearer does, an estimate.
        segments: whose sensors sent in this run.
        advice: what the wearer should know and do, as of the newest frame.
    """

    plan: Plan = DEFAULT_PLAN
    last_us: int = 0
    calibration: str | None = None
    origin: str = ""
    angles: dict[str, float] = field(default_factory=dict)
    seen_us: dict[str, int] = field(default_factory=dict)
    activity: Activity = Activity.UNKNOWN
    segments: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    _activity_us: int = 0
    _since: dict[Kind, tuple[int, int]] = field(default_factory=dict)
    _deviation: dict[Kind, float] = field(default_factory=dict)
    _traces: deque[tuple[int, dict[str, float]]] = field(default_factory=lambda: deque(maxlen=TRACE_S * 10))

    def take(self, live: Live) -> None:
        """Add a notice; frames not newer than the newest known, and ill-shaped notices, are passed over."""
        if not well_shaped(live):
            return
        self.calibration, self.origin = live.calibration, live.origin
        if live.t_us[-1] > self.last_us:
            self._do(live)
        sagittal, frontal = _frames(live.sagittal), _frames(live.frontal)
        worn = Worn({name: j for j, name in enumerate(live.segments)}, {})
        traced = _traced(sagittal, worn)
        apart = {d.kind: d.angle for d in deviations(sagittal, frontal, worn, self.plan)}
        for i, t_us in enumerate(live.t_us):
            if t_us > self.last_us:
                self.last_us = t_us
                self._note(t_us, [(n, float(sagittal[i, j])) for n, j in worn.columns.items()])
                self._hold(t_us, live.kinds[i], {kind: float(angle[i]) for kind, angle in apart.items()})
                row = {name: float(values[i]) for name, values in traced.items()}
                self._traces.append((t_us, {n: v for n, v in row.items() if np.isfinite(v)}))

    def recall(self, recent: Mapping[str, Series]) -> None:
        """Put stored seconds before the first live frame, so that the traces do not begin empty."""
        rows: dict[int, dict[str, float]] = {}
        for name, series in recent.items():
            for t_s, value in zip(series.t_s.tolist(), series.mean.tolist(), strict=True):
                rows.setdefault(t_s * 1_000_000 + 500_000, {})[name] = value
        first = self._traces[0][0] if self._traces else None
        before = [(t, rows[t]) for t in sorted(rows) if first is None or t < first]
        self._traces.extendleft(reversed(before))

    def since_us(self, kind: Kind) -> int | None:
        """Return since when a posture has been held, None if it is not."""
        times = self._since.get(kind)
        return times[0] if times and self.last_us - times[1] <= _LAPSE_US else None

    def now(self, now_us: int, open_since: Mapping[Kind, int] | None = None) -> Now:
        """Say the posture at `now_us`.

        Args:
            now_us: UTC µs.
            open_since: start of episodes that are still going on, by kind; they may have begun before the
                page was opened.
        """
        if self.last_us == 0:
            return Now(Tone.UNKNOWN, "Waiting for the sensors", "", "No posture to show yet.")
        if now_us - self.last_us > _STALE_US:
            return Now(Tone.UNKNOWN, "No live data", "The figure shows the last posture seen.",
                       "The last posture seen; live data has stopped.")  # fmt: skip
        apart = not_judged(self.activity) if self.activity is Activity.NOT_WORN or self.calibration else None
        if apart and not self._lets_pass():
            title, sentence = apart
            return Now(Tone.UNKNOWN, title, sentence, f"{title}; posture is not judged now.")
        if not self.calibration:
            return Now(Tone.UNKNOWN, "Not calibrated yet",
                       "Sit upright and still and calibrate the sensors; posture is judged from then on.",
                       "No posture to show: the sensors are not calibrated.")  # fmt: skip
        if not self.angles:
            return _nothing_seen(self.advice)
        return self._held_now(open_since or {})

    def advice_at(self, now_us: int) -> Sequence[str]:
        """Return the advice that holds at `now_us`; none once live data has stopped."""
        return self.advice if now_us - self.last_us <= _STALE_US else ()

    def traces(self, name: str) -> tuple[Sequence[int], Sequence[float]]:
        """Return times (UTC µs) and values (rad) of "neck", "thorax", "shoulder_left" or "shoulder_right"."""
        rows = [(t_us, row[name]) for t_us, row in self._traces if name in row]
        return [t for t, _ in rows], [v for _, v in rows]

    def _held_now(self, open_since: Mapping[Kind, int]) -> Now:
        kinds = [kind for kind in _ORDER if self.since_us(kind) is not None]
        if not kinds:
            alternative = "Side view: near your upright."
            return Now(Tone.UPRIGHT, "Near your upright", self._without(), alternative, doing(self.activity))
        times = {k: min(self.since_us(k) or 0, open_since.get(k, self.last_us)) for k in kinds}
        longest = max((self.last_us - t) / 1e6 for t in times.values())
        texts = [held(k, self._deviation.get(k), (self.last_us - times[k]) / 1e6) for k in kinds]
        plain = "; ".join(held(k, None, None) for k in kinds)
        sentence, alternative = ". ".join(texts), f"Side view: {plain}."
        return Now(tone_of(longest), _title(kinds), sentence, alternative, doing(self.activity))

    def _without(self) -> str:
        """Name the sensors whose angles have been missing for a while: what they would tell is not known."""
        missing = [
            name
            for name in (*SPINE, *SCAPULAE)
            if name in self.segments and self.last_us - self.seen_us.get(name, 0) > _STALE_US
        ]
        return f"As far as can be told without {several([spoken(n) for n in missing])}." if missing else ""

    def _lets_pass(self) -> bool:
        """Return whether the wearer moves so shortly that postures count on, as in the rules."""
        moving = self.activity is Activity.MOVING
        return moving and self.last_us - self._activity_us < self.plan.moving_s * 1e6

    def _do(self, live: Live) -> None:
        activity = _ACTIVITIES.get(live.activity, Activity.UNKNOWN)
        if activity is not self.activity:
            self._activity_us = live.t_us[0]
        self.activity, self.segments, self.advice = activity, tuple(live.segments), tuple(live.advice)

    def _note(self, t_us: int, row: Sequence[tuple[str, float]]) -> None:
        self.angles = {name: value for name, value in row if np.isfinite(value)}
        self.seen_us.update(dict.fromkeys(self.angles, t_us))

    def _hold(self, t_us: int, kinds: Sequence[str], angles: Mapping[Kind, float]) -> None:
        for kind in (_KINDS[k] for k in kinds if k in _KINDS):
            start, last = self._since.get(kind, (t_us, t_us))
            self._since[kind] = (start if t_us - last <= _LAPSE_US else t_us, t_us)
            if np.isfinite(angles.get(kind, np.nan)):
                self._deviation[kind] = angles[kind]


def _title(kinds: Sequence[Kind]) -> str:
    if any(kind in FORWARD_OF_UPRIGHT for kind in kinds):
        return "Drifting forward"
    return held(kinds[0], None, None)


def _nothing_seen(advice: Sequence[str]) -> Now:
    if not advice:
        return Now(Tone.UNKNOWN, "No sensor is seen", "", "No sensor is seen at this moment.")
    title = "Posture is not judged now"
    return Now(Tone.UNKNOWN, title, "What to do stands at the top of this page.", f"{title}.")


def well_shaped(live: Live) -> bool:
    """Return whether there are frames, each with an angle or null for every segment, and its kinds."""
    columns = (*live.sagittal, *live.frontal)
    n, m = len(live.t_us), len(live.segments)
    whole = len(live.sagittal) == len(live.frontal) == m and len(live.kinds) == n
    return n > 0 and m > 0 and whole and all(len(column) == n for column in columns)


def _frames(columns: Sequence[Sequence[float | None]]) -> Floats:
    """Turn one list a segment into one row a frame, (n, m) rad, NaN where unseen."""
    return np.array([[np.nan if v is None else v for v in column] for column in columns], np.float64).T


def _traced(sagittal: Floats, worn: Worn) -> dict[str, Floats]:
    found = measures(sagittal, worn)
    thorax = next((worn.columns[name] for name in THORAX_REFERENCES if name in worn.columns), None)
    return found if thorax is None else {"thorax": sagittal[:, thorax], **found}
