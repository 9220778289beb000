"""Moments to inclinations of segments, as long as the calibration can be trusted.

Where a sensor is not worn, where another sensor sits on a segment than the calibrated one, and from the
moment on at which the calibration is known to have ended, there is no angle: it is unseen, not guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analytics.motion.angles import axes, inclinations
from analytics.motion.moments import Moments
from analytics.posture.worn import Worn
from analytics.wearing.doubts import Doubt
from analytics.wearing.trust import UNDOUBTED, Trust
from analytics.wearing.validity import Validity
from analytics.wearing.worn import TakenOff, WearWatch
from poise.calibration import Calibration
from poise.results import GRID_US
from poise.samples import Bools, Floats


@dataclass(frozen=True, slots=True)
class Angles:
    """Inclinations of one slice of moments.

    Attributes:
        sagittal: (n, m) rad, forward of upright positive; NaN where unseen or not to be trusted.
        frontal: (n, m) rad, to the right positive.
        on: (n, m) bool, the sensor is worn as far as known.
        worn: which columns are calibrated.
        doubts: what became known within these moments.
        taken_off: the sensors not worn at the last of them.
    """

    sagittal: Floats
    frontal: Floats
    on: Bools
    worn: Worn
    doubts: tuple[Doubt, ...]
    taken_off: tuple[TakenOff, ...]


class Aligned:
    """One run's sensors, aligned with their segments by its calibration."""

    def __init__(self, calibration: Calibration | None, trust: Trust = UNDOUBTED) -> None:
        """Begin with a calibration and what is known of it, or without one: then no angle is known."""
        self._calibration = calibration
        self._validity = Validity(calibration, trust) if calibration else None
        self._watch = WearWatch(off=trust.off)
        self._sensors: tuple[tuple[str, str], ...] = ()
        self._axes = np.zeros((3, 3, 0))
        self._worn = Worn({}, {})
        self._was_on = {sensor.segment: False for sensor in trust.off}
        self._void_us = trust.void_us

    def trust(self) -> Trust:
        """Return what is known of the calibration by now, for the run that follows."""
        if self._validity is None:
            return UNDOUBTED
        return replace(self._validity.trust(), off=self._watch.not_worn())

    def update(self, moments: Moments, sensors: Mapping[str, str]) -> Angles:
        """Take the next moments.

        Args:
            moments: n > 0 moments of m segments.
            sensors: the sensor on each segment.
        """
        self._fit(moments.segments, sensors)
        on = self._watch.update(moments, self._axes[2])
        sagittal, frontal = inclinations(moments.up, self._axes)
        if not on.all():
            sagittal, frontal = np.where(on, sagittal, np.nan), np.where(on, frontal, np.nan)
        doubts = self._doubts(moments, sagittal, frontal, on)
        if self._void_us:
            void = self._void(moments)
            sagittal, frontal = np.where(void, np.nan, sagittal), np.where(void, np.nan, frontal)
        return Angles(sagittal, frontal, on, self._worn, doubts, self._watch.taken_off())

    def _fit(self, segments: tuple[str, ...], sensors: Mapping[str, str]) -> None:
        """Lay out the segments' axes in the moments' columns; NaN where a sensor is not calibrated."""
        now = tuple((segment, sensors[segment]) for segment in segments)
        if now == self._sensors:
            return
        known = self._calibration.alignments if self._calibration else {}
        self._axes = np.full((3, 3, len(segments)), np.nan)
        columns: dict[str, int] = {}
        for column, (segment, sensor) in enumerate(now):
            alignment = known.get(segment)
            if alignment and alignment.sensor == sensor:
                self._axes[:, :, column] = axes(alignment.q_sensor_from_segment)
                columns[segment] = column
        self._worn = Worn(columns, {segment: known[segment].bow_rad for segment in columns})
        self._sensors = now

    def _doubts(self, moments: Moments, sagittal: Floats, frontal: Floats, on: Bools) -> tuple[Doubt, ...]:
        if self._validity is None:
            return ()
        doubts = (*self._validity.update(moments, sagittal, frontal), *self._put_back(moments, on))
        if doubts:
            self._void_us = Trust(tuple(self._validity.doubts)).void_us
        return doubts

    def _put_back(self, moments: Moments, on: Bools) -> list[Doubt]:
        """Note the sensors that were not worn and now are."""
        found = []
        for column, segment in enumerate(moments.segments):
            before = self._was_on.get(segment, True)
            self._was_on[segment] = bool(on[-1, column])
            if before and on[:, column].all():
                continue
            rises = np.flatnonzero(on[:, column] & ~np.append(before, on[:-1, column]))
            if len(rises) and self._validity and segment in self._worn.columns:
                known = len(self._validity.doubts)
                doubt = self._validity.put_back(segment, int(moments.frames[rises[0]]) * GRID_US)
                found += [doubt] if len(self._validity.doubts) > known else []
        return found

    def _void(self, moments: Moments) -> Bools:
        """Return (n, m) bool: the calibration of this segment has ended by then."""
        from_us = [self._void_us.get(segment, 1 << 62) for segment in moments.segments]
        return np.asarray((moments.frames * GRID_US)[:, None] >= np.array(from_us), np.bool_)
