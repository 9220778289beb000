"""Which sensor is shaken: told from real movements of a simulated wearer, and never from noise alone."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from device_helpers import until
from device_source import CountingSource
from hypothesis import given
from hypothesis import strategies as st

from device.bluetooth.ble import Bluetooth
from device.bluetooth.picking import LOOK_S, Choice, Movements, moved_most, movement
from device.radio.room import RadioRoom
from device.stream.clock import SystemClock
from device.vendors import movella_dot_frames as dot
from device.vendors import vendor_named
from device.wearer import Wearer, parse_script
from poise.samples import Floats

RATE = 60
Levels = dict[str, float]


def shake(n: int, begin: int, gyr: float, acc: float) -> tuple[Floats, Floats]:
    """Three movements a second about one axis and along another."""
    wave = np.sin(2 * np.pi * 3 * (begin + np.arange(n)) / RATE)
    return np.outer(wave, (0.0, acc, 0.0)), np.outer(wave, (gyr, 0.0, 0.0))


def looks(
    script: str, seconds: float, seed: int, shaken: str = "", strength: float = 0.0, at_s: float = 0.0
) -> Iterator[Levels]:
    """Yield what is seen every half second of a wearer, one of whose sensors is shaken from a time on."""
    wearer = Wearer(parse_script(script), seed=seed)
    worn = {name: wearer.samples(name, 0, seconds) for name in wearer.sensors}
    for end in range(RATE, int(seconds * RATE), round(RATE * LOOK_S)):
        levels: Levels = {}
        for name, samples in worn.items():
            here = slice(end - RATE, end)
            acc, gyr = samples.acc[here], samples.gyr[here]
            if name == shaken and end > at_s * RATE:
                more_acc, more_gyr = shake(len(acc), end - RATE, strength, 2 * strength)
                acc, gyr = acc + more_acc, gyr + more_gyr
            levels[name] = movement(acc, gyr)
        yield levels


def first_picked(seen: Iterator[Levels]) -> tuple[str, float]:
    """Return the first sensor picked and when, s."""
    choice = Choice()
    for number, levels in enumerate(seen):
        if picked := choice.look(levels):
            return picked, 1 + number * LOOK_S
    return "", np.inf


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shaken", ["head", "t4", "scapula_left"])
@pytest.mark.parametrize("strength", [1.0, 3.0, 8.0])
def test_the_shaken_one_is_told_within_two_seconds(shaken: str, strength: float, seed: int) -> None:
    picked, when = first_picked(looks("upright 30 s", 20, seed, shaken, strength, at_s=10))
    assert picked == shaken
    assert 10 < when <= 12


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("script", ["upright 60 s", "stand 10 s\nwalk 50 s", "slouch 60 s, over 5 s"])
def test_a_wearer_who_sits_walks_or_sinks_shakes_none(script: str, seed: int) -> None:
    assert first_picked(looks(script, 60, seed)) == ("", np.inf)


@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 10), st.integers(1, 8))
def test_noise_of_any_strength_shakes_none(seed: int, strength: float, n: int) -> None:
    """Of one strength for all: each sensor's own rest is its measure."""
    rng = np.random.default_rng(seed)
    choice = Choice()
    for _ in range(30):
        noise = rng.normal(0, strength, (n, 2, RATE, 3))
        assert choice.look({str(i): movement(acc, gyr) for i, (acc, gyr) in enumerate(noise)}) == ""


def test_a_single_jolt_is_not_a_shake_and_all_at_once_are_none() -> None:
    calm, jolt = {"a": 0.01, "b": 0.01}, {"a": 5.0, "b": 0.1}
    choice = Choice()
    assert [choice.look(levels) for levels in [calm] * 8 + [jolt] + [calm] * 3 + [jolt]] == [""] * 13
    both = {"a": 5.0, "b": 4.0}
    assert [choice.look(levels) for levels in [both] * 4] == [""] * 4


def test_a_sensor_that_always_moves_is_not_picked_for_it() -> None:
    choice = Choice()
    assert {choice.look({"a": 6.0, "b": 0.01}) for _ in range(30)} == {""}


def test_before_its_rest_is_known_none_is_picked() -> None:
    assert moved_most({}, {}) == ""
    assert moved_most({"a": 9.0}, {}) == ""
    assert moved_most({"a": 9.0}, {"a": 0.1}) == "a"


def test_a_sensor_without_gyroscope_is_shaken_too() -> None:
    acc, gyr = shake(RATE, 0, 1.0, 5.0)
    assert movement(acc, np.full_like(gyr, np.nan)) > 0.5


class OneShaken(CountingSource):
    """Sensor `shaken` is shaken, the others lie there."""

    shaken = ""

    def samples_by_index(self, segment, i0, i1):
        ticks, acc, gyr = super().samples_by_index(segment, i0, i1)
        acc, gyr = np.zeros_like(acc), np.zeros_like(gyr)
        acc[:, 2] = 9.81
        if segment == self.shaken:
            more_acc, more_gyr = shake(i1 - i0, i0, 3.0, 6.0)
            acc, gyr = acc + more_acc, gyr + more_gyr
        return ticks, acc, gyr


async def test_over_the_air_the_shaken_one_is_told_and_blinks(monkeypatch: pytest.MonkeyPatch) -> None:
    source, clock, movements, choice = OneShaken(), SystemClock(), Movements(), Choice()
    written: list[tuple[str, bytes]] = []
    async with RadioRoom(source, ["head", "c7", "t4"]) as room, room.central() as backend:
        addresses = {sensor.address: sensor.address for sensor in room.sensors}
        peripheral = room.sensors[1].peripheral
        write = peripheral.write
        monkeypatch.setattr(
            peripheral, "write", lambda uuid, value: (written.append((uuid, value)), write(uuid, value))[1]
        )
        radio = Bluetooth(addresses, movements, clock, backend=backend)
        task = asyncio.create_task(radio.run())
        async with asyncio.timeout(60):
            await until(lambda: {link.state for link in radio.links.values()} == {"streaming"}, 60)
            for _ in range(6):
                await asyncio.sleep(LOOK_S)
                assert choice.look(movements.levels(clock.now())) == ""
            source.shaken = "c7"
            picked = ""
            while not picked:
                await asyncio.sleep(LOOK_S)
                picked = choice.look(movements.levels(clock.now()))
        assert picked == room.sensors[1].address
        blink = vendor_named("movella_dot").blink
        assert await radio.command(lambda vendor: vendor.blink, picked) == 1
        assert written[-1] == (dot.DEVICE_CONTROL, blink[-1].value)
        assert await radio.command(lambda vendor: vendor.blink, "00:00:00:00:00:00") == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
