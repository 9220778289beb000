"""Batches of sensors that follow given inclinations exactly: the simplest body there is, for oracles."""

import zlib
from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from analytics.wearing.calibration import calibrate
from poise.calibration import Calibration
from poise.samples import ImuBatch, Scale, quantise, regular_times

GRAVITY = 9.80665
SCALE = Scale(4_788_403, 1_065_264)
START_US = 1_790_000_000_000_000
PERIOD_NS = 20_000_000
SEGMENTS = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")


def eased(targets: list[tuple[float, float]], seconds: float, hz: float = 50.0) -> np.ndarray:
    """Return degrees at each sample: hold each `(from_s, degrees)`, moving there within a second."""
    t = np.arange(int(seconds * hz)) / hz
    angle, now = np.zeros_like(t), 0.0
    for start, goal in targets:
        u = np.clip(t - start, 0.0, 1.0)
        angle += (goal - now) * u**3 * (10 - 15 * u + 6 * u**2)
        now = goal
    return angle


def batch(
    segment: str,
    sagittal_deg: np.ndarray,
    *,
    mount: Rotation | None = None,
    start_us: int = START_US,
    noise: float = 0.0,
) -> ImuBatch:
    """Return one sensor's samples while its segment leans as told, turned in its mount by `mount`."""
    mount = mount or Rotation.identity()
    lean = np.radians(sagittal_deg)
    n = len(lean)
    up = np.stack([-np.sin(lean), np.zeros(n), np.cos(lean)], axis=1)
    rate = np.stack(
        [np.zeros(n), np.gradient(lean, PERIOD_NS * 1e-9) if n > 1 else np.zeros(n), np.zeros(n)], axis=1
    )
    wobble = np.random.default_rng(zlib.crc32(segment.encode()) if noise else 0).normal(
        0.0, noise or 1e-12, (2, n, 3)
    )
    return ImuBatch(
        sensor=f"S-{segment}",
        segment=segment,
        first_tick=0,
        period_ns=PERIOD_NS,
        t_us=regular_times(start_us, PERIOD_NS, n),
        acc=quantise(mount.apply(up) * GRAVITY + wobble[0], SCALE.acc_nano)[0],
        gyr=quantise(mount.apply(rate) + wobble[1] * 0.1, SCALE.gyr_nano)[0],
        scale=SCALE,
    )


def calibration(
    mounts: Mapping[str, Rotation] | None = None, segments: tuple[str, ...] = SEGMENTS
) -> Calibration:
    """Return the calibration of a person who sits tall and then bows as one piece."""
    mounts = mounts or {}
    early = START_US - 60_000_000
    upright = {s: [batch(s, np.zeros(250), mount=mounts.get(s), start_us=early)] for s in segments}
    lean = eased([(1, 35), (5, 0)], 8)
    bow = {s: [batch(s, lean, mount=mounts.get(s), start_us=early + 10_000_000)] for s in segments}
    return calibrate(upright, bow, calibration_id="c-test", made_us=early + 20_000_000)


def person(
    leans: Mapping[str, np.ndarray], mounts: Mapping[str, Rotation] | None = None, start_us: int = START_US
) -> list[ImuBatch]:
    """Return a batch for each segment in `leans`."""
    return [batch(s, lean, mount=(mounts or {}).get(s), start_us=start_us) for s, lean in leans.items()]
