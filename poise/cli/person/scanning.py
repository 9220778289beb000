"""`poise sensors scan`: which sensors are around, and how well they are heard."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from device.bluetooth.finding import Found, Surroundings, listening, signal
from poise.cli import radio
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.skeleton import spoken

NOTHING: Final = (
    "No sensor is heard. Charge it, switch it on, and move it: many sleep until they are moved. Close the "
    "maker's app on your phone: a sensor that is connected to something is not heard by others."
)
_LOOK_S: Final = 0.25


async def scan(settings: Settings, transport: str, seconds: float | None) -> int:
    """Show what is heard until ended or for some seconds; exit code 1 if no sensor was."""
    async with radio.bluetooth(transport) as backend, listening(backend) as here:
        until = "Ctrl-C ends it" if seconds is None else f"for {seconds:g} s"
        out.print(f"Listening for sensors ({until}).")
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(seconds):
                await _watch(here, settings.sensors)
    show(here, settings.sensors)
    if new := [address for address in here.found if address not in settings.sensors]:
        out.print(f"{len(new)} without a place: `poise sensors assign` finds out where each is worn.")
    return OK if here.found else FAILED


async def _watch(here: Surroundings, worn: Mapping[str, str]) -> None:
    if not out.is_terminal:
        await asyncio.Event().wait()
    with Live(console=out, auto_refresh=False, transient=True) as live:
        while True:
            live.update(table(here, worn), refresh=True)
            await asyncio.sleep(_LOOK_S)


def show(here: Surroundings, worn: Mapping[str, str]) -> None:
    """Print what was heard."""
    if here.found or worn:
        out.print(table(here, worn))
    if not here.found:
        out.print(NOTHING, soft_wrap=True)
    if here.strangers:
        out.print(f"{_devices(len(here.strangers))} of other kinds heard too.")


def table(here: Surroundings, worn: Mapping[str, str]) -> Table:
    """Return the sensors heard, the best heard first, and then those that should be."""
    grid = Table("address", "maker", "name", "signal", "worn at")
    for found in sorted(here.found.values(), key=lambda found: (-found.dbm, found.address)):
        name = Text(found.name or "-")  # anybody's words: never markup
        grid.add_row(found.address, found.vendor.label, name, heard(found), _place(found, worn))
    for address, segment in worn.items():
        if address not in here.found:
            grid.add_row(address, "", "", "not heard", spoken(segment), style="dim")
    return grid


def heard(found: Found) -> str:
    """Return how well a sensor is heard."""
    return f"{signal(found.dbm)} ({found.dbm} dBm)"


def _place(found: Found, worn: Mapping[str, str]) -> str:
    segment = worn.get(found.address)
    return "no place yet" if segment is None else spoken(segment)


def _devices(n: int) -> str:
    return "1 device" if n == 1 else f"{n} devices"
