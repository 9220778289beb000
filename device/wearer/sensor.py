"""One virtual sensor on one segment: its mounting, noise, bias and clock around the segment's true motion."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np

from device.wearer.body import SEGMENTS, chain
from device.wearer.kinematics import Skeleton
from device.wearer.person import Person
from poise.calibration import Quaternion
from poise.samples import Floats, Int64s

BLOCK: Final = 1024
"""Samples are always made in the same whole blocks, so that no way of asking for them changes a bit."""
_KEPT_BLOCKS: Final = 4
ACC_NOISE_M_S2: Final = 0.0065
GYR_NOISE_RAD_S: Final = 0.0007
ACC_BIAS_M_S2: Final = 0.03
GYR_BIAS_RAD_S: Final = 0.0035
CLOCK_PPM: Final = 20.0
"""White noise of one sample, and the spread between sensors of constant bias and clock rate: about what small
body-worn sensors have; assumptions of this simulation."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples `first` to `first + n` of one sensor.

    Attributes:
        first: number of the first sample since the sensor began.
        tick_us: (n,) int64 µs of the sensor's own clock, not wrapped.
        true_ns: (n,) int64 ns of true time since the wearer's start.
        acc: (n, 3) specific force in the sensor frame S, m/s².
        gyr: (n, 3) angular rate in S, rad/s.
    """

    first: int
    tick_us: Int64s
    true_ns: Int64s
    acc: Floats
    gyr: Floats

    def __len__(self) -> int:
        return len(self.tick_us)


@dataclass(frozen=True, slots=True)
class Imperfections:
    """What is not ideal about one sensor; all zero for a perfect one.

    Attributes:
        acc_noise: m/s², standard deviation of a sample.
        gyr_noise: rad/s.
        acc_bias: (3,) m/s².
        gyr_bias: (3,) rad/s.
        clock_ppm: rate error of its clock against true time, positive when fast.
        clock_start_us: what its clock said at its first sample.
        begins_ns: true time of its first sample after the wearer's start, within one period.
    """

    acc_noise: float = 0.0
    gyr_noise: float = 0.0
    acc_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gyr_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    clock_ppm: float = 0.0
    clock_start_us: int = 0
    begins_ns: int = 0

    @classmethod
    def from_seed(cls, seed: int, segment: str, period_ns: int) -> "Imperfections":
        """Draw them for one sensor."""
        rng = np.random.default_rng([seed, 3, SEGMENTS.index(segment)])
        return cls(
            acc_noise=ACC_NOISE_M_S2,
            gyr_noise=GYR_NOISE_RAD_S,
            acc_bias=_three(rng.normal(0, ACC_BIAS_M_S2, 3)),
            gyr_bias=_three(rng.normal(0, GYR_BIAS_RAD_S, 3)),
            clock_ppm=float(np.clip(rng.normal(0, CLOCK_PPM), -60, 60)),
            clock_start_us=int(rng.integers(0, 2**32)),
            begins_ns=int(rng.integers(0, period_ns)),
        )


class VirtualSensor:
    """Makes the samples of one sensor, any of them at any time, always the same.

    Attributes:
        segment: where it is worn.
        name: its identity where it needs one.
        imperfections: its noise, biases and clock.
        nominal_ns: its period by its own clock, ns.
        period_ns: its true period, ns.
        q_sensor_from_segment: its fixed mounting, w, x, y, z; the segment frame is the calibrated one.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        person: Person,
        segment: str,
        rate_hz: float,
        seeds: tuple[int, int],
        *,
        perfect: bool = False,
    ) -> None:
        chain(segment)  # a segment that the body lacks ends here, with its sentence
        seed, mounting_seed = seeds
        self._skeleton, self._seed = skeleton, seed
        self.segment, self.name = segment, f"sim-{seed & 0xFFFF:04x}-{segment}"
        self.nominal_ns = round(1e9 / rate_hz)
        self.imperfections = (
            Imperfections() if perfect else Imperfections.from_seed(seed, segment, self.nominal_ns)
        )
        self.period_ns = round(self.nominal_ns / (1 + self.imperfections.clock_ppm * 1e-6))
        own = person.upright_rad[segment]
        mount = _random_rotation(np.random.default_rng([mounting_seed, 4, SEGMENTS.index(segment)]))
        self._s_from_b = mount @ _inclined(*own)
        self.q_sensor_from_segment = _quaternion(self._s_from_b)
        self._blocks: OrderedDict[int, Samples] = OrderedDict()

    def samples_by_index(self, first: int, stop: int) -> Samples:
        """Return samples `first` to `stop` (not included), counted from the sensor's first.

        Blocks are kept, so that asking for a few samples after each other costs next to nothing.
        """
        spans = [self._block(number) for number in range(first // BLOCK, max(first, stop - 1) // BLOCK + 1)]
        skip = first - spans[0].first
        cut = slice(skip, skip + stop - first)
        whole = spans[0] if len(spans) == 1 else _joined(spans)
        return Samples(first, whole.tick_us[cut], whole.true_ns[cut], whole.acc[cut], whole.gyr[cut])

    def index_at(self, t_s: float) -> int:
        """Return how many samples the sensor has taken before `t_s`, s since the wearer's start."""
        return max(0, -((self.imperfections.begins_ns - round(t_s * 1e9)) // self.period_ns))

    def _block(self, number: int) -> Samples:
        if number not in self._blocks:
            self._blocks[number] = self._made(number)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[number]

    def _made(self, number: int) -> Samples:
        off = self.imperfections
        i = np.arange(number * BLOCK, (number + 1) * BLOCK, dtype=np.int64)
        true_ns = off.begins_ns + i * self.period_ns
        motion = self._skeleton.motion(self.segment, np.asarray(true_ns * 1e-9, np.float64))
        rng = np.random.default_rng([self._seed, 6, SEGMENTS.index(self.segment), number])
        noise = rng.standard_normal((2, BLOCK, 3))
        return Samples(
            number * BLOCK,
            off.clock_start_us + (i * self.nominal_ns + 500) // 1000,
            true_ns,
            self._seen(motion.specific_force) + np.array(off.acc_bias) + off.acc_noise * noise[0],
            self._seen(motion.angular_rate) + np.array(off.gyr_bias) + off.gyr_noise * noise[1],
        )

    def _seen(self, vectors: Floats) -> Floats:
        """Turn (3, n) vectors of the segment into (n, 3) of the sensor."""
        turned: Floats = np.einsum("ij,jn->ni", self._s_from_b, vectors)
        return turned


def _joined(spans: list[Samples]) -> Samples:
    return Samples(
        spans[0].first,
        np.concatenate([s.tick_us for s in spans]),
        np.concatenate([s.true_ns for s in spans]),
        np.concatenate([s.acc for s in spans]),
        np.concatenate([s.gyr for s in spans]),
    )


def _inclined(sagittal: float, frontal: float) -> Floats:
    """Return the rotation A from B: B is level at upright, the segment's own axes A lean by these angles."""
    ct, st, cp, sp = np.cos(sagittal), np.sin(sagittal), np.cos(frontal), np.sin(frontal)
    lean = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[ct, 0, st], [0, 1, 0], [-st, 0, ct]])
    return np.asarray(lean.T, np.float64)


def _random_rotation(rng: np.random.Generator) -> Floats:
    """Draw a rotation uniformly: four normal numbers, made a unit quaternion."""
    w, x, y, z = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _quaternion(m: Floats) -> Quaternion:
    """Return w, x, y, z of a rotation matrix, w not negative."""
    four = np.array([1 + m[0, 0] + m[1, 1] + m[2, 2], 1 + m[0, 0] - m[1, 1] - m[2, 2]])
    four = np.append(four, [1 - m[0, 0] + m[1, 1] - m[2, 2], 1 - m[0, 0] - m[1, 1] + m[2, 2]])
    size = np.sqrt(np.clip(four, 0, None)) / 2
    signs = [1.0, m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]
    w, x, y, z = np.copysign(size, signs)
    return float(w), float(x), float(y), float(z)


def _three(values: Floats) -> tuple[float, float, float]:
    x, y, z = values
    return float(x), float(y), float(z)
