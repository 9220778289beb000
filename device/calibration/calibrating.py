"""Calibration where the wearer is: watch for a tall, still pose, the bow after it, and upright again.

Nothing has to be pressed: the first quiet four seconds that a bow from the hips follows are the calibration,
and three seconds of upright after it are the look whether it holds. Only a head that did not follow the bow
is asked to nod; everybody is done in under half a minute. Sensors that hang each as the other did last time
are not believed at once: the wearer is asked to look at the labels.
"""

from dataclasses import replace
from enum import Enum
from typing import Final
from uuid import uuid4

import numpy as np

from analytics.motion.angles import unit
from analytics.motion.orientation import Orientation
from analytics.wearing.calibration import calibrate
from analytics.wearing.placement import Finding, check_nod, compare, wrong_places
from analytics.wearing.pose import angle, track
from poise.calibration import Calibration, Verdict
from poise.errors import CalibrationError
from poise.samples import Floats, ImuBatch, SampleMessage
from poise.skeleton import Segment

STILL_US: Final = 4_000_000
STILL_RAD: Final = np.radians(3.0)
BOW_RAD: Final = np.radians(15.0)
"""Half of the bow that is asked for; T4 leaned 11° to 28° in recordings of people who bent from the hips."""
BACK_RAD: Final = np.radians(6.0)
LONGEST_BOW_US: Final = 15_000_000
SETTLE_US: Final = 3_000_000
"""How long upright is watched after the bow; `analytics.wearing.validation` needs 1.5 s of it still."""
HEAD_BOW_RAD: Final = np.radians(15.0)
"""A head that leaned this far in the bow needs no nod (project decision)."""
LONGEST_NOD_US: Final = 8_000_000
"""How long a nod is waited for; what the bow gave is taken after it, if that is good."""
MEMORY_US: Final = 60_000_000
_Parts = dict[str, list[ImuBatch]]
_LEADERS: Final = (Segment.T4, Segment.T12, Segment.C7, Segment.LUMBAR, Segment.HEAD)


class Step(Enum):
    """What the wearer should do now."""

    SIT_TALL = "Sit tall and still for a few seconds."
    BOW = "Now bow forward from your hips, wait a moment, and come back up."
    SETTLE = "Stay tall and still a moment longer."
    NOD = "Now nod once, chin to your chest and back up, with your back still."
    DONE = "Calibrated."


class Memory:
    """The newest minute of all sensors."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._kept: list[ImuBatch] = []

    def add(self, message: SampleMessage) -> int:
        """Take a message that holds samples; return UTC µs of its newest one."""
        self._kept += message.batches
        newest = max(int(batch.t_us[-1]) for batch in message.batches)
        self._kept = [batch for batch in self._kept if batch.t_us[-1] > newest - MEMORY_US]
        return newest

    def between(self, from_us: int, to_us: int) -> dict[str, list[ImuBatch]]:
        """Return the samples of all segments in that time."""
        parts: _Parts = {}
        for batch in self._kept:
            i, j = np.searchsorted(batch.t_us, (from_us, to_us))
            if j > i:
                parts.setdefault(batch.segment, []).append(batch.part(int(i), int(j)))
        return parts


class CalibrationWatch:
    """Makes a calibration from a stream of messages as soon as the movements have been seen.

    Attributes:
        step: what the wearer should do now.
        remark: why the last try was not good enough, or what to know of the one that was; "" without any.
        findings: what the last try showed of where the sensors sit.
    """

    def __init__(self, before: Calibration | None = None) -> None:
        """Begin with nothing seen.

        Args:
            before: the wearer's last calibration; where sensors sit is held against it.
        """
        self.step = Step.SIT_TALL
        self.remark = ""
        self.findings: tuple[Finding, ...] = ()
        self._before = before
        self._asked: set[tuple[str, ...]] = set()
        self._memory = Memory()
        self._leader: str | None = None
        self._orientation: Orientation | None = None
        self._t_us = np.zeros(0, np.int64)
        self._up = np.zeros((0, 3))
        self._pose: tuple[int, int, Floats] | None = None
        self._bow_us: int | None = None
        self._up_us: int | None = None
        self._nod_us: int | None = None
        self._looked_us = 0

    def feed(self, message: SampleMessage) -> Calibration | None:
        """Take a message; return the calibration when it is made."""
        if not message.batches:
            return None
        newest = self._memory.add(message)
        self._follow(message)
        for moment in np.flatnonzero(self._t_us > self._looked_us):
            self._looked_us = int(self._t_us[moment])
            if self._up_us is None and self._look(int(moment)):
                self._up_us, self.step = self._looked_us, Step.SETTLE
        made = None if self._up_us is None else self._conclude(self._up_us, self._looked_us)
        # From the next message on: it does not matter whether this one or the calibration arrives first.
        return None if made is None else replace(made, made_us=newest + 1)

    def _follow(self, message: SampleMessage) -> None:
        """Track the up vector of one segment of the trunk, at about 10 Hz."""
        worn = {batch.segment for batch in message.batches}
        if self._leader is None:
            self._leader = next((str(s) for s in _LEADERS if s in worn), None)
        for batch in message.batches:
            if batch.segment != self._leader:
                continue
            self._orientation = self._orientation or Orientation(batch.period_ns)
            track = self._orientation.update(batch)
            every = max(1, round(1e8 / batch.period_ns))
            self._t_us = np.concatenate([self._t_us, track.t_us[::every]])
            self._up = np.concatenate([self._up, track.up[::every]])
        recent = self._t_us > (self._t_us[-1] if len(self._t_us) else 0) - MEMORY_US
        self._t_us, self._up = self._t_us[recent], self._up[recent]

    def _look(self, moment: int) -> bool:
        """Advance the two steps by one moment; True when the bow is over."""
        now = int(self._t_us[moment])
        if self._pose is not None:
            lean = float(np.arccos(np.clip(self._up[moment] @ self._pose[2], -1.0, 1.0)))
            if self._bow_us is None and lean > BOW_RAD:
                self._bow_us = now
            if self._bow_us is not None:
                return self._bowing(now, lean)
        self._seek_pose(moment, now)
        return False

    def _bowing(self, now: int, lean: float) -> bool:
        if lean < BACK_RAD:
            return True
        if now - (self._bow_us or now) > LONGEST_BOW_US:
            self._pose, self._bow_us, self.step = None, None, Step.SIT_TALL
        return False

    def _seek_pose(self, moment: int, now: int) -> None:
        """Keep the latest four seconds in which the trunk was still."""
        window = self._up[: moment + 1][self._t_us[: moment + 1] > now - STILL_US]
        if now - int(self._t_us[0]) < STILL_US or len(window) < 20:
            return
        mean = unit(window.mean(axis=0))
        if np.arccos(np.clip(window @ mean, -1.0, 1.0)).max() < STILL_RAD:
            self._pose, self.step = (now - STILL_US, now, mean), Step.BOW

    def _conclude(self, up_us: int, now: int) -> Calibration | None:
        """Upright again since `up_us`: make the calibration once enough was seen, with a nod where needed."""
        settled = up_us + SETTLE_US
        if now < settled:
            return None
        if self._nod_us is None:
            made, remark = self._try(up_us, settled, now)
            head = made.alignments.get(Segment.HEAD) if made else None
            follows = head is None or head.bow_rad >= HEAD_BOW_RAD
            if follows or not self._good_without_head(up_us, settled, now):
                return self._end(made, remark)
            self._nod_us, self.step = now, Step.NOD
            return None
        if not self._nodded(self._nod_us, now) and now - self._nod_us < LONGEST_NOD_US:
            return None
        nod = self._memory.between(self._nod_us, now)
        made, remark = self._try(up_us, settled, now, nod=nod)
        if made is None or made.verdict is Verdict.REPEAT:
            made, remark = self._try(up_us, settled, now)
        return self._end(made, remark, nod)

    def _try(
        self, up_us: int, settled: int, now: int, *, nod: _Parts | None = None, head: bool = True
    ) -> tuple[Calibration | None, str]:
        start, stop, _ = self._pose or (up_us, up_us, None)
        upright = self._memory.between(start, stop)
        if not head:
            upright.pop(Segment.HEAD, None)
        try:
            made = calibrate(
                upright,
                self._memory.between(stop, up_us),
                nod=nod,
                check=self._memory.between(up_us, settled),
                calibration_id=f"c-{uuid4().hex[:8]}",
                made_us=now,
            )
        except CalibrationError as exc:
            return None, str(exc)
        return made, " ".join(made.reasons)

    def _good_without_head(self, up_us: int, settled: int, now: int) -> bool:
        made, _ = self._try(up_us, settled, now, head=False)
        return made is not None and made.verdict is Verdict.GOOD

    def _nodded(self, from_us: int, now: int) -> bool:
        """Tell whether the head went down and came back since it was asked to."""
        try:
            ups = track(Segment.HEAD, self._memory.between(from_us, now).get(Segment.HEAD, ()))
        except CalibrationError:
            return False
        lean = angle(ups, ups[0]) if len(ups) else np.zeros(1)
        return bool(lean.max() > BOW_RAD and lean[-1] < BACK_RAD)

    def _end(self, made: Calibration | None, remark: str, nod: _Parts | None = None) -> Calibration | None:
        if made is None or made.verdict is Verdict.REPEAT:
            self.findings, made = _nodded_wrong(nod), None
        else:
            self.findings = (*(compare(self._before, made) if self._before else ()), *_nodded_wrong(nod))
            remark = ""
        self.remark = " ".join(finding.sentence for finding in self.findings) or remark
        if not self._believed():
            made = None
        self._pose, self._bow_us, self._up_us, self._nod_us = None, None, None, None
        self.step = Step.DONE if made else Step.SIT_TALL
        return made

    def _believed(self) -> bool:
        """Tell whether the sensors are where they belong: False the first time that two seem exchanged.

        Who does it again unchanged has looked at the labels: two sensors may have been put on each as the
        other was, and nobody must be kept from ever calibrating (project decision).
        """
        wrong = {finding.segments for finding in wrong_places(self.findings)}
        believed, self._asked = wrong <= self._asked, self._asked | wrong
        return believed


def _nodded_wrong(nod: _Parts | None) -> tuple[Finding, ...]:
    found = check_nod(nod) if nod else None
    return wrong_places([found] if found else [])
