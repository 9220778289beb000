"""How far head, shoulder blades and trunk are turned, all day: with the age and the uncertainty of it.

The difference of two headings is an axial rotation up to an offset that drifts (`analytics.motion.heading`);
`analytics.motion.offsets` estimates it. Changes over seconds are good to about a degree whatever sigma says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.motion.angles import axes
from analytics.motion.heading import LEVEL_LEFT, wrapped
from analytics.motion.joints import TURNING_JOINTS, TurningJoint, thorax_of
from analytics.motion.moments import Moments
from analytics.motion.offsets import UNIT, Offsets
from poise.calibration import Alignment
from poise.samples import Bools, Floats, Int64s

LOST_FRAMES: Final = 10
"""After more than a second without a sensor its filter starts again, and its heading is lost."""
USABLE_RAD: Final = float(np.radians(6.5))
"""1 sigma beyond which protraction says nothing about rounded shoulders: the mean error of skin-fixed sensors
in scapular rotation. Neck rotation is less certain than that on most days: take its changes over seconds."""
PROTRACTED_RAD: Final = float(np.radians(10.0))
"""As far as the tilt that counts as a rounded shoulder; project decision, no recording has it with labels."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Relative headings at the moments of one update.

    Attributes:
        names: (p,) of the joints (`TURNING_JOINTS`), the columns.
        angle: (n, p) rad, NaN before the first anchor, where unseen, and where lying on the side.
        sigma: (n, p) rad, 1 sigma of `angle`; NaN before the first anchor.
        age_s: (n, p) s since the joint was last anchored (`heading_age`); NaN before the first anchor.
    """

    names: tuple[str, ...]
    angle: Floats
    sigma: Floats
    age_s: Floats


def protracted(turns: Turns, side: str) -> Bools:
    """Return (n,) where a shoulder blade is turned forward for certain: supplementary evidence of rounding.

    By `PROTRACTED_RAD` and beyond its own uncertainty, which must be usable. False also means not known:
    skin-fixed sensors fall short of the bone, and protraction varies much outside a laboratory, so it never
    stands alone and its absence says nothing.

    Args:
        turns: of one update.
        side: "left" or "right".
    """
    name = f"protraction_{side}"
    if name not in turns.names:
        return np.zeros(len(turns.angle), np.bool_)
    column = turns.names.index(name)
    angle, sigma = turns.angle[:, column], turns.sigma[:, column]
    with np.errstate(invalid="ignore"):
        return np.asarray((sigma <= USABLE_RAD) & (angle >= np.maximum(PROTRACTED_RAD, sigma)), np.bool_)


class RelativeHeadings:
    """Relative headings of all joints that a calibration allows, fed with moments in batches."""

    def __init__(self, alignments: Mapping[str, Alignment], *, corrected: bool = True) -> None:
        """Begin without any anchor.

        Args:
            alignments: of the calibration in force; what is not in it is not given.
            corrected: False for a mere drifting difference after the first anchor, to compare with.
        """
        self._joints, pairs = _possible(tuple(alignments))
        self._worn = tuple(sorted({name for pair in pairs for name in pair}))
        self._one = np.array([self._worn.index(pair[0]) for pair in pairs], np.intp)
        self._other = np.array([self._worn.index(pair[1]) for pair in pairs], np.intp)
        turned = [axes(alignments[name].q_sensor_from_segment) for name in self._worn]
        self._left = np.array([_directions(own[1]) for own in turned]).reshape(-1, 2, 16)
        self._up = np.array([own[2] for own in turned]).reshape(-1, 3)
        self._near = np.cos(np.array([joint.near_rad for joint in self._joints]))
        self._sign = np.array([float(joint.sign) for joint in self._joints])
        self._habit = np.array([joint.habit_rad for joint in self._joints]) ** 2
        p = len(self._joints)
        self._offsets = Offsets(self._joints, corrected=corrected)
        self._line = self._offsets.line()
        self._unit = -1
        self._rows: list[tuple[Int64s, Floats, Bools]] = []
        self._seen = np.full(p, -(10**15), np.int64)
        self._lost = np.full(p, -1, np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The joints that can be given, the columns of `Turns`."""
        return tuple(joint.name for joint in self._joints)

    def update(self, moments: Moments) -> Turns:
        """Take consecutive moments and return how far the joints are turned at each."""
        n, p = len(moments), len(self._joints)
        found = np.full((3, n, p), np.nan)
        if n and p:
            frames = moments.frames
            relative, near, seen = self._relative(moments)
            lost = self._losses(frames, seen)
            first, last = int(frames[0]) // UNIT, int(frames[-1]) // UNIT
            inner = [] if first == last else (np.flatnonzero(np.diff(frames // UNIT)) + 1).tolist()
            for a, b in pairwise([0, *inner, n]):
                if frames[a] // UNIT != self._unit:
                    self._advance(int(frames[a]) // UNIT)
                self._rows.append((frames[a:b], relative[a:b], near[a:b]))
                self._read(frames[a:b], relative[a:b], found[:, a:b])
                if lost is not None:
                    found[:, a:b][:, lost[a:b] >= self._unit * UNIT] = np.nan
                    self._lost = lost[b - 1]
        return Turns(self.names, found[0], found[1], found[2])

    def _relative(self, moments: Moments) -> tuple[Floats, Bools, Bools]:
        """Return (n, p) relative heading, whether both segments are near upright, and both seen."""
        q, up = self._columns(moments)
        with np.errstate(invalid="ignore", over="ignore"):
            products = (q[:, :, :, None] * q[:, :, None, :]).reshape(*q.shape[:2], 1, 16)
            left = (products * self._left).sum(axis=-1)
            ahead, aside = left[..., 0], left[..., 1]
            heading = np.arctan2(ahead, aside)
            heading[ahead * ahead + aside * aside < LEVEL_LEFT * LEVEL_LEFT] = np.nan
            relative = self._sign * wrapped(heading[:, self._one] - heading[:, self._other])
            upright = (up * self._up).sum(axis=-1)
            lower = np.minimum(upright[:, self._one], upright[:, self._other])
            return relative, lower >= self._near, np.isfinite(lower)

    def _columns(self, moments: Moments) -> tuple[Floats, Floats]:
        if moments.segments == self._worn:
            return moments.q_earth_from_sensor, moments.up
        places = [moments.segments.index(name) for name in self._worn if name in moments.segments]
        if len(places) == len(self._worn):
            return moments.q_earth_from_sensor[:, places], moments.up[:, places]
        there = [column for column, name in enumerate(self._worn) if name in moments.segments]
        q = np.full((len(moments), len(self._worn), 4), np.nan)
        up = np.full((len(moments), len(self._worn), 3), np.nan)
        q[:, there], up[:, there] = moments.q_earth_from_sensor[:, places], moments.up[:, places]
        return q, up

    def _losses(self, frames: Int64s, seen: Bools) -> Int64s | None:
        """Return (n, p) the newest frame, up to each, at which a joint's sensors came back after a gap.

        None if there was none in the open unit or since: then nothing needs to be left out.
        """
        last = int(frames[-1])
        unbroken = last - int(frames[0]) == len(frames) - 1 and bool(seen.all())
        if unbroken and int(frames[0]) - int(self._seen.min()) <= LOST_FRAMES:
            self._seen = np.full(len(self._seen), last, np.int64)
            if int(self._lost.max()) < int(frames[0]) // UNIT * UNIT:
                return None
            return np.broadcast_to(self._lost, seen.shape)
        newest = np.maximum.accumulate(np.where(seen, frames[:, None], self._seen), axis=0)
        newest = np.maximum(newest, self._seen)
        before = np.concatenate([self._seen[None], newest[:-1]])
        back = seen & (frames[:, None] - before > LOST_FRAMES)
        self._seen = newest[-1]
        lost = np.maximum.accumulate(np.where(back, frames[:, None], -1), axis=0)
        return np.maximum(lost, self._lost)

    def _read(self, frames: Int64s, relative: Floats, found: Floats) -> None:
        """Write angle, sigma and age of rows within the open unit into `found` (3, n, p)."""
        offset, drift, variance, grows, faster = self._line
        share = ((frames - self._unit * UNIT) / UNIT)[:, None]
        found[0] = wrapped(relative - (offset + share * drift))
        found[1] = np.sqrt(variance + share * (grows + share * faster))
        found[2] = (frames[:, None] - self._offsets.anchored) / 10
        if np.isnan(offset).any():
            found[2, :, np.isnan(offset)] = np.nan

    def _advance(self, unit: int) -> None:
        """Conclude the open unit and bring what is known to the start of `unit`."""
        if self._rows:
            frames = np.concatenate([rows[0] for rows in self._rows])
            relative = np.concatenate([rows[1] for rows in self._rows])
            near = np.concatenate([rows[2] for rows in self._rows])
            self._offsets.forget(self._lost >= self._unit * UNIT)
            relative = np.where(frames[:, None] >= self._lost, relative, np.nan)
            self._offsets.predict(1)
            self._offsets.read(frames, relative, near, (self._unit + 1) * UNIT)
            self._offsets.predict(unit - self._unit - 1)
        self._line = self._offsets.line()
        self._line[2] += self._habit
        self._rows, self._unit = [], unit


def _possible(segments: tuple[str, ...]) -> tuple[list[TurningJoint], list[tuple[str, str]]]:
    """Return the joints of which both segments are worn, and those segments."""
    thorax = thorax_of(segments)
    joints: list[TurningJoint] = []
    pairs: list[tuple[str, str]] = []
    for joint in TURNING_JOINTS:
        one, other = (thorax if name == "thorax" else name for name in (joint.distal, joint.proximal))
        if one in segments and other in segments and one != other:
            joints.append(joint)
            pairs.append((str(one), str(other)))
    return joints, pairs


def _directions(left: Floats) -> Floats:
    """Return (2, 16): what the 16 products of w, x, y, z count in the axis `left` (3,) as earth sees it.

    First its part ahead, negated, then its part to the left: their arctan2 is the heading.
    """
    a, b, c = left
    table = np.zeros((2, 4, 4))
    w, x, y, z = range(4)
    table[0, w, w], table[0, x, x], table[0, y, y], table[0, z, z] = -a, -a, a, a
    table[0, x, y], table[0, w, z], table[0, x, z], table[0, w, y] = -2 * b, 2 * b, -2 * c, -2 * c
    table[1, w, w], table[1, x, x], table[1, y, y], table[1, z, z] = b, -b, b, -b
    table[1, x, y], table[1, w, z], table[1, y, z], table[1, w, x] = 2 * a, 2 * a, 2 * c, -2 * c
    return table.reshape(2, 16)
