"""Sensor makers: what their Bluetooth bytes mean, as pure functions without any input or output.

One file is one kind of sensor. To add one, write a class with the members of `Vendor` and put an instance
into `VENDORS`; nothing else in the gateway knows any maker's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from device.vendors.base import Samples, Write
from device.vendors.movella_dot import MovellaDot
from poise.errors import DecodeError
from poise.samples import Scale

__all__ = ["VENDORS", "Decoded", "Samples", "Vendor", "Write", "decode_all", "vendor_named", "vendor_of"]


class Vendor(Protocol):
    """One maker's sensor, in the mode that Poise runs it in.

    Attributes:
        name: a short word for statuses and settings.
        scale: what one count is worth after quantising.
        rate_hz: nominal sampling rate on the sensor's own clock, Hz.
        samples_uuid: the characteristic that notifies samples.
        battery_uuid: the characteristic with the battery's state.
        info_uuid: the characteristic with the firmware's version.
        start: commands that begin the measurement, after subscribing.
        stop: commands that end it.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented above

    @property
    def scale(self) -> Scale: ...  # noqa: D102

    @property
    def rate_hz(self) -> float: ...  # noqa: D102

    @property
    def samples_uuid(self) -> str: ...  # noqa: D102

    @property
    def battery_uuid(self) -> str: ...  # noqa: D102

    @property
    def info_uuid(self) -> str: ...  # noqa: D102

    @property
    def start(self) -> tuple[Write, ...]: ...  # noqa: D102

    @property
    def stop(self) -> tuple[Write, ...]: ...  # noqa: D102

    def recognises(self, advertised_name: str) -> bool:
        """Is a device that advertises this name one of this maker's?"""
        ...

    def decode(self, notifications: Sequence[bytes]) -> Samples:
        """Turn notifications of `samples_uuid`, oldest first, into samples.

        Raises:
            DecodeError: if any of them does not follow the layout.
        """
        ...

    def battery(self, value: bytes) -> tuple[int, bool]:
        """Return the battery's charge in per cent and whether it is charging.

        Raises:
            DecodeError: if the value is not one of `battery_uuid`.
        """
        ...

    def firmware(self, value: bytes) -> str:
        """Return the firmware's version, "" if the value of `info_uuid` does not tell."""
        ...


VENDORS: Final[tuple[Vendor, ...]] = (MovellaDot(),)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What could be read of a stretch of notifications.

    Attributes:
        samples: of the good ones.
        good: (n,) bool, one for each notification.
    """

    samples: Samples
    good: np.typing.NDArray[np.bool_]


def decode_all(vendor: Vendor, notifications: Sequence[bytes]) -> Decoded:
    """Decode what can be decoded, so that one damaged notification does not cost its neighbours."""
    try:
        return Decoded(vendor.decode(notifications), np.ones(len(notifications), np.bool_))
    except DecodeError:
        good = np.array([_decodes(vendor, raw) for raw in notifications], np.bool_)
        kept = [raw for raw, ok in zip(notifications, good, strict=True) if ok]
        return Decoded(vendor.decode(kept), good)


def vendor_of(advertised_name: str | None) -> Vendor | None:
    """Return the maker of a device that advertises this name, None if no maker here knows it."""
    return next((v for v in VENDORS if advertised_name and v.recognises(advertised_name)), None)


def vendor_named(name: str) -> Vendor:
    """Return the maker called `name`.

    Raises:
        KeyError: if there is none.
    """
    return {vendor.name: vendor for vendor in VENDORS}[name]


def _decodes(vendor: Vendor, raw: bytes) -> bool:
    try:
        vendor.decode([raw])
    except DecodeError:
        return False
    return True
