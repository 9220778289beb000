"""What is known of the offsets between the earth frames of joints: a small Kalman filter for each.

The idea that a joint's limited motion tells the headings of its two sensors is that of Lehmann, Laidig,
Deimel and Seel 2020 (arXiv:2002.00639). Three states here, over units of ten seconds: the offset of the two
earth frames, the rate at which it drifts, and how far the person holds the joint turned. What is seen is
offset and turn together; they are told apart because an offset creeps, while people turn quickly and return.

What that cannot do: a head held turned for many minutes slowly becomes the new neutral. The uncertainty
covers that as far as people turn about and come back within minutes.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from analytics.motion.heading import wrapped
from analytics.motion.joints import TurningJoint
from poise.samples import Bools, Floats, Int64s

UNIT: Final = 100
"""Frames of a unit, ten seconds, on whole multiples of the grid: the same in any chunking."""
SECOND: Final = 10
"""Frames of a second."""
ENOUGH: Final = 30
"""A reading needs three seconds of the ten roughly upright ..."""
STEADY_RAD: Final = float(np.radians(12.0))
"""... in which the joint turns by no more than this, from the 10th to the 90th percentile: a head sways."""
WANDER: Final = float(np.radians(0.57) ** 2)
"""rad² by which the offset wanders in a unit beside the biases: eight trials of BROAD drift by 0.2 to 2° in
ten seconds of motion without a break, 0.4° as the median; two sensors together by √2 of that."""
UNLEARNED: Final = float(2 * np.radians(0.5 * UNIT / 10) ** 2)
"""rad² of a drift rate a unit before anything is known: two gyroscopes' biases, 0.5°/s each, as the filter
itself begins with (biasSigmaInit of VQF, doi:10.1016/j.inffus.2022.10.014)."""
BIAS_KEPT: Final = float(np.exp(-10 / 1200))
"""Share of a drift rate left after a unit. Moved as at a desk, the filter learns a bias about the vertical
within 5 minutes (head, shoulder blades) to 20 (lumbar), as simulated hours show; kept still it never does."""
LEARNING: Final = 0.05**2
"""Share of a squared drift rate by which it may change in a unit beside: how fast the filter learns is not
known, and what it learns first is most. Chosen on simulated hours; project decision."""
TURN_KEPT: Final = float(np.exp(-10 / 300))
"""A held turn fades within some minutes: a person comes back sooner or later; project decision."""
READING: Final = float(np.radians(2.0) ** 2)
"""rad², how sharply a steady unit's middle is one turn."""
SLOPE: Final = float(np.radians(2.0) ** 2)
"""rad², how sharply ten times the median change by the second is a unit's drift, while the joint holds still:
0.2°/s, 1 sigma. In simulated hours it is off by 0.1 to 0.3°/s, at the head, which sways more, by 0.4°/s."""
JUMP: Final = 2.0
"""Sigmas beyond which a change between units is a turn of the joint and not drift."""
REACH: Final = float(np.radians(5.0) ** 2)
"""rad², how sharply a reach is kept."""

_PASSING: Final = np.array([[1.0, 1.0, 0.0], [0.0, BIAS_KEPT, 0.0], [0.0, 0.0, TURN_KEPT]])
_ALONE: Final = np.array([1.0, 0.0, 0.0])


class Offsets:
    """The p joints' offsets at the start of a unit.

    Attributes:
        known: (p,) bool, anchored since its sensors were last lost.
        state: (p, 3) offset rad, drift rad a unit, turn rad. The drift stays known when a sensor is lost: its
            filter starts again with the bias that it had.
        cov: (p, 3, 3) of `state`.
        anchored: (p,) frame of the newest reading.
    """

    def __init__(self, joints: Sequence[TurningJoint], *, corrected: bool) -> None:
        """Begin with nothing known.

        Args:
            joints: the p joints.
            corrected: False to take the first reading only.
        """
        p = len(joints)
        self._corrected = corrected
        self._usual = np.array([joint.neutral_rad for joint in joints]) ** 2
        bias = np.array([joint.bias_rad_s * UNIT / 10 for joint in joints]) ** 2
        self._reach = np.array([joint.reach_rad for joint in joints])
        self._noise = np.zeros((p, 3, 3))
        self._noise[:, 0, 0] = WANDER
        self._noise[:, 1, 1] = (1 - BIAS_KEPT**2) * bias
        self._noise[:, 2, 2] = (1 - TURN_KEPT**2) * self._usual
        self.known = np.zeros(p, np.bool_)
        self.state = np.zeros((p, 3))
        self.cov = np.zeros((p, 3, 3))
        self.cov[:, 1, 1] = UNLEARNED
        self.anchored = np.full(p, -1, np.int64)

    def line(self) -> Floats:
        """Return (5, p): offset, its change, variance, and its two changes in a unit; NaN if unknown."""
        c = self.cov
        line = [self.state[:, 0], self.state[:, 1], c[:, 0, 0], 2 * c[:, 0, 1] + WANDER, c[:, 1, 1]]
        return np.where(self.known, np.stack(line), np.nan)

    def forget(self, which: Bools) -> None:
        """Take the joints `which` (p,) for unknown from now on: a sensor's filter has started again."""
        self.known = self.known & ~which

    def predict(self, units: int) -> None:
        """Let whole units pass: the offset drifts, the drift and the turn fade."""
        for _ in range(min(units, UNIT)):
            learned = LEARNING * (self.state[:, 1] ** 2 + self.cov[:, 1, 1])
            self.state = self.state @ _PASSING.T
            self.cov = _PASSING @ self.cov @ _PASSING.T + self._noise
            self.cov[:, 1, 1] += learned

    def read(self, frames: Int64s, relative: Floats, upright: Bools, end: int) -> None:
        """Take a unit's relative headings (k, p) as a reading, at its end.

        Args:
            frames: (k,) increasing.
            relative: rad, NaN where unseen.
            upright: (k, p), both segments roughly upright.
            end: frame at which the unit ends.
        """
        left = (end - frames) / UNIT
        if self._corrected:
            self._read_drift(frames, wrapped(relative + left[:, None] * self.state[:, 1]))
        relative = wrapped(relative + left[:, None] * self.state[:, 1])
        middle, spread, count = _middle(relative, upright)
        before = _middle_share(left, upright & np.isfinite(relative))
        steady = (count >= ENOUGH) & (spread <= STEADY_RAD)
        first = steady & ~self.known
        again = steady & self.known & self._corrected
        if again.any():
            gap = np.where(again, wrapped(middle - self.state[:, 0] - self.state[:, 2]), 0.0)
            seen = np.stack([np.ones_like(before), -before, np.ones_like(before)], axis=1)
            self._correct(again, self._told_apart(gap, seen), seen, READING)
        if first.any():
            self._begin(first, middle, before)
        self.anchored = np.where(first | again, end, self.anchored)
        if self._corrected:
            self._keep_in_reach(relative)

    def _read_drift(self, frames: Int64s, relative: Floats) -> None:
        """Take how fast a unit's relative headings (k, p), without the drift expected, change by the second.

        A turn that takes less than half of the unit does not move the median; a slower one may hide in the
        unit's spread, of which twice is therefore added to the uncertainty (project decision). Neither
        uprightness nor an anchor is needed; the offset itself is left alone, only an anchor makes it surer.
        """
        slope, count = _slopes(frames, relative)
        _, spread, _ = _middle(relative, np.isfinite(relative))
        some = count >= ENOUGH
        noise = SLOPE + np.where(some, 2 * spread, 0.0) ** 2
        gain = np.where(some, self.cov[:, 1, 1] / (self.cov[:, 1, 1] + noise), 0.0)
        self.state[:, 1] += gain * np.where(some, slope, 0.0)
        self.cov[:, 1, :] *= (1 - gain)[:, None]
        self.cov[:, :, 1] *= (1 - gain)[:, None]
        self.cov[:, 1, 1] += gain * gain * noise

    def _begin(self, first: Bools, middle: Floats, before: Floats) -> None:
        """Where nothing was known: what is seen is the offset and a turn, whose usual size alone is known.

        Args:
            first: (p,) where.
            middle: (p,) rad, what is seen.
            before: (p,) units before the end that it was seen; the offset has drifted since.
        """
        rate = self.cov[:, 1, 1]
        cov = np.zeros_like(self.cov)
        cov[:, 0, 0] = self._usual + READING + before * before * rate
        cov[:, 1, 1] = rate
        cov[:, 2, 2] = self._usual
        cov[:, 0, 2] = cov[:, 2, 0] = -self._usual
        cov[:, 0, 1] = cov[:, 1, 0] = before * rate
        state = np.stack([middle, self.state[:, 1], np.zeros(len(middle))], axis=1)
        self.known = self.known | first
        self.state = np.where(first[:, None], state, self.state)
        self.cov = np.where(first[:, None, None], cov, self.cov)

    def _told_apart(self, gap: Floats, seen: Floats) -> Floats:
        """Return the gap (p,) once jumps are taken for what they are: a new turn, of any usual size.

        Args:
            gap: (p,) rad.
            seen: (p, 3) of what sum of the states it is one.
        """
        total = ((self.cov * seen[:, None, :]).sum(axis=-1) * seen).sum(axis=-1) + READING
        jump = np.abs(gap) > JUMP * np.sqrt(total)
        kept = np.where(jump, 0.0, 1.0)
        gap = gap + (1 - kept) * self.state[:, 2]
        self.state[:, 2] *= kept
        self.cov[:, 2, :] *= kept[:, None]
        self.cov[:, :, 2] *= kept[:, None]
        self.cov[:, 2, 2] += (1 - kept) * self._usual
        return gap

    def _keep_in_reach(self, relative: Floats) -> None:
        """Pull the offset where the joint seemed turned beyond what people can."""
        turned = wrapped(relative - self.state[:, 0])
        high = np.fmax.reduce(turned, axis=0, initial=-np.inf)
        low = np.fmin.reduce(turned, axis=0, initial=np.inf)
        excess = np.maximum(high - self._reach, 0.0) + np.minimum(low + self._reach, 0.0)
        beyond = self.known & (excess != 0.0)
        if beyond.any():
            seen = np.broadcast_to(_ALONE, self.state.shape)
            self._correct(beyond, np.where(beyond, excess, 0.0), seen, REACH)

    def _correct(self, where: Bools, gap: Floats, seen: Floats, noise: float) -> None:
        """Kalman's correction of the joints `where` by a gap (p,) rad of the sum that `seen` (p, 3) picks."""
        across = (self.cov * seen[:, None, :]).sum(axis=-1)
        total = (across * seen).sum(axis=-1) + noise
        gain = np.where(where[:, None], across / total[:, None], 0.0)
        self.state = self.state + gain * gap[:, None]
        self.state[:, 0] = wrapped(self.state[:, 0])
        self.cov = self.cov - gain[:, :, None] * across[:, None, :]


def _middle(relative: Floats, upright: Bools) -> tuple[Floats, Floats, Int64s]:
    """Return median, 10th to 90th percentile, and count, (p,) each, of the rows roughly upright.

    Order statistics only: they do not depend on how the rows came.
    """
    use = upright & np.isfinite(relative)
    count = use.sum(axis=0)
    columns = np.arange(relative.shape[1])
    reference = relative[use.argmax(axis=0), columns]
    ordered = np.sort(np.where(use, wrapped(relative - reference), np.nan), axis=0)
    last = np.maximum(count - 1, 0)
    spread = ordered[last * 9 // 10, columns] - ordered[last // 10, columns]
    return wrapped(reference + ordered[last // 2, columns]), spread, count


def _middle_share(left: Floats, use: Bools) -> Floats:
    """Return (p,) the median of `left` (k,) over the rows in `use` (k, p); 1 where there are none."""
    ordered = np.sort(np.where(use, left[:, None], 1.0), axis=0)
    at = np.maximum(use.sum(axis=0) - 1, 0) // 2
    return np.asarray(ordered[at, np.arange(use.shape[1])], np.float64)


def _slopes(frames: Int64s, relative: Floats) -> tuple[Floats, Int64s]:
    """Return the median change by the second, (p,) rad a unit, and of how many pairs of rows."""
    apart = frames[SECOND:] - frames[:-SECOND] == SECOND
    change = np.where(apart[:, None], wrapped(relative[SECOND:] - relative[:-SECOND]), np.nan)
    count = np.isfinite(change).sum(axis=0)
    if not count.any():
        return np.zeros(relative.shape[1]), count
    ordered = np.sort(change, axis=0)
    middle = ordered[np.maximum(count - 1, 0) // 2, np.arange(relative.shape[1])]
    return middle * (UNIT / SECOND), count
