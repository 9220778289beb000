"""The Bluetooth that a command works with, and the sensors that it is for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from device.bluetooth.ble import Backend
from poise.cli.settings import Settings
from poise.errors import ConfigurationError


@asynccontextmanager
async def bluetooth(transport: str) -> AsyncIterator[Backend | None]:
    """Give the controller at a transport, or None: the operating system's Bluetooth."""
    if not transport:
        yield None
        return
    from device.radio.central import open_central  # bumble, half a second to read from disk

    async with open_central(transport) as backend:
        yield backend


def with_sensors(settings: Settings) -> Settings:
    """Return the settings if they name a sensor.

    Raises:
        ConfigurationError: otherwise.
    """
    if not settings.sensors:
        raise ConfigurationError(
            "No sensor is named. `poise sensors assign` finds out where each is worn; or give each with its "
            "place, for example --sensor D4:22:CD:00:00:01=head."
        )
    return settings
