"""From sensors out of the box to a day's wearing, as a person types it."""

import asyncio
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from device_source import CountingSource
from house_helpers import Program, Programs
from servers import free_port

from device.bluetooth.ble import Backend
from device.radio.room import RadioRoom
from poise.cli import radio
from poise.cli.person import assigning
from poise.cli.person.asking import Answers
from poise.cli.person.assigning import Wanted, assign
from poise.cli.settings import load
from poise.errors import ConfigurationError, SensorError

pytestmark = pytest.mark.timeout(400)  # programs begin one after the other, on a busy machine slowly


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Program]]:
    """A room with the simulated wearer, and the five commands of docs/howto-wearer.md one after the other."""
    starter = Programs(tmp_path_factory.mktemp("person"))
    broker_port, hci = free_port(), free_port()
    env = {"POISE_BROKER__PORT": str(broker_port), "POISE_BROKER__EMBEDDED": "true"}
    controller = ("--hci", f"tcp-client:127.0.0.1:{hci}")
    done: dict[str, Program] = {}

    def run(name: str, *words: object) -> None:
        done[name] = starter.start(*words, env=env)
        done[name].ended(120)

    try:
        broker = starter.start("broker", "--port", broker_port)
        done["init"] = starter.start("init", env=env)
        room = starter.start("room", "--hci", f"tcp-server:127.0.0.1:{hci}")
        broker.said("MQTT broker at")
        ingest = starter.start("ingest", env=env)
        room.said("The wearer begins")
        done["init"].ended()
        run("scan", "sensors", "scan", *controller, "--seconds", 2)
        run("assign", "sensors", "assign", "head", "c7", *controller, "--order", "--seconds", 2)
        ingest.said("Ingest stores into")
        run("calibrate", "calibrate", *controller, "--simulated")
        wear = done["wear"] = starter.start("wear", *controller, "--simulated", env=env)
        wear.said("confirmed as stored")
        yield done
    finally:
        starter.end()


def test_a_file_to_begin_with(set_up: dict[str, Program]) -> None:
    assert set_up["init"].process.returncode == 0
    assert "poise sensors assign" in set_up["init"].out


def test_scanning_lists_sensors_with_maker_and_signal(set_up: dict[str, Program]) -> None:
    scan = set_up["scan"]
    assert scan.process.returncode == 0
    lines = [line for line in scan.out.splitlines() if "D4:22:CD" in line]
    assert len(lines) == 6, scan.out
    assert all(
        "Movella DOT" in line and "strong (-50 dBm)" in line and "no place yet" in line for line in lines
    )


def test_assigning_writes_the_file(set_up: dict[str, Program]) -> None:
    assert set_up["assign"].process.returncode == 0, set_up["assign"].err
    file = Path(set_up["assign"].out.split("Written into ")[1].split(". Next")[0])
    text = file.read_text()
    assert tomllib.loads(text)["sensors"] == {"D4:22:CD:00:00:01": "head", "D4:22:CD:00:00:02": "c7"}
    assert "# Settings of Poise on this machine." in text


def test_calibrating_guides_and_gives_a_verdict(set_up: dict[str, Program]) -> None:
    calibrate = set_up["calibrate"]
    assert calibrate.process.returncode == 0, calibrate.out + calibrate.err
    for words in ("Sit tall and still", "Now bow forward", "Calibrated: good", "leaned in the bow"):
        assert words in calibrate.out


def test_wearing_tells_states_rates_and_what_is_stored_and_ends_in_good_order(
    set_up: dict[str, Program],
) -> None:
    wear = set_up["wear"]
    assert "Sit tall" not in wear.out  # the calibration made before is in force
    assert "made" in wear.said("Calibration c-")
    assert "head: begins to send" in wear.out
    assert "The broker is there" in wear.said("confirmed as stored")
    wear.interrupted(signal.SIGINT).in_good_order(5)


class Shaken(CountingSource):
    """One sensor at a time is shaken, in an order of its own; all others lie there."""

    segment = ""

    def samples_by_index(self, segment, i0, i1):
        ticks, acc, gyr = super().samples_by_index(segment, i0, i1)
        acc, gyr = np.zeros_like(acc), np.zeros_like(gyr)
        acc[:, 2] = 9.81
        if segment == self.segment:
            gyr[:, 0] = 3 * np.sin(2 * np.pi * 3 * np.arange(i0, i1) / 60)
        return ticks, acc, gyr


class Person:
    """Shakes the sensor that it is asked for, confirms, and says once that it was the wrong one."""

    def __init__(self, source: Shaken, shakes: list[tuple[str, str]]) -> None:
        self.source, self.shakes = source, shakes

    def hears(self, sentence: object, **_: object) -> None:
        if str(sentence).startswith("Shake or tap"):
            self.source.segment = self.shakes[0][0]

    async def next(self) -> str:
        self.source.segment = ""
        return self.shakes.pop(0)[1]

    async def yes(self) -> bool:
        return self.shakes.pop(0)[1] == "y"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Read this person's own configuration file, "" while there is none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "config" / "poise" / "poise.toml"
    return lambda: file.read_text() if file.exists() else ""


@asynccontextmanager
async def _given(backend: Backend) -> AsyncIterator[Backend]:
    yield backend


async def _assigned(monkeypatch: pytest.MonkeyPatch, person: Person, room: RadioRoom, *places: str) -> int:
    async with room.central() as backend:
        monkeypatch.setattr(radio, "bluetooth", lambda _: _given(backend))
        monkeypatch.setattr(assigning, "Answers", lambda: person)
        monkeypatch.setattr(assigning.out, "print", person.hears)
        async with asyncio.timeout(100):
            return await assign(load(), "", Wanted(places, (), 3.0))


async def test_the_one_that_is_shaken_gets_the_place(
    written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Shaken()
    # The room's names of the sensors are in the order of their addresses; the person's are not.
    async with RadioRoom(source, ["x", "y", "z"]) as room:
        person = Person(source, [("z", ""), ("y", "r"), ("x", "")])
        assert await _assigned(monkeypatch, person, room, "head", "c7") == 0
        x, _, z = (sensor.address for sensor in room.sensors)
        assert load().sensors == {z: "head", x: "c7"}
        before = written()
        assert await _assigned(monkeypatch, Person(source, [("y", ""), ("", "n")]), room, "head") == 1
        assert written() == before


async def test_by_address_nothing_is_lost_unless_that_is_meant(
    written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RadioRoom(CountingSource(), ["x", "y"]) as room, room.central() as backend:
        monkeypatch.setattr(radio, "bluetooth", lambda _: _given(backend))
        x, y = (sensor.address for sensor in room.sensors)
        assert await assign(load(), "", Wanted((), (x, y), 5.0, in_order=True)) == 0
        assert load().sensors == {x: "head", y: "c7"}
        with pytest.raises(ConfigurationError, match=f"would be lost: {x} at the head.*--replace"):
            await assign(load(), "", Wanted(["c7"], [x], 5.0, in_order=True))
        assert load().sensors == {x: "head", y: "c7"}
        assert await assign(load(), "", Wanted(["c7"], [x], 5.0, in_order=True, replace=True)) == 0
        assert load().sensors == {x: "c7"}
        with pytest.raises(SensorError, match="Not heard: AA:BB"):
            await assign(load(), "", Wanted((), ["AA:BB"], 0.5, in_order=True))


async def test_too_few_sensors_are_told(written: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with RadioRoom(CountingSource(), ["head"]) as room:
        with pytest.raises(SensorError, match="1 heard, 2 wanted"):
            await _assigned(monkeypatch, Person(Shaken(), []), room, "head", "c7")
        with pytest.raises(ConfigurationError, match="named twice"):
            await _assigned(monkeypatch, Person(Shaken(), []), room, "c7", "c7")
    assert written() == ""


async def test_answers_come_from_the_keyboard_line_by_line_and_end_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads) as keyboard, os.fdopen(writes, "wb", 0) as fingers:
        monkeypatch.setattr(sys, "stdin", keyboard)
        answers = Answers()
        fingers.write(b"\nYe")
        fingers.write(b"s\r\nn\n")
        assert await answers.next() == ""
        assert await answers.yes()
        assert not await answers.yes()
        fingers.close()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="Nobody answers"):
                await answers.next()
