"""Inclinations and joint angles at the edges of what they mean: lying down, large tilts, unseen segments."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from analytics.motion.angles import axes, conditioned, inclination
from analytics.motion.joints import joint_angles, thorax_of

DEG = np.pi / 180
LEVEL = axes((1.0, 0.0, 0.0, 0.0))


def up_of(sagittal, frontal, heading=0.3):
    """Up in the segment for R = Rz(heading) Rx(frontal) Ry(sagittal), degrees."""
    turned = Rotation.from_euler("ZXY", [[heading / DEG, frontal, sagittal]], degrees=True)
    return turned.inv().apply([0.0, 0.0, 1.0])


@pytest.mark.parametrize("sagittal", [-170, -90, -60, 0, 35, 89.9, 90, 120, 179])
@pytest.mark.parametrize("frontal", [-74, -30, 0, 60])
def test_any_tilt_that_is_not_on_the_side_is_told_exactly(sagittal, frontal):
    found = inclination(up_of(sagittal, frontal), LEVEL)
    np.testing.assert_allclose(np.degrees([found[0][0], found[1][0]]), [sagittal, frontal], atol=1e-6)
    assert conditioned(found[1])[0]


def test_lying_on_the_side_keeps_frontal_and_gives_up_sagittal():
    wobble = np.concatenate([up_of(s, 88) for s in (-60, 10, 80)])
    sagittal, frontal = inclination(wobble, LEVEL)
    np.testing.assert_allclose(np.degrees(frontal), 88, atol=1e-6)
    assert not conditioned(frontal).any()
    both = joint_angles(
        ("head", "t4"), np.stack([sagittal, sagittal], axis=1), np.stack([frontal, frontal], axis=1)
    )
    assert np.isnan(both["head_on_thorax"]).all()
    np.testing.assert_allclose(both["head_on_thorax.frontal"], 0.0, atol=1e-12)
    assert not conditioned(np.array([np.nan]))[0]


def test_joint_angles_have_the_signs_of_the_page():
    names = ("c7", "head", "lumbar", "scapula_left", "scapula_right", "t4")
    sagittal = np.radians([[20.0, 0.0, 4.0, 14.0, 30.0, 10.0]])
    frontal = np.radians([[0.0, 5.0, -2.0, 8.0, -8.0, 1.0]])
    found = {name: float(np.degrees(v[0])) for name, v in joint_angles(names, sagittal, frontal).items()}
    assert found == pytest.approx(
        {
            "head_on_thorax": -10,
            "head_on_c7": -20,
            "c7_on_thorax": 10,
            "thorax_on_pelvis": 6,
            "head_on_thorax.frontal": 4,
            "thorax_on_pelvis.frontal": 3,
            "scapula_tilt_left": 4,
            "scapula_tilt_right": 20,
            "scapula_raise_left": 7,
            "scapula_raise_right": 9,
        }
    )


def test_what_is_not_worn_is_not_given():
    assert joint_angles(("wrist_left",), np.zeros((2, 1)), np.zeros((2, 1))) == {}
    assert thorax_of(("c7", "head")) == "c7"
    found = joint_angles(("c7", "head"), np.zeros((2, 2)), np.full((2, 2), np.nan))
    assert set(found) == {"head_on_thorax", "head_on_c7", "head_on_thorax.frontal"}
    assert np.isnan(found["head_on_c7"]).all()
