"""The craniovertebral angle is an estimate: what it starts from, which way it goes, how wide it is."""

import numpy as np
import pytest

from analytics.posture.estimates import MeasuredAngle, craniovertebral

DEG = np.pi / 180


def neck_of_six(head: float, c7: float, rest: float = 50 * DEG) -> float:
    """Craniovertebral angle of another neck: seven links, bent three times as much in the upper two."""
    shares = np.array([0, 1, 1, 1, 1, 3, 3]) / 10
    lengths = np.array([0.021] * 5 + [0.017, 0.012])
    lean = c7 + np.cumsum(shares) * (head - c7)

    def ear(lean: np.ndarray, tilt: float, own: float) -> np.ndarray:
        links = np.array([(lengths * np.cos(own - lean)).sum(), (lengths * np.sin(own - lean)).sum()])
        return links + 0.018 * np.array([np.cos(0.9 - tilt), np.sin(0.9 - tilt)])

    own = rest
    for _ in range(20):
        x, z = ear(np.zeros(7), 0.0, own)
        own += rest - np.arctan2(z, x)
    x, z = ear(lean, head, own)
    return float(np.arctan2(z, x))


def test_upright_is_the_anchor():
    nobody = craniovertebral(np.zeros(1), np.zeros(1))
    assert nobody.angle[0] == pytest.approx(50 * DEG, abs=1e-12)
    assert "nobody has measured" in nobody.basis
    own = MeasuredAngle(44 * DEG, "2026-03-02", "c-1", head_rad=5 * DEG, c7_rad=9 * DEG)
    at_clinic = craniovertebral(np.array([5 * DEG]), np.array([9 * DEG]), own, "c-1")
    assert at_clinic.angle[0] == pytest.approx(44 * DEG, abs=1e-12)
    assert at_clinic.high[0] - at_clinic.low[0] < 0.5 * (nobody.high[0] - nobody.low[0])


def test_measured_with_another_calibration_is_wider_and_says_so():
    own = MeasuredAngle(44 * DEG, "2026-03-02", "c-1")
    now, later = (craniovertebral(np.zeros(1), np.zeros(1), own, name) for name in ("c-1", "c-2"))
    assert later.high[0] - later.low[0] > now.high[0] - now.low[0]
    assert "measure again" in later.basis
    assert "measure again" not in now.basis


@pytest.mark.parametrize(
    ("head", "c7"), [(0, 18), (35, 2), (20, 22), (-15, 0), (0, 10), (10, 25), (45, 10), (-5, 12)]
)
def test_another_neck_lies_within_the_interval(head, c7):
    """Level-gaze forward head, looking down, slouch: the true angle of a body model that is not ours."""
    found = craniovertebral(np.array([head * DEG]), np.array([c7 * DEG]))
    true = neck_of_six(head * DEG, c7 * DEG)
    assert found.low[0] <= true <= found.high[0]
    assert abs(found.angle[0] - true) < 8 * DEG


def test_forward_lowers_it_and_unseen_stays_unseen():
    c7 = np.radians([0, 5, 10, 15, 20, np.nan])
    found = craniovertebral(np.zeros(6), c7)
    assert np.all(np.diff(found.angle[:5]) < 0)
    assert np.all(np.diff((found.high - found.low)[:5]) > 0)
    assert np.isnan(found.angle[5])
    assert np.isnan(found.low[5])
    assert np.isnan(craniovertebral(np.array([np.nan]), np.zeros(1)).angle[0])
