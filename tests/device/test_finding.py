"""Who is around: found over simulated Bluetooth, counted where nobody here knows the maker."""

from types import SimpleNamespace

import pytest
from bleak.exc import BleakError
from device_source import CountingSource
from makers import BY_NAME, Counted

from device.bluetooth import finding
from device.bluetooth.finding import Surroundings, adapter_trouble, listening, look, signal
from device.radio.room import RadioRoom
from poise.errors import ConfigurationError


def advertised(name: str, rssi: int = -60, services: tuple[str, ...] = ()) -> SimpleNamespace:
    return SimpleNamespace(local_name=name, service_uuids=list(services), rssi=rssi)


def device(address: str, name: str = "") -> SimpleNamespace:
    return SimpleNamespace(address=address, name=name)


async def test_sensors_of_every_maker_are_found_with_their_labels() -> None:
    async with RadioRoom(Counted(), list(BY_NAME), vendors=BY_NAME) as room, room.central() as backend:
        here = await look(15, wanted=len(BY_NAME), backend=backend)
    found = {here.found[sensor.address].vendor.label for sensor in room.sensors}
    assert found == {vendor.label for vendor in BY_NAME.values()}
    assert all(one.dbm == -50 for one in here.found.values())  # what bumble's radio gives
    assert here.strangers == set()


async def test_looking_ends_when_those_who_are_wanted_are_heard() -> None:
    async with RadioRoom(CountingSource(), ["head", "c7"]) as room, room.central() as backend:
        wanted = {room.sensors[1].address: "c7"}
        here = await look(30, wanted=wanted, backend=backend)
        assert set(wanted) <= set(here.found)
        await room.vanish(0)
        await room.vanish(1)
        assert (await look(0.5, backend=backend)).found == {}


def test_strangers_are_counted_until_they_say_who_they_are() -> None:
    here = Surroundings()
    here.hear(device("1"), advertised("somebody's phone"))
    here.hear(device("2"), advertised(""))
    here.hear(device("2"), advertised("", -70))
    assert here.strangers == {"1", "2"}
    here.hear(device("2"), advertised("Movella DOT", -70))
    here.hear(device("2"), advertised("", -80))
    assert here.strangers == {"1"}
    assert here.found["2"].name == "Movella DOT"
    assert here.found["2"].dbm == -75


@pytest.mark.parametrize(
    ("dbm", "word"), [(-40, "strong"), (-60, "strong"), (-70, "good"), (-80, "weak"), (-95, "very weak")]
)
def test_a_signal_in_words(dbm: int, word: str) -> None:
    assert signal(dbm) == word


@pytest.mark.parametrize("failure", [FileNotFoundError(2, "no bus"), BleakError("off"), TimeoutError()])
async def test_no_adapter_is_a_sentence(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    class Nothing:
        def __init__(self, *_: object, **__: object) -> None:
            raise failure

    monkeypatch.setattr(finding, "BleakScanner", Nothing)
    with pytest.raises(ConfigurationError, match="No Bluetooth adapter is ready"):
        async with listening():
            pass
    assert "bluetoothctl power on" in await adapter_trouble()
