"""Which sensor does the person shake or tap?

How much a sensor moves is measured over one second; the moved one is the one that moves clearly more than all
others and than it does at rest, for two looks in a row. Somebody who walks moves all of them, a desk that is
pushed does too, and a single jolt is over before the second look: then none is picked, and the person tries
again.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np

from device.bluetooth.link import Link
from device.stream.clock import Moment
from device.vendors.base import Decoder, Notification, Vendor
from poise.samples import Floats

WINDOW_US: Final = 1_000_000
LOOK_S: Final = 0.5
"""Time between two looks."""
FEWEST: Final = 10
"""Samples in a window; every maker's sensor sends at least 20 a second."""
GYR_RAD_S: Final = 1.0
ACC_M_S2: Final = 4.0
"""What counts as moving by 1: turning at 1 rad/s, or being shaken by 4 m/s² (project decision, so that a tap,
which turns hardly, counts as a shake does)."""
MOVED: Final = 0.5
CLEARLY: Final = 3.0
OWN: Final = 4.0
"""The least movement, and how often it must be that of the second and that of its own rest (project decision;
`tests/device/test_picking.py` says how often shakes are told and what moves without being picked)."""
_MEMORY: Final = 20
_KNOWN: Final = 4
_SURE: Final = 2


def movement(acc: Floats, gyr: Floats) -> float:
    """Return how much a sensor moved in a window.

    Args:
        acc: (n, 3) specific force, m/s².
        gyr: (n, 3) angular rate, rad/s; NaN where the sensor gives none.
    """
    shaken = acc - acc.mean(axis=0)
    turned = np.nan_to_num(gyr, nan=0.0)
    return float(np.hypot(_rms(turned) / GYR_RAD_S, _rms(shaken) / ACC_M_S2))


def _rms(vectors: Floats) -> float:
    return float(np.sqrt(np.mean(np.sum(np.square(vectors), axis=1))))


def moved_most(levels: Mapping[str, float], rest: Mapping[str, float]) -> str:
    """Return the sensor that moves clearly more than all others and than at rest, "" if none does."""
    if not levels:
        return ""
    most, *others = sorted(levels, key=lambda sensor: levels[sensor], reverse=True)
    level, second = levels[most], levels[others[0]] if others else 0.0
    clear = level >= MOVED and level >= CLEARLY * second and level >= OWN * rest.get(most, np.inf)
    return most if clear else ""


class Choice:
    """Follows looks at all sensors until one of them has been moved."""

    def __init__(self) -> None:
        """Begin with no rest known."""
        self._seen: dict[str, deque[float]] = {}
        self._last, self._times = "", 0

    def look(self, levels: Mapping[str, float]) -> str:
        """Take one look and return the sensor that was moved, "" as long as it is not sure.

        What a sensor does at rest is the quieter quarter of its last ten seconds.
        """
        for sensor, level in levels.items():
            self._seen.setdefault(sensor, deque(maxlen=_MEMORY)).append(level)
        known = {sensor: seen for sensor, seen in self._seen.items() if len(seen) >= _KNOWN}
        rest = {sensor: float(np.quantile(seen, 0.25)) for sensor, seen in known.items()}
        now = moved_most(levels, rest)
        self._times = self._times + 1 if now and now == self._last else int(bool(now))
        self._last = now
        return now if self._times >= _SURE else ""


class Movements:
    """A `device.bluetooth.link.Receiver` that keeps the newest second of every sensor."""

    def __init__(self) -> None:
        """Begin with no sensor."""
        self._vendors: dict[str, Vendor] = {}
        self._decoders: dict[str, Decoder] = {}
        self._kept: dict[str, deque[tuple[int, Floats, Floats]]] = {}

    def found(self, link: Link) -> None:
        """See `device.bluetooth.link.Receiver`."""
        if link.vendor is not None:
            self._vendors[link.sensor] = link.vendor

    def linked(self, sensor: str, moment: Moment) -> None:  # noqa: ARG002 - the protocol's signature
        """See `device.bluetooth.link.Receiver`."""
        self._decoders[sensor], self._kept[sensor] = self._vendors[sensor].decoder(), deque()

    def notified(self, sensor: str, notification: Notification, moment: Moment) -> None:
        """See `device.bluetooth.link.Receiver`."""
        samples = self._decoders[sensor].feed([notification]).samples
        kept = self._kept[sensor]
        if len(samples):
            kept.append((moment.host_us, samples.acc, samples.gyr))
        while kept and kept[0][0] <= moment.host_us - WINDOW_US:
            kept.popleft()

    def changed(self, link: Link) -> None:
        """See `device.bluetooth.link.Receiver`."""

    def levels(self, now: Moment) -> dict[str, float]:
        """Return by sensor how much it moved in the last second; sensors that are silent are left out."""
        found: dict[str, float] = {}
        for sensor, kept in self._kept.items():
            recent = [(acc, gyr) for host_us, acc, gyr in kept if host_us > now.host_us - WINDOW_US]
            if sum(len(acc) for acc, _ in recent) >= FEWEST:
                found[sensor] = movement(
                    np.concatenate([a for a, _ in recent]), np.concatenate([g for _, g in recent])
                )
        return found
