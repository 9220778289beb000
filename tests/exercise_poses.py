"""Where each exercise takes the segments."""

import numpy as np
from scipy.spatial.transform import Rotation


def ease(u):
    """Return the minimum-jerk blend from 0 to 1."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10 - 15 * u + 6 * u * u)


def still(effort, ready):
    return {}


def _squeeze(effort, ready):
    e = np.radians(10) * effort
    return {"scapula": (-0.4 * e, -e, 0.1 * e), "lean": -0.15 * e, "arm": (-0.6 * e, 0.2 * e, 0 * e)}


def _row(effort, ready):
    ahead = np.radians(55) * ready - np.radians(75) * effort
    e = np.radians(12) * effort
    elbow = np.radians(20) * ready + np.radians(70) * effort
    return {
        "arm": (ahead, 0.8 * e, 0 * e),
        "scapula": (-0.3 * e, -e, 0 * e),
        "elbow": elbow,
        "lean": np.radians(8) * ready - 0.2 * e,
    }


def _fly(effort, ready):
    """Arms in front of the chest, out to the sides and back: almost all of it is heading."""
    out = np.radians(75) * effort
    return {
        "arm": (np.radians(80) * ready, 0 * out, out),
        "scapula": (0 * out, -0.15 * out, 0 * out),
        "elbow": np.radians(15) * ready,
    }


def _bent_fly(effort, ready):
    out = np.radians(70) * effort
    return {"arm": (0 * out, out, 0 * out), "scapula": (0 * out, -0.15 * out, 0 * out), "lean": 0.9 * ready}


def _raise(effort, ready):
    return {"arm": (0 * effort, np.radians(100) * effort, 0 * effort), "scapula": (0, 0, 0.3 * effort)}


def _shrug(effort, ready):
    e = np.radians(9) * effort
    return {"scapula": (0.5 * e, 0 * e, e), "arm": (0 * e, 0.3 * e, 0 * e)}


def _neck(axis):
    sizes = (np.radians(60), np.radians(38), np.radians(48))

    def pose(effort, ready):
        angles = [0 * effort, 0 * effort, 0 * effort]
        angles[axis] = sizes[axis] * effort
        return {"neck": tuple(angles)}

    return pose


def _levator(effort, ready):
    return {"neck": (np.radians(-25) * effort, np.radians(12) * effort, np.radians(32) * effort)}


def _chest(effort, ready):
    e = np.radians(14) * effort
    return {"arm": (-1.5 * e, np.radians(70) * effort, -e), "scapula": (-0.4 * e, -e, 0 * e)}


POSES = {
    "squeeze": _squeeze,
    "row": _row,
    "reverse_fly": _fly,
    "bent_over_fly": _bent_fly,
    "arm_raise": _raise,
    "shrug": _shrug,
    "neck_rotation": _neck(0),
    "neck_side_bend": _neck(1),
    "neck_flexion": _neck(2),
    "levator_stretch": _levator,
    "chest_stretch": _chest,
}


def turn(axes: str, *angles):
    """Return rotations about moving axes, one a moment."""
    n = max(np.size(a) for a in angles)
    columns = np.stack([np.broadcast_to(a, n) for a in angles], axis=1)
    return Rotation.from_euler(axes.upper(), columns)
