"""Hours of a wearer's angles in postures that take turns, for the watch over a calibration."""

import numpy as np
import posed

from analytics.motion.moments import Moments
from analytics.wearing.validity import BLOCK

WORN = ("c7", "head", "lumbar", "scapula_left", "scapula_right", "t4")
KNOWN = posed.calibration(segments=WORN)


def moments(sagittal: np.ndarray, frontal: np.ndarray) -> tuple[Moments, np.ndarray, np.ndarray]:
    """Return moments of WORN with these angles, degrees (n, m); NaN unseen."""
    sagittal, frontal = np.radians(sagittal), np.radians(frontal)
    up = np.stack(
        [-np.sin(sagittal) * np.cos(frontal), np.sin(frontal), np.cos(sagittal) * np.cos(frontal)], axis=-1
    )
    calm = np.full(sagittal.shape, 0.01)
    q = np.full((*sagittal.shape, 4), 0.5)
    frames = posed.START_US // 100_000 // BLOCK * BLOCK + np.arange(len(sagittal))
    return Moments(frames, WORN, q, up, calm, calm + 9.8, calm), sagittal, frontal


def day(minutes: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return postures in turns, degrees: upright, forward head, slouch, looking down, side bend."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((5, len(WORN)))
    poses[1, 0], poses[2] = 18, (22, 8, 3, 26, 26, 26)
    poses[3, 1], poses[4] = 40, 0
    order = rng.integers(0, 5, round(minutes / 1.5) + 1)
    at = np.repeat(order, 900)[: round(minutes * 600)]
    side = np.where((at == 4)[:, None], np.array([28, 26, 11, 29, 29, 29]), 0)
    noise = rng.normal(0, 1.0, (2, len(at), len(WORN)))
    return poses[at] + noise[0], side + noise[1]
