"""`poise sensors assign`: the person shakes the sensor for each place, and the file says so from then on."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from device.bluetooth.ble import Backend, Bluetooth
from device.bluetooth.finding import look
from device.bluetooth.picking import LOOK_S, Choice, Movements
from device.stream.clock import SystemClock
from device.wearer.body import DEFAULT_SEGMENTS
from poise.cli import radio
from poise.cli.configuration import file_in_force, replaced, write_sensors
from poise.cli.person.asking import Answers
from poise.cli.person.scanning import show
from poise.cli.running import FAILED, OK, during, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError, SensorError
from poise.skeleton import place, spoken

_CONNECT_S: Final = 60.0
_REST_S: Final = 3.0
_FORGET_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        places: segments to assign; those worn so far by default, else as many usual ones as are found.
        addresses: only these sensors; all that are heard by default.
        seconds: how long to listen.
        in_order: by address, without asking.
        replace: lose earlier entries without asking.
    """

    places: Sequence[str]
    addresses: Sequence[str]
    seconds: float
    in_order: bool = False
    replace: bool = False


async def assign(settings: Settings, transport: str, wanted: Wanted) -> int:
    """Find out which sensor is worn where and write it into the configuration file."""
    file, before = file_in_force(), settings.sensors
    if len(set(wanted.places)) != len(wanted.places):
        raise ConfigurationError("A place is named twice: one sensor for each.")
    async with radio.bluetooth(transport) as backend:
        addresses = await _found(settings, wanted, backend)
        places = _places(wanted.places, before, len(addresses))
        if wanted.in_order:
            worn = dict(zip(addresses, places, strict=False))
            _refuse_to_lose(replaced(before, worn), wanted)
        else:
            answers = Answers()
            worn = await _shaken(addresses, places, backend, answers)
            lost = replaced(before, worn)
            if lost and not wanted.replace and not await _may_lose(lost, answers):
                out.print(f"Nothing was changed in {file}.")
                return FAILED
    write_sensors(file, worn)
    _tell(file, worn)
    return OK


async def _found(settings: Settings, wanted: Wanted, backend: Backend | None) -> list[str]:
    """Return the addresses of the sensors to choose from, sorted."""
    out.print(f"Listening for sensors for up to {wanted.seconds:g} s …")
    here = await look(wanted.seconds, wanted=dict.fromkeys(wanted.addresses, "") or 0, backend=backend)
    show(here, settings.sensors)
    if silent := [address for address in wanted.addresses if address not in here.found]:
        raise SensorError(f"Not heard: {', '.join(silent)}. Switch it on, move it, and try again.")
    found = sorted(wanted.addresses or here.found)
    if len(found) < max(1, len(wanted.places)):
        raise SensorError(
            f"Too few sensors: {len(found)} heard, {max(1, len(wanted.places))} wanted. Switch the rest on, "
            "move them, and try again."
        )
    return found


def _places(asked: Sequence[str], before: Mapping[str, str], n: int) -> list[str]:
    """Return the places to assign to n sensors: as asked, as before, or the usual ones."""
    if asked:
        return list(asked)
    usual = [*before.values(), *(s for s in DEFAULT_SEGMENTS if s not in before.values())]
    return usual[:n]


def _refuse_to_lose(lost: Mapping[str, str], wanted: Wanted) -> None:
    if lost and not wanted.replace:
        raise ConfigurationError(
            f"These entries would be lost: {_listed(lost)}. Add --replace if that is meant; nothing was "
            "changed."
        )


async def _may_lose(lost: Mapping[str, str], answers: Answers) -> bool:
    out.print(f"These entries of before would be lost: {_listed(lost)}. Go on? (y/N)")
    return await answers.yes()


async def _shaken(
    addresses: Sequence[str], places: Sequence[str], backend: Backend | None, answers: Answers
) -> dict[str, str]:
    """Connect all and let the person shake one for each place."""
    clock, movements = SystemClock(), Movements()
    bluetooth = Bluetooth({address: address for address in addresses}, movements, clock, backend=backend)
    async with during(bluetooth.run()):
        await _streaming(bluetooth)
        worn: dict[str, str] = {}
        asked = Asking(bluetooth, movements, clock, answers, worn)
        out.print("Put all of them down, or hold still, for a moment.")
        await asked.rest()
        for segment in places:
            worn[await asked.which(segment)] = segment
    return worn


async def _streaming(bluetooth: Bluetooth) -> None:
    out.print(f"Connecting {len(bluetooth.links)} sensors …")
    try:
        async with asyncio.timeout(_CONNECT_S):
            while _silent(bluetooth):  # noqa: ASYNC110 - links have no event
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        silent = ", ".join(_silent(bluetooth))
        raise SensorError(
            f"No samples came within {_CONNECT_S:.0f} s from {silent}. Charge it, switch it off and on, and "
            "try again; or leave it out by naming the others with --sensor."
        ) from None


def _silent(bluetooth: Bluetooth) -> list[str]:
    return [address for address, link in bluetooth.links.items() if link.state != "streaming"]


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks for one place after the other."""

    bluetooth: Bluetooth
    movements: Movements
    clock: SystemClock
    answers: Answers
    worn: dict[str, str]
    choice: Choice = field(default_factory=Choice)

    async def rest(self) -> None:
        """Learn how much each sensor moves when nobody moves it."""
        for _ in range(round(_REST_S / LOOK_S)):
            await self._look()

    async def which(self, segment: str) -> str:
        """Return the address of the sensor that the person shook for this place and confirmed."""
        while True:
            out.print(f"Shake or tap the one for {place(segment)}, for two seconds.")
            address = await self._moved()
            if address in self.worn:
                out.print(f"That one is for {place(self.worn[address])} already.")
            else:
                shown = f"  {await self._shown(address)}."
                out.print(f"{shown} Enter keeps it for {place(segment)}, r tries again.", soft_wrap=True)
                if not await self.answers.next():
                    return address
            await asyncio.sleep(_FORGET_S)

    async def _moved(self) -> str:
        while not (moved := await self._look()):
            pass
        return moved

    async def _look(self) -> str:
        await asyncio.sleep(LOOK_S)
        return self.choice.look(self.movements.levels(self.clock.now()))

    async def _shown(self, address: str) -> str:
        vendor = self.bluetooth.links[address].vendor
        label = vendor.label if vendor else ""
        blinks = await self.bluetooth.command(lambda vendor: vendor.blink, address)
        return f"{address}, {label}" + (", blinks now" if blinks else "")


def _tell(file: Path, worn: Mapping[str, str]) -> None:
    for address, segment in worn.items():
        out.print(f"  {spoken(segment):<16} {address}")
    out.print(f"Written into {file}. Next: `poise calibrate`.", soft_wrap=True)


def _listed(entries: Mapping[str, str]) -> str:
    return ", ".join(f"{address} at {place(segment)}" for address, segment in entries.items())
