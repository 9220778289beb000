"""Sensor makers: what their Bluetooth bytes mean, as pure functions without any input or output.

One file is one kind of sensor. To add one, write a class with the members of `device.vendors.base.Vendor` and
put an instance into `VENDORS`; nothing else in the gateway knows any maker's name.
"""

from typing import Final

from device.vendors.base import Advertised, Vendor
from device.vendors.capture2go import Capture2Go
from device.vendors.esense import ESense
from device.vendors.metamotion import MetaMotion
from device.vendors.movella_dot import MovellaDot
from device.vendors.open_profile import OpenProfile
from device.vendors.openearable import OpenEarable
from device.vendors.polar import PolarH10, PolarVeritySense
from device.vendors.thingy52 import Thingy52
from device.vendors.witmotion import WitMotion

__all__ = ["VENDORS", "Vendor", "vendor_named", "vendor_of"]

VENDORS: Final[tuple[Vendor, ...]] = (
    OpenProfile(),
    MovellaDot(),
    WitMotion(),
    Thingy52(),
    Capture2Go(),
    MetaMotion(),
    PolarVeritySense(),
    PolarH10(),
    OpenEarable(),
    ESense(),
)


def vendor_of(advertised: Advertised) -> Vendor | None:
    """Return the maker of a device that advertises this, None if no maker here knows it."""
    return next((vendor for vendor in VENDORS if vendor.recognises(advertised)), None)


def vendor_named(name: str) -> Vendor:
    """Return the maker called `name`.

    Raises:
        KeyError: if there is none.
    """
    return {vendor.name: vendor for vendor in VENDORS}[name]
