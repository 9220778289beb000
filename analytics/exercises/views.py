"""Ways of looking at a sensor's movement, and the bout that is seen best among all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.exercises.cycles import Bout, bouts
from analytics.exercises.signals import RATE_HZ, Signals, box_mean, smoothed, without_drift
from analytics.motion.angles import axes, unit
from poise.calibration import Calibration
from poise.samples import Bools, Floats
from poise.skeleton import Segment

TRUNK: Final = (Segment.T4, Segment.T12, Segment.C7, Segment.LUMBAR)
"""Against the first of these that is worn a limb's or the head's movement is seen."""
GAIT_M_S2: Final = 1.0
"""Steps shake the trunk by 1.5 to 4 m/s² (rms); exercises of the arms by a few tenths. A project decision."""
JOLT_M_S2: Final = 0.3
LEAST_STEP_S: Final = 0.4
LONGEST_STEP_S: Final = 0.75
SWING_RAD: Final = np.radians(70.0)
RAISED_RAD: Final = np.radians(35.0)
"""Where no trunk sensor is worn: heel strikes on an arm that swings once a step; decisions as well."""


@dataclass(frozen=True, slots=True)
class View:
    """One segment's movement and what repeats in it.

    Attributes:
        segment: whose.
        signals: what its sensor saw.
        features: (n, 4): up in S (or, calibrated, against the trunk's up), and the turn about the vertical.
        x: (n,) the features along the direction in which the bout moves most.
        bout: what repeats.
    """

    segment: str
    signals: Signals
    features: Floats
    x: Floats
    bout: Bout

    @property
    def score(self) -> float:
        """For choosing among views: sure, many, and large enough to stand out."""
        large = self.bout.size / (self.bout.size + 0.10)
        return self.bout.quality * large * float(np.log2(max(2, self.bout.count - 1)))


def trunk_of(found: Mapping[str, Signals], segment: str) -> str | None:
    """Return the trunk segment against which `segment` is seen, None if there is none."""
    if segment in TRUNK:
        return None
    return next((str(name) for name in TRUNK if name in found), None)


def best_view(
    found: Mapping[str, Signals], segments: Iterable[str], calibration: Calibration | None
) -> View | None:
    """Return the view in which something repeats best, None if nothing does."""
    views = (segment_view(found, segment, calibration) for segment in segments)
    return max((view for view in views if view), key=lambda view: view.score, default=None)


def segment_view(found: Mapping[str, Signals], segment: str, calibration: Calibration | None) -> View | None:
    """Return the best view of one segment."""
    signals = found[segment]
    best: View | None = None
    for features in _features(found, segment, calibration):
        for direction in _directions(features):
            best = _better(best, _seen(segment, signals, features, direction))
    if best is None:
        return None
    again = _levelled(found, best)
    return _better(best, again)


def _levelled(found: Mapping[str, Signals], view: View) -> View | None:
    """Look again with the turn as it was, less the drift seen over the bout itself.

    The mean that `without_drift` takes off lies elsewhere before the first repetition than among them, which
    would cost the first and the last.
    """
    trunk, legs = trunk_of(found, view.segment), view.bout.legs
    turn = view.signals.turn - (found[trunk].turn if trunk else 0.0)
    middle = 0.5 * (turn[legs[:, 0]] + turn[legs[:, 1]])
    at = legs.mean(axis=1)
    slope = float(((at - at.mean()) * (middle - middle.mean())).sum() / ((at - at.mean()) ** 2).sum())
    features = view.features.copy()
    features[:, 3] = turn - slope * np.arange(len(turn))
    inside = features[int(legs[0, 0]) : int(legs[-1, 1]) + 1]
    return _seen(view.segment, view.signals, features, _principal(inside - inside.mean(axis=0))[0])


def _better(one: View | None, other: View | None) -> View | None:
    if one is None or other is None:
        return one or other
    return other if other.score > one.score else one


def _seen(segment: str, signals: Signals, features: Floats, direction: Floats) -> View | None:
    x = (features * direction).sum(axis=1)
    views = (View(segment, signals, features, x, bout) for bout in bouts(x, features, RATE_HZ))
    return max(views, key=lambda view: view.score, default=None)


def _features(found: Mapping[str, Signals], segment: str, calibration: Calibration | None) -> list[Floats]:
    """Return the views' features: the sensor's own, and against the trunk where one is worn."""
    signals = found[segment]
    trunk = trunk_of(found, segment)
    if trunk is None:
        return [np.column_stack([signals.up, without_drift(signals.turn)])]
    turn = without_drift(signals.turn - found[trunk].turn)
    against = [np.column_stack([signals.up, turn])]
    turned = [_upright(found[name], name, calibration) for name in (segment, trunk)]
    if turned[0] is not None and turned[1] is not None:
        against.append(np.column_stack([turned[0] - turned[1], turn]))
    return against


def _upright(signals: Signals, segment: str, calibration: Calibration | None) -> Floats | None:
    alignment = calibration.alignments.get(segment) if calibration else None
    if alignment is None:
        return None
    turned = axes(alignment.q_sensor_from_segment)
    return np.stack([(signals.up * axis).sum(axis=1) for axis in turned], axis=1)


def _directions(features: Floats) -> list[Floats]:
    """Return directions worth looking along: where it moves most, all the time and in calm times."""
    speed = np.diff(features, axis=0) * RATE_HZ
    quick = smoothed((speed**2).sum(axis=1), 1.0)
    calm = speed / np.sqrt(quick + np.median(quick) + 1e-6)[:, None]
    return [*_principal(speed)[:2], _principal(calm)[0], np.array([0.0, 0.0, 0.0, 1.0])]


def _principal(rows: Floats) -> Floats:
    """Return unit directions (d, d), the one with most movement first."""
    spread = (rows[:, :, None] * rows[:, None, :]).sum(axis=0)
    directions: Floats = np.linalg.eigh(spread)[1].T[::-1]
    return directions


def walking(found: Mapping[str, Signals], view: View, *, told: bool) -> Bools | None:
    """Return (n,) where the wearer walks while the view's bout goes on, None if nothing says so.

    Without a trunk sensor an arm that swings like a walker's, with steps in it, is taken for one, unless the
    wearer has `told` which exercise it is.
    """
    trunk = [one for name, one in found.items() if name in TRUNK or name == Segment.HEAD]
    if trunk:
        shaking = [_shaking(one.force, 0.5) for one in trunk]
        return np.asarray(np.min(shaking, axis=0) > GAIT_M_S2, np.bool_)
    leg_s = float(np.median(np.diff(view.bout.legs[:, 0]))) / RATE_HZ
    if told or not LEAST_STEP_S <= leg_s <= LONGEST_STEP_S or view.bout.size > SWING_RAD or _raised(view):
        return None
    return np.asarray(_shaking(view.signals.force, 0.06) > JOLT_M_S2, np.bool_)


def _raised(view: View) -> bool:
    """Tell if a movement goes on elsewhere than where the limb rests; a walker's arm swings about it."""
    up, still = view.signals.up, view.signals.still
    if int(still.sum()) < RATE_HZ:
        return False
    a, b = int(view.bout.legs[0, 0]), int(view.bout.legs[-1, 1])
    middle, rest = unit(up[a : b + 1].mean(axis=0)), unit(np.median(up[still], axis=0))
    return bool((middle * rest).sum() < np.cos(RAISED_RAD))


def _shaking(force: Floats, seconds: float) -> Floats:
    """Return the rms of the force within 3 s, without what is slower than `seconds` of smoothing."""
    quick = force - smoothed(force, seconds)
    rms: Floats = np.sqrt(box_mean(quick**2, 37))
    return rms
