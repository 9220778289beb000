"""A hundred seconds of one real person with sixteen sensors, as moments with reference headings.

Source: qmt toolbox (Bo Yang, 2021, MIT). The reference is the maker's own orientation, with magnetometer; it
is not optical. The data lies beside the project and never in it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from analytics.motion.grid import Grid
from analytics.motion.heading import from_segment, heading
from analytics.motion.moments import Moments
from analytics.motion.orientation import Orientation, up_in_sensor
from poise.calibration import Alignment
from poise.results import GRID_US
from poise.samples import Floats, ImuBatch, Scale, quantise, regular_times

FILE = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "full_body" / "qmt_full_body.npz"
SCALE = Scale(4_788_403, 1_065_264)
START_US = 1_790_000_000_000_000
PERIOD_NS = 10_000_000
UPRIGHT = 300
STAND_IN = {
    "head": "head",
    "upper_back": "t4",
    "lower_back": "lumbar",
    "upper_arm_left": "scapula_left",
    "upper_arm_right": "scapula_right",
}
"""The person wore no sensors on the shoulder blades; the upper arms stand in for them, and turn further."""


class Person(NamedTuple):
    """What the sensors saw, how they sat (upright at the start), and headings (n,) rad by segment."""

    moments: Moments
    alignments: dict[str, Alignment]
    headings: dict[str, Floats]


def load() -> Person:
    """Read the recording."""
    grid, reference = Grid(), {}
    with np.load(FILE) as data:
        for place, segment in STAND_IN.items():
            samples = _samples(
                segment, data[f"{place}/acc"].astype(float), data[f"{place}/gyr"].astype(float)
            )
            grid.add([samples])
            up = up_in_sensor(Orientation(PERIOD_NS).update(samples).q_earth_from_sensor)
            maker = Rotation.from_quat(data[f"{place}/quat"].astype(float), scalar_first=True)
            # The maker's sensor axes are not those of its accelerometer: up, seen in both, tells the turn.
            between, _ = Rotation.align_vectors(maker.inv().apply([0.0, 0.0, 1.0]), up)
            reference[segment] = maker * between
    moments = grid.moments(everything=True)
    rows = np.minimum((moments.frames * GRID_US - START_US) // (PERIOD_NS // 1000), len(samples) - 1)
    alignments, headings = {}, {}
    for segment, turned in reference.items():
        w, x, y, z = turned[:UPRIGHT].mean().inv().as_quat(scalar_first=True).tolist()
        alignments[segment] = Alignment(segment, (w, x, y, z), 0.0)
        headings[segment] = heading(from_segment(turned[rows].as_quat(scalar_first=True), (w, x, y, z)))
    return Person(moments, alignments, headings)


def _samples(segment: str, acc: Floats, gyr: Floats) -> ImuBatch:
    return ImuBatch(
        sensor=segment,
        segment=segment,
        first_tick=0,
        period_ns=PERIOD_NS,
        t_us=regular_times(START_US, PERIOD_NS, len(acc)),
        acc=quantise(acc, SCALE.acc_nano)[0],
        gyr=quantise(gyr, SCALE.gyr_nano)[0],
        scale=SCALE,
    )
