"""The virtual wearer's samples obey physics, checked with other formulas than the ones that made them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from device.wearer import Wearer, parse_script
from device.wearer.body import HEADING, chain, levers
from device.wearer.kinematics import GRAVITY_M_S2

ALL = ("head", "c7", "t4", "t12", "lumbar", "scapula_left", "scapula_right", "upper_arm_right", "wrist_left")


def perfect(text: str, rate_hz: float = 60.0, segments=ALL, seed: int = 5) -> Wearer:
    return Wearer(parse_script(text), seed, segments, rate_hz, perfect_sensors=True)


def turned(wearer: Wearer, segment: str, t_s) -> Rotation:
    """Earth from segment, by scipy's own Euler angles: heading, then frontal, then sagittal."""
    sagittal, frontal, heading = wearer._skeleton.angles(segment, np.asarray(t_s, float))
    return Rotation.from_euler("ZXY", np.stack([heading, frontal, sagittal], axis=1))


def mounted(wearer: Wearer, segment: str) -> Rotation:
    """Sensor from segment."""
    return Rotation.from_quat(wearer.sensors[segment].q_sensor_from_segment, scalar_first=True)


def in_segment(wearer: Wearer, segment: str, vectors) -> np.ndarray:
    return mounted(wearer, segment).apply(vectors, inverse=True)


def acceleration(wearer: Wearer, segment: str, samples) -> np.ndarray:
    """Acceleration in earth axes, as an observer with true orientation would compute it."""
    force = in_segment(wearer, segment, samples.acc)
    earth = turned(wearer, segment, samples.true_ns * 1e-9).apply(force)
    return earth - [0, 0, GRAVITY_M_S2]


def inclinations(force) -> tuple[np.ndarray, np.ndarray]:
    up = force / np.linalg.norm(force, axis=1, keepdims=True)
    return np.arctan2(-up[:, 0], up[:, 2]), np.arcsin(up[:, 1])


@pytest.mark.parametrize("segment", ALL)
@pytest.mark.parametrize("act", ["upright", "slouch", "forward head", "side bend left", "rounded shoulders"])
def test_held_still_a_sensor_feels_gravity_and_its_angles_are_the_true_ones(segment, act):
    wearer = perfect(f"upright 5 s\n{act} 12 s", segments=(segment,))
    samples = wearer.samples(segment, 8.0, 17.0)
    assert np.linalg.norm(samples.acc, axis=1) == pytest.approx(GRAVITY_M_S2, abs=0.05)
    sagittal, frontal = inclinations(in_segment(wearer, segment, samples.acc))
    true = wearer._skeleton.angles(segment, samples.true_ns * 1e-9)
    assert np.degrees(np.abs(sagittal - true[0])).max() < 0.3
    assert np.degrees(np.abs(frontal - true[1])).max() < 0.3


@pytest.mark.parametrize("segment", ["head", "t4", "scapula_right", "wrist_left"])
def test_integrating_the_gyroscope_gives_back_the_orientation(segment):
    script = "upright 2 s\nreach left 4 s\nturn head 5 s\nturn around left 3 s\nwalk 8 s\nside bend right 4 s"
    wearer = perfect(script, rate_hz=500.0, segments=(segment,))
    samples = wearer.samples(segment, 0.0, 26.0)
    middle = (samples.gyr[1:] + samples.gyr[:-1]) / 2
    sensor = turned(wearer, segment, samples.true_ns * 1e-9) * mounted(wearer, segment).inv()
    reached = sensor[0]
    for step in Rotation.from_rotvec(middle * np.diff(samples.true_ns)[:, None] * 1e-9):
        reached = reached * step
    assert np.degrees((sensor[-1].inv() * reached).magnitude()) < 0.1


@pytest.mark.parametrize("segment", ALL)
def test_acceleration_is_the_second_difference_of_the_sensors_place(segment):
    """Place on the chain from scipy's rotations; the pelvis itself stays where it is in these acts."""
    wearer = perfect(
        "upright 2 s\nreach left 4 s\nturn head 4 s\nturn around right 3 s", 100.0, (segment,), seed=9
    )
    samples = wearer.samples(segment, 0.5, 12.5)
    t_s, h = samples.true_ns * 1e-9, 1e-3
    lever = levers(segment, wearer.person.height_m)

    def place(t):
        return sum(turned(wearer, link, t).apply(lever[:, i]) for i, link in enumerate(chain(segment)))

    expected = (place(t_s + h) - 2 * place(t_s) + place(t_s - h)) / h**2
    assert np.abs(acceleration(wearer, segment, samples) - expected).max() < 0.02
    assert np.abs(expected).max() > 0.2


def test_a_known_turn_has_its_centripetal_acceleration():
    """Half way through a minimum-jerk half turn of 2 s the rate is 15/8 of the mean, and is not changing."""
    wearer = perfect("upright 4 s\nturn around left 4 s, by 180 deg, over 2 s", 500.0, ("upper_arm_right",))
    samples = wearer.samples("upper_arm_right", 4.99, 5.01)
    rate = np.linalg.norm(samples.gyr, axis=1).mean()
    assert rate == pytest.approx(np.pi / 2 * 15 / 8, rel=0.01)
    horizontal = acceleration(wearer, "upper_arm_right", samples)[:, :2]
    away = levers("upper_arm_right", wearer.person.height_m)[:2].sum(axis=1)
    assert np.linalg.norm(horizontal, axis=1).mean() == pytest.approx(rate**2 * np.hypot(*away), rel=0.05)


def test_standing_up_raises_every_sensor_by_the_same_way():
    wearer = perfect("upright 5 s\nstand 8 s", 200.0, ("lumbar", "head"))
    rises = []
    for segment in ("lumbar", "head"):
        samples = wearer.samples(segment, 4.0, 12.0)
        velocity = np.cumsum(acceleration(wearer, segment, samples)[:, 2]) / 200
        assert abs(velocity[-1]) < 0.02
        rises.append(velocity.sum() / 200)
    assert rises == pytest.approx([0.42, 0.42], abs=0.03)


def test_walking_has_steps_that_the_head_feels_less_than_the_lower_back():
    wearer = perfect("stand 6 s\nwalk 30 s", 100.0, ("lumbar", "head"))
    vertical = {
        name: acceleration(wearer, name, wearer.samples(name, 10.0, 34.0))[:, 2]
        for name in ("lumbar", "head")
    }
    spectrum = np.abs(np.fft.rfft(vertical["lumbar"]))
    strongest = np.fft.rfftfreq(len(vertical["lumbar"]), 0.01)[spectrum.argmax()]
    assert strongest == pytest.approx(2 * wearer.person.stride_hz, abs=0.06)
    assert 1.5 < vertical["lumbar"].std() < 4.0
    assert vertical["head"].std() < 0.9 * vertical["lumbar"].std()


def test_forward_is_positive_and_the_persons_right_is_positive():
    """The sign table of docs/frames.md, movement by movement."""
    wearer = perfect(
        "slouch 10 s\nside bend right 10 s\nrounded shoulder right 10 s\nturn head left 6 s\nlean back 10 s"
    )
    at = {
        name: np.degrees(wearer._skeleton.angles(name, np.array([8.0, 18.0, 28.0, 33.0, 44.0])))
        for name in ("t4", "scapula_left", "scapula_right", "upper_arm_right", "head")
    }
    assert at["t4"][0, 0] > 20
    assert at["t4"][1, 1] > 15
    assert at["scapula_right"][0, 2] > 12 > 5 > at["scapula_left"][0, 2]
    assert at["scapula_right"][HEADING, 2] > 5
    assert at["head"][HEADING, 3] > 40
    assert at["t4"][0, 4] < -8


def test_calibration_is_eight_still_seconds_and_one_bow_in_the_sagittal_plane():
    for seed in range(4):
        wearer = Wearer("short", seed)
        angles = np.degrees(wearer._skeleton.angles("t4", np.arange(0, 16.5, 0.05)))
        still, bow, after = angles[:, 20:155], angles[:, 160:300], angles[:, 310:]
        assert still.std(axis=1).max() < 0.6
        assert 35 < bow[0].max() < 45
        assert np.abs(bow[1]).max() < 1.5
        assert np.abs(after[0]).max() < 2.0
