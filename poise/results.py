"""What the analytics conclude: posture frames, seconds, episodes and exposure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from poise.samples import Floats, Int64s

GRID_US: Final = 100_000
"""Posture frames lie on whole multiples of this on the UTC scale: 10 Hz."""
QUARTER_S: Final = 900
"""Exposure is kept for quarters of an hour on the UTC scale."""


class Kind(StrEnum):
    """Kinds of episode; rules in `docs/postures.md`."""

    FORWARD_HEAD = "forward_head"
    LOOKING_DOWN = "looking_down"
    SLOUCH = "slouch"
    HIP_LEAN = "hip_lean"
    SIDE_BEND = "side_bend"
    ROUNDED_SHOULDER_LEFT = "rounded_shoulder_left"
    ROUNDED_SHOULDER_RIGHT = "rounded_shoulder_right"
    RAISED_SHOULDER_LEFT = "raised_shoulder_left"
    RAISED_SHOULDER_RIGHT = "raised_shoulder_right"


class Activity(StrEnum):
    """What the wearer is doing, as far as sensors on the upper body tell (docs/postures.md)."""

    UNKNOWN = "unknown"
    SITTING = "sitting"
    STANDING = "standing"
    UPRIGHT = "upright"
    """Sitting or standing: not told apart."""
    WALKING = "walking"
    LYING = "lying"
    MOVING = "moving"
    """Changing place or stance, reaching, turning round: nothing that is held."""
    NOT_WORN = "not_worn"


ACTIVITIES: Final = tuple(Activity)
"""`PostureFrames.activity` holds indices into this."""
JUDGED: Final = (Activity.SITTING, Activity.STANDING, Activity.UPRIGHT, Activity.UNKNOWN)
"""Posture is judged in these only."""

SPINE_KINDS: Final = (Kind.HIP_LEAN, Kind.SLOUCH, Kind.FORWARD_HEAD, Kind.LOOKING_DOWN)
"""At most one of these holds at a moment; the first that applies."""
FORWARD_OF_UPRIGHT: Final = (Kind.FORWARD_HEAD, Kind.SLOUCH)

KIND_TEXT: Final = {
    Kind.FORWARD_HEAD: "forward head",
    Kind.LOOKING_DOWN: "looking down",
    Kind.SLOUCH: "slouch",
    Kind.HIP_LEAN: "lean from the hips",
    Kind.SIDE_BEND: "side bend",
    Kind.ROUNDED_SHOULDER_LEFT: "rounded shoulder, left",
    Kind.ROUNDED_SHOULDER_RIGHT: "rounded shoulder, right",
    Kind.RAISED_SHOULDER_LEFT: "raised shoulder, left (estimate)",
    Kind.RAISED_SHOULDER_RIGHT: "raised shoulder, right (estimate)",
}


@dataclass(frozen=True, slots=True)
class PostureFrame:
    """One moment on the 10 Hz grid, for a figure or a live page.

    Attributes:
        t_us: UTC µs, a multiple of `GRID_US`.
        sagittal: rad by segment, forward of the person's upright positive; unseen segments are absent.
        frontal: rad by segment, leaning to the person's right positive.
        kinds: the kinds whose rule holds at this moment, before any dwell.
    """

    t_us: int
    sagittal: dict[str, float]
    frontal: dict[str, float]
    kinds: frozenset[Kind]


@dataclass(frozen=True, slots=True)
class PostureFrames:
    """Consecutive frames of one run as arrays; NaN where a segment was not seen.

    Attributes:
        run_us: the run's identity within its wearer: UTC µs of its first sample.
        calibration: id of the calibration, "" while uncalibrated (all angles NaN).
        segments: (m,) names, the columns of the angles.
        t_us: (n,) int64 on the grid, increasing; moments at which nothing was seen are left out.
        sagittal: (n, m) rad, forward positive.
        frontal: (n, m) rad, to the right positive.
        kinds: the columns of `held`.
        held: (n, k) bool, the kind's rule holds at this moment, before any dwell.
        activity: (n,) int8, indices into `ACTIVITIES`.
        rate: (n, m) rms angular rate within the tenth of a second, rad/s; (0, 0) where it was not kept, as
            are the next two (`analytics.motion.moments`).
        force: (n, m) rms length of the specific force within it, m/s².
        shake: (n, m) standard deviation of the specific force's vector within it, m/s².
    """

    run_us: int
    calibration: str
    segments: tuple[str, ...]
    t_us: Int64s
    sagittal: Floats
    frontal: Floats
    kinds: tuple[Kind, ...]
    held: NDArray[np.bool_]
    activity: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    rate: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    force: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    shake: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        return len(self.t_us)

    def part(self, rows: slice) -> "PostureFrames":
        """Return some of the rows; no copy."""
        return replace(
            self,
            t_us=self.t_us[rows],
            sagittal=self.sagittal[rows],
            frontal=self.frontal[rows],
            held=self.held[rows],
            activity=self.activity[rows],
            rate=self.rate[rows],
            force=self.force[rows],
            shake=self.shake[rows],
        )

    def frame(self, i: int) -> PostureFrame:
        """Return row `i` as a `PostureFrame`."""
        seen = [(j, name) for j, name in enumerate(self.segments) if np.isfinite(self.sagittal[i, j])]
        return PostureFrame(
            int(self.t_us[i]),
            {name: float(self.sagittal[i, j]) for j, name in seen},
            {name: float(self.frontal[i, j]) for j, name in seen},
            frozenset(kind for k, kind in enumerate(self.kinds) if self.held[i, k]),
        )


@dataclass(frozen=True, slots=True)
class Second:
    """What is stored of one second and one stream.

    Attributes:
        t_s: UTC s, the second's beginning.
        stream: a segment ("head": its sagittal inclination), "<segment>.frontal", or a measure such as
            "neck" (`analytics.posture.rules`); all in rad.
        mean: mean over the frames seen, rad.
        low: least, rad.
        high: greatest, rad.
        coverage: share of the second's ten frames in which the stream was seen, 0 to 1.
        run_us: the run it belongs to.
        calibration: the calibration it was judged with.
    """

    t_s: int
    stream: str
    mean: float
    low: float
    high: float
    coverage: float
    run_us: int
    calibration: str


@dataclass(frozen=True, slots=True)
class Episode:
    """A posture held beyond its dwell.

    Attributes:
        id: unique within the wearer and the same in every re-analysis.
        kind: which posture.
        run_us: the run it belongs to.
        start_us: UTC µs of the crossing, dated back before the dwell.
        detected_us: UTC µs at which the dwell was over.
        end_us: UTC µs of the crossing back; None while it lasts.
        last_us: UTC µs of the newest frame that counted into it.
        peak_rad: greatest deviation from the person's upright.
        mean_rad: mean deviation over its frames.
        calibration: the calibration it was judged with.
        sensors: the segments that it rests on.
        remarks: what could not be seen: "thorax unseen", "lumbar unseen".
        dose_rad_s: severity: the deviation summed over the time in which the rule held, rad·s.
        activity: what the wearer did for the most of it.
        coverage: share of the time from start to newest frame in which its sensors were seen, 0 to 1.
    """

    id: str
    kind: Kind
    run_us: int
    start_us: int
    detected_us: int
    end_us: int | None
    last_us: int
    peak_rad: float
    mean_rad: float
    calibration: str
    sensors: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    dose_rad_s: float = 0.0
    activity: Activity = Activity.UNKNOWN
    coverage: float = 1.0

    @property
    def degree_minutes(self) -> float:
        """Severity in degree-minutes."""
        return math.degrees(self.dose_rad_s) / 60

    @property
    def duration_s(self) -> float:
        """Seconds from start to end, or to the newest frame while it lasts."""
        return ((self.last_us if self.end_us is None else self.end_us) - self.start_us) / 1e6


@dataclass(frozen=True, slots=True)
class Exposure:
    """Time in a kind's episodes within one quarter of an hour of one run.

    Attributes:
        quarter_s: UTC s of the quarter's beginning, a multiple of 900.
        run_us: the run; quarters of several runs are summed when read.
        kind: a `Kind`, or "seen" for the time in which posture could be judged at all.
        seconds: s, in whole frames of 0.1 s.
    """

    quarter_s: int
    run_us: int
    kind: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Results:
    """What one `Pipeline.update` concluded; later rows replace earlier ones with the same key.

    Attributes:
        frames: finished frames, a `PostureFrames` for each stretch of one run.
        seconds: finished seconds; the analytics give a `poise.seconds.SecondTable`.
        episodes: episodes that began, changed or ended, the newest state of each.
        exposures: the quarters touched, as totals of their run so far.
        remarks: things to count: "late", "not a number", "unknown segment", …, with their number.
    """

    frames: tuple[PostureFrames, ...] = ()
    seconds: Sequence[Second] = ()
    episodes: tuple[Episode, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    remarks: tuple[tuple[str, int], ...] = ()
