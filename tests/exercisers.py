"""People doing exercises, for tests and the benchmark: limbs that turn as told, and sensors that feel it.

A body of its own, apart from `device/wearer`: orientations are written down as rotations, positions follow
from lever arms, and the sensors' samples come from differences at 240 Hz. Sizes are round figures.
Axes as in docs/frames.md: x forward, y to the left, z up.
"""

from dataclasses import dataclass, field

import numpy as np
from exercise_poses import POSES, ease, still, turn
from scipy.spatial.transform import Rotation

from poise.calibration import Alignment, Calibration, Verdict
from poise.samples import ImuBatch, Scale, quantise, regular_times

FINE_HZ = 240
GRAVITY = 9.80665
SCALE = Scale(4_788_403, 1_065_264)
START_US = 1_790_000_000_000_000
SIDES = ("left", "right")
LEVERS = {
    "head": (0.05, 0.0, 0.25),
    "c7": (-0.06, 0.0, 0.08),
    "t4": (-0.1, 0.0, -0.08),
    "lumbar": (-0.1, 0.0, -0.3),
    "scapula_left": (-0.09, 0.08, -0.05),
    "scapula_right": (-0.09, -0.08, -0.05),
    "upper_arm_left": (0.0, 0.04, -0.2),
    "upper_arm_right": (0.0, -0.04, -0.2),
    "wrist_left": (0.0, 0.02, -0.22),
    "wrist_right": (0.0, -0.02, -0.22),
}
EVERYWHERE = tuple(LEVERS)


@dataclass
class Track:
    """A value in time, written as moves: at rest, then there within `over` seconds."""

    moves: list = field(default_factory=list)
    value: float = 0.0

    def to(self, at_s: float, over_s: float, value: float) -> None:
        """Move to `value` from `at_s` on."""
        self.moves.append((at_s, over_s, value - self.value))
        self.value = value

    def at(self, t):
        """Return the values at times `t`."""
        return sum((way * ease((t - start) / over) for start, over, way in self.moves), np.zeros_like(t))


@dataclass
class Plan:
    """One exercise as somebody does it.

    Attributes:
        exercise: a key of `POSES`, "arm_circles", "walking" or "sitting".
        reps: how many.
        period_s: of one repetition; hold_s and pause_s come on top.
        amplitude: factor on the usual range.
        fading: share of the range lost by the end.
        uneven: spread of tempo and range between repetitions.
        direction: 1 forward, -1 backward, for circles.
        sides: which arms or shoulder blades.
        busy: stand up and fetch something before, scratch in the middle, sit down after.
    """

    exercise: str
    reps: int = 10
    period_s: float = 3.0
    hold_s: float = 0.0
    pause_s: float = 0.3
    amplitude: float = 1.0
    fading: float = 0.0
    uneven: float = 0.1
    direction: int = 1
    sides: tuple = SIDES
    busy: bool = False
    rest_s: float = 4.0
    break_after: int = 0


@dataclass
class Done:
    """What was done: batches by segment, the calibration, and the truth."""

    parts: dict
    calibration: Calibration
    reps: int
    times_s: list
    start_s: float
    stop_s: float
    peaks: list = field(default_factory=list)


def perform(plan: Plan, seed: int = 0, segments=EVERYWHERE, rate_hz: float = 60.0) -> Done:
    """Return the samples of somebody who follows the plan."""
    rng = np.random.default_rng([seed, 11])
    body = _Body(plan, rng)
    return body.recorded(segments, rate_hz, seed)


class _Body:
    def __init__(self, plan: Plan, rng) -> None:
        self.plan, self.rng = plan, rng
        self.effort, self.phase, self.ready = Track(), Track(), Track()
        self.lean, self.rise, self.scratch, self.step = Track(), Track(), Track(), Track()
        self.times, self.peaks = [], []
        now = plan.rest_s
        if plan.busy:
            now = self._fetch(now)
        self.ready.to(now, 1.5, 1.0)
        now += 2.5
        self.begin = now
        now = self._set(now)
        self.end = now
        self.ready.to(now + 0.8, 1.5, 0.0)
        now += 3.0
        if plan.busy:
            self._sit(now)
            now += 3.5
        self.seconds = now + plan.rest_s

    def _fetch(self, now: float) -> float:
        """Stand up and reach for the band."""
        self._sit(now, up=0.35)
        self.scratch.to(now + 3.0, 1.0, 1.0)
        self.scratch.to(now + 5.0, 1.2, 0.0)
        return now + 7.0

    def _sit(self, now: float, up: float = 0.0) -> None:
        self.lean.to(now, 0.9, np.radians(35))
        self.rise.to(now + 0.4, 1.1, up)
        self.lean.to(now + 1.0, 1.1, 0.0)

    def _set(self, now: float) -> float:
        plan, rng = self.plan, self.rng
        for i in range(plan.reps):
            pace = plan.period_s * float(np.clip(rng.normal(1, plan.uneven), 0.6, 1.6))
            far = (1 - plan.fading * i / max(1, plan.reps - 1)) * float(
                np.clip(rng.normal(1, plan.uneven / 2), 0.75, 1.3)
            )
            self.times.append(now)
            self.peaks.append(far)
            if plan.exercise in ("arm_circles", "big_circles"):
                # A set of circles runs on: no rest between them.
                self.phase.moves.append((now, pace, 2 * np.pi * plan.direction))
                now += pace * (0.75 if i < plan.reps - 1 else 1.0)
                self.effort.value = far
            elif plan.exercise == "walking":
                now += pace
            else:
                out = pace * float(rng.uniform(0.4, 0.6))
                self.effort.to(now, out, far)
                self.effort.to(now + out + plan.hold_s, pace - out, 0.0)
                now += pace + plan.hold_s + plan.pause_s * float(rng.uniform(0.5, 1.5))
            if plan.break_after and i + 1 == plan.break_after:
                self.scratch.to(now + 1.0, 0.8, 1.0)
                self.scratch.to(now + 2.5, 0.8, 0.0)
                now += 6.0
        return now

    def recorded(self, segments, rate_hz: float, seed: int) -> Done:
        step = round(FINE_HZ / rate_hz)
        t = np.arange(-2, round(self.seconds * FINE_HZ) + 2) / FINE_HZ
        turned, places = self._pose(t)
        parts, alignments = {}, {}
        for number, name in enumerate(segments):
            rng = np.random.default_rng([seed, 12, number])
            mount = Rotation.random(rng=rng)
            parts[name] = [self._batch(name, turned[name], places[name], mount, rng, step)]
            w = mount.inv().as_quat(scalar_first=True)
            alignments[name] = Alignment(f"ex-{name}", tuple(float(x) for x in w), 0.0)
        calibration = Calibration("true", START_US, "truth", Verdict.GOOD, alignments)
        times = [float(x) for x in self.times]
        return Done(parts, calibration, self.plan.reps, times, self.begin, self.end, self.peaks)

    def _batch(self, name, turned, place, mount, rng, step) -> ImuBatch:
        """Feel it: `mount` turns the sensor frame into the segment's, q_segment_from_sensor."""
        sensor = turned * mount
        gyr = (sensor[:-1].inv() * sensor[1:]).as_rotvec() * FINE_HZ
        gyr = 0.5 * (gyr[:-1] + gyr[1:])
        at = place + turned.apply(LEVERS[name])
        acc = (at[2:] - 2 * at[1:-1] + at[:-2]) * FINE_HZ**2 + [0, 0, GRAVITY]
        force = sensor[1:-1].inv().apply(acc)[1:-1:step]
        rate = gyr[1:-1:step]
        n = len(force)
        force = force + rng.normal(0, 0.03, 3) + rng.normal(0, 0.02, (n, 3))
        rate = rate + rng.normal(0, 0.005, 3) + rng.normal(0, 0.002, (n, 3))
        period_ns = round(step * 1e9 / FINE_HZ)
        return ImuBatch(
            f"ex-{name}",
            name,
            0,
            period_ns,
            regular_times(START_US + int(rng.integers(0, 15000)), period_ns, n),
            quantise(force, SCALE.acc_nano)[0],
            quantise(rate, SCALE.gyr_nano)[0],
            SCALE,
        )

    def _pose(self, t):
        effort, ready, lean = self.effort.at(t), self.ready.at(t), self.lean.at(t)
        rng, name = self.rng, self.plan.exercise
        sway = [_sway(t, rng, np.radians(0.3)) for _ in range(3)]
        breath = np.radians(0.4) * np.sin(2 * np.pi * rng.uniform(0.2, 0.3) * t + rng.uniform(0, 6))
        pose = POSES.get(name, still)(effort * self.plan.amplitude, ready)
        walk = self._gait(t) if name == "walking" else {}
        facing = Rotation.from_euler("z", rng.uniform(-3, 3))
        trunk = lean + sway[0] + pose.get("lean", 0)
        t4 = facing * turn("zxy", sway[2] + walk.get("twist", 0), sway[1], trunk + breath)
        turned = {"t4": t4, "lumbar": facing * turn("zxy", sway[2], sway[1], trunk * 0.8)}
        turned["c7"] = t4 * turn("zxy", *(0.3 * np.asarray(x) for x in pose.get("neck", (0 * t,) * 3)))
        neck = [x + _sway(t, rng, np.radians(1.0)) for x in pose.get("neck", (0,) * 3)]
        turned["head"] = t4 * turn("zxy", *neck)
        moved = np.zeros((len(t), 3))
        moved[:, 2] = self.rise.at(t) + walk.get("bob", 0)
        places = dict.fromkeys(("t4", "head", "c7", "lumbar"), moved)
        for side in SIDES:
            self._arm(side, t, t4, moved, pose, walk, turned, places, effort)
        return turned, places

    def _arm(self, side, t, t4, moved, pose, walk, turned, places, effort):
        s = 1 if side == "left" else -1
        works = side in self.plan.sides
        tilt, protract, lift = (pose.get("scapula", (0 * t,) * 3)) if works else (0 * t,) * 3
        turned[f"scapula_{side}"] = t4 * turn("zxy", -s * protract, -s * lift, tilt)
        places[f"scapula_{side}"] = moved
        scratch = self.scratch.at(t) if side == "right" else 0 * t
        arm = self._arm_pose(s, t, pose, effort) if works else turn("zxy", 0 * t, 0 * t, 0 * t)
        swing = walk.get(side, 0 * t)
        arm = turn("y", -1.1 * scratch + swing) * arm
        turned[f"upper_arm_{side}"] = t4 * arm
        shoulder = moved + t4.apply([0.0, s * 0.18, 0.02])
        places[f"upper_arm_{side}"] = shoulder
        bend = pose.get("elbow", 0 * t) if works else 0 * t
        lower = t4 * arm * turn("y", -bend - 1.2 * scratch)
        turned[f"wrist_{side}"] = lower
        places[f"wrist_{side}"] = shoulder + (t4 * arm).apply([0.0, 0.0, -0.3])

    def _arm_pose(self, s, t, pose, effort):
        name, ready = self.plan.exercise, self.ready.at(t)
        if name == "arm_circles":
            # The hand goes round a cone about the line out to the side; forward at the top is forward.
            radius = np.radians(25) * self.plan.amplitude * ready
            turns = self.phase.at(t)
            raised = np.radians(80) * ready - radius * np.cos(turns + np.pi) * 1.0
            ahead = radius * np.sin(turns)
            return turn("zx", -s * ahead, s * raised)
        if name == "big_circles":
            return turn("y", self._forward(t) + 0 * s) * turn("x", s * np.radians(15) * ready)
        ahead, aside, across = pose.get("arm", (0 * t,) * 3)
        return turn("zxy", s * across, s * aside, -ahead)

    def _forward(self, t):
        """Round and round in the sagittal plane: over the top forward is a turn about +y."""
        return self.phase.at(t)

    def _gait(self, t):
        on, hz = self.ready.at(t), 0.92
        bob = 0.02 * on * np.sin(4 * np.pi * hz * t)
        swing = np.radians(20) * on * np.sin(2 * np.pi * hz * t)
        return {"bob": bob, "left": swing, "right": -swing, "twist": 0.2 * swing}


def _sway(t, rng, size):
    hz, phase = rng.uniform(0.03, 0.35, 3), rng.uniform(0, 6.3, 3)
    return size * np.sin(2 * np.pi * np.outer(t, hz) + phase).mean(axis=1)
