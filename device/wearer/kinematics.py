"""From the body's channels to what a perfect sensor feels: exact derivatives, no differences.

The segment's orientation is R = Rz(heading) Rx(frontal) Ry(sagittal), so that the two inclinations of
docs/frames.md, atan2(-u_x, u_z) and asin(u_y) of earth's up seen in the segment, are the channels themselves.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from device.wearer.body import (
    AHEAD,
    ASIDE,
    FRONTAL,
    HEADING,
    SAGITTAL,
    TURN,
    UNREST,
    UP,
    WALK,
    chain,
    channel,
    levers,
)
from device.wearer.person import ALWAYS, Person
from device.wearer.timeline import Timeline
from poise.samples import Floats

GRAVITY_M_S2: Final = 9.80665
_STRIKE_SHARPNESS: Final = 20.0
"""Heel strikes are exp(κ (cos φ - 1)): about 45 ms wide at half their height."""
_STRIKE_LEFT: Final = {"head": 0.4, "c7": 0.6, "t4": 0.7, "t12": 0.85, "lumbar": 1.0}
"""What is left of a heel strike further up. That the head is smoother than the trunk is known (Kavanagh,
Morrison and Barrett 2005, Eur J Appl Physiol 94:468-475); the shares are this simulation's assumption."""
_BODY: Final = (AHEAD, ASIDE, UP, TURN, WALK, UNREST)

Vectors = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True)
class Motion:
    """One segment's motion at n moments, in its own frame B.

    Attributes:
        specific_force: (3, n) m/s² at the sensor's place, what a perfect accelerometer measures.
        angular_rate: (3, n) rad/s.
        angles: (3, n) rad: sagittal, frontal, heading.
    """

    specific_force: Floats
    angular_rate: Floats
    angles: Floats


class Skeleton:
    """Evaluates a timeline's body, segment by segment."""

    def __init__(self, timeline: Timeline, person: Person) -> None:
        self._timeline, self._person = timeline, person

    def motion(self, segment: str, t_s: Floats) -> Motion:
        """Return the motion of `segment` at the moments `t_s` (n,), s since the wearer's start."""
        links = chain(segment)
        channels = [channel(name, axis) for axis in (SAGITTAL, FRONTAL, HEADING) for name in links]
        jets = self._jets(t_s, [*channels, *_BODY])
        k = len(links)
        sagittal, frontal, heading = (jets[:, i * k : (i + 1) * k] for i in range(3))
        body = jets[:, 3 * k :]
        turn = body[:, _BODY.index(TURN)]
        turned = _Turning(sagittal, frontal, heading + turn[:, None])
        inner = turned.inner_acceleration(levers(segment, self._person.height_m))
        x, y, z = (part.sum(axis=0) for part in turned.to_earth(inner))
        root_x, root_y, root_z = self._root(t_s, body, segment)
        force = turned.last_to_segment((x + root_x, y + root_y, z + root_z + GRAVITY_M_S2))
        angles = np.stack([sagittal[0, -1], frontal[0, -1], heading[0, -1] + turn[0]])
        return Motion(np.stack(force), np.stack([part[-1] for part in turned.rate]), angles)

    def angles(self, segment: str, t_s: Floats) -> Floats:
        """Return the segment's true sagittal and frontal angle and heading, (3, n) rad."""
        channels = [channel(segment, axis) for axis in (SAGITTAL, FRONTAL, HEADING)]
        angles: Floats = self._jets(t_s, [*channels, TURN, WALK, UNREST])[0]
        angles[HEADING] += angles[3]
        return angles[:3]

    def _jets(self, t_s: Floats, channels: list[int]) -> Floats:
        """Return (3, c, n): the channels with sway, breath and gait; WALK and UNREST must be among them."""
        jets = self._timeline.channels_at(t_s, channels)
        envelopes = {
            WALK: jets[:, channels.index(WALK)].copy(),
            UNREST: jets[:, channels.index(UNREST)].copy(),
        }
        waves = self._person.waves
        place = {name: i for i, name in enumerate(channels)}
        for i, name in enumerate(waves.channels):
            envelope = waves.envelopes[i]
            if name not in place or (envelope != ALWAYS and not envelopes[envelope][0].any()):
                continue
            wave = _wave(t_s, waves.amplitudes[i], waves.hz[i], waves.phases[i])
            jets[:, place[name]] += wave if envelope == ALWAYS else _product(wave, envelopes[envelope])
        return jets

    def _root(self, t_s: Floats, body: Floats, segment: str) -> Vectors:
        """Return the pelvis's acceleration in earth axes, with what is left of heel strikes at `segment`."""
        ahead, aside, up, turn, walk, _ = (body[:, i] for i in range(6))
        speed = self._person.speed_m_s
        along = ahead[2] + speed * walk[1] - aside[1] * turn[1]
        across = aside[2] + (ahead[1] + speed * walk[0]) * turn[1]
        cos, sin = np.cos(turn[0]), np.sin(turn[0])
        strikes = walk[0] * _strikes(t_s, self._person) * _strike_left(segment)
        return along * cos - across * sin, along * sin + across * cos, up[2] + strikes


class _Turning:
    """Orientation, angular rate and acceleration of k segments at n moments, arrays (k, n)."""

    def __init__(self, sagittal: Floats, frontal: Floats, heading: Floats) -> None:
        (th, th1, th2), (ph, ph1, ph2), (ps, ps1, ps2) = sagittal, frontal, heading
        self._sin = st, sp, _ = np.sin(th), np.sin(ph), np.sin(ps)
        self._cos = ct, cp, _ = np.cos(th), np.cos(ph), np.cos(ps)
        # Rate and its change before the last turn, the sagittal one: v = (φ', sinφ ψ', cosφ ψ').
        v0, v1, v2 = ph1, sp * ps1, cp * ps1
        w0, w1, w2 = ph2, cp * ph1 * ps1 + sp * ps2, cp * ps2 - sp * ph1 * ps1
        self.rate = ct * v0 - st * v2, v1 + th1, st * v0 + ct * v2
        self.change = (
            ct * w0 - st * w2 - th1 * (st * v0 + ct * v2),
            w1 + th2,
            st * w0 + ct * w2 + th1 * (ct * v0 - st * v2),
        )

    def inner_acceleration(self, lever: Floats) -> Vectors:
        """Return the tangential and centripetal part at the levers (3, k), in each segment's frame."""
        r = (lever[0][:, None], lever[1][:, None], lever[2][:, None])
        tangential, centripetal = _cross(self.change, r), _cross(self.rate, _cross(self.rate, r))
        return (
            tangential[0] + centripetal[0],
            tangential[1] + centripetal[1],
            tangential[2] + centripetal[2],
        )

    def to_earth(self, v: Vectors) -> Vectors:
        """Turn vectors of each segment's frame into earth axes."""
        (st, sp, ss), (ct, cp, cs) = self._sin, self._cos
        x, y, z = ct * v[0] + st * v[2], v[1], ct * v[2] - st * v[0]
        y, z = cp * y - sp * z, sp * y + cp * z
        return cs * x - ss * y, ss * x + cs * y, z

    def last_to_segment(self, v: Vectors) -> Vectors:
        """Turn vectors (n,) of earth axes into the last segment's frame."""
        (st, sp, ss), (ct, cp, cs) = ((a[-1], b[-1], c[-1]) for a, b, c in (self._sin, self._cos))
        x, y, z = cs * v[0] + ss * v[1], cs * v[1] - ss * v[0], v[2]
        y, z = cp * y + sp * z, cp * z - sp * y
        return ct * x - st * z, y, st * x + ct * z


def _cross(a: Vectors, b: Vectors) -> Vectors:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _wave(t_s: Floats, amplitude: float, hz: float, phase: float) -> Floats:
    w = 2 * np.pi * hz
    sin, cos = np.sin(w * t_s + phase), np.cos(w * t_s + phase)
    return np.stack([amplitude * sin, amplitude * w * cos, -amplitude * w * w * sin])


def _product(a: Floats, b: Floats) -> Floats:
    return np.stack([a[0] * b[0], a[1] * b[0] + a[0] * b[1], a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2]])


def _strikes(t_s: Floats, person: Person) -> Floats:
    """Return the vertical acceleration of heel strikes, m/s²: pulses when the body is lowest, no mean."""
    phase = 4 * np.pi * person.stride_hz * t_s + 2 * person.gait_phase + np.pi / 2
    mean = float(np.i0(_STRIKE_SHARPNESS) * np.exp(-_STRIKE_SHARPNESS))
    return person.impact_m_s2 * (np.exp(_STRIKE_SHARPNESS * (np.cos(phase) - 1)) - mean)


def _strike_left(segment: str) -> float:
    return _STRIKE_LEFT.get(segment, 0.65 if segment.startswith("scapula") else 0.5)
