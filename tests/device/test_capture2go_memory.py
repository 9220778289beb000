"""What a Capture2Go measured while no link was there."""

import numpy as np
import pytest

from device.vendors import capture2go_memory as memory
from device.vendors import capture2go_virtual as virtual_file
from device.vendors.base import Notification, Samples, Write
from device.vendors.capture2go import Capture2Go
from device.vendors.capture2go_frames import RX, Frame, Kind, Unpacker, encode, frame
from device.vendors.capture2go_memory import Download, StoredFile
from device.vendors.capture2go_virtual import VirtualCapture2Go
from poise.errors import ConfigurationError, DecodeError

VENDOR = Capture2Go(recording="walk")


def walk(start: int, stop: int) -> Samples:
    rows = np.arange(start, stop)
    acc = np.column_stack([rows % 100, rows % 7, -(rows % 5)]) * 0.5
    return Samples(1_000_000 + 20_000 * rows.astype(np.int64), acc.astype(float), acc * 0.1)


class Link:
    """One connection of a gateway that reads live samples and answers."""

    def __init__(self, sensor: VirtualCapture2Go) -> None:
        self.sensor, self.live, self.unpacker = sensor, VENDOR.decoder(), Unpacker()
        self.frames: list[Frame] = []
        self.ticks: list[int] = []

    def write(self, *commands: Write) -> list[Frame]:
        return [a for w in commands for a in self.take(list(self.sensor.write(w.uuid, w.value)))]

    def measure(self, start: int, stop: int) -> list[Frame]:
        found: list[Frame] = []
        for i in range(start, stop):
            found += self.take([note for note, _ in self.sensor.send(walk(i, i + 1))])
        return found

    def take(self, notifications: list[Notification]) -> list[Frame]:
        self.ticks += self.live.feed(notifications).samples.tick_us.tolist()
        return [found for note in notifications for found in self.unpacker.feed(note.value)]


def begun() -> tuple[VirtualCapture2Go, Link]:
    sensor = VENDOR.peripheral("12:34:56:78:9a:bc")
    assert isinstance(sensor, VirtualCapture2Go)
    link = Link(sensor)
    kinds = [answer.kind for answer in link.write(*memory.begin("walk"))]
    assert kinds[-4:] == [Kind.MEASUREMENT, Kind.RECORDING, Kind.RECORDING_STARTED, Kind.REAL_TIME]
    return sensor, link


def test_literal_commands() -> None:
    name = "77616c6b" + "00" * 61
    assert [w.value[6:].hex() for w in memory.begin("walk")] == [
        "5601",
        "5801",
        "2001" + "00" * 10 + "03" + "00" * 3 + "0a" + "00" * 14 + "01",
        "4001" + "00" * 9 + name,
        "5401",
        "60010232",
    ]
    assert [w.value[6:].hex() for w in memory.end()] == ["6301", "5601"]
    assert memory.ask_files().value[6:].hex() == "0005"
    assert memory.ask_size("walk").value[6:].hex() == "0705" + name
    assert memory.delete("walk").value[6:].hex() == "0905" + name
    assert memory.stop_fetching().value[6:].hex() == "0505"
    assert Download("walk", 1, 258).ask().value[5:].hex() == "490305" + name + "0100000002010000"
    for bad in ("", "x" * 65, "é" * 33):
        with pytest.raises(ConfigurationError):
            memory.ask_size(bad)


def test_literal_answers() -> None:
    name = bytes.fromhex("77616c6b" + "00" * 61)
    assert memory.read_file(b"\x01\x00" + name + b"\x02\x01\x00\x00") == StoredFile("walk", 258)
    assert memory.read_file(name + b"\x02\x01\x00\x00") == StoredFile("walk", 258)
    with pytest.raises(DecodeError):
        memory.read_file(name)


def test_what_was_measured_without_a_link_is_fetched_beside_live_samples() -> None:
    sensor, link = begun()
    link.measure(0, 200)
    sensor.disconnected()
    sensor.keep(walk(200, 1500))

    link = Link(sensor)
    status = next(a for a in link.measure(1500, 1520) if a.kind == Kind.STATUS)
    assert memory.read_status(status.payload).state == memory.RECORDING
    assert [a.kind for a in link.write(memory.live())] == [Kind.REAL_TIME]
    (size,) = link.write(memory.ask_size("walk"))
    stored = memory.read_file(size.payload)
    first, last = walk(0, 1).tick_us[0], walk(199, 200).tick_us[0]
    start = memory.position(int(first), int(last))
    download = Download("walk", start, stored.size)
    assert 0 < start < stored.size // 2
    parts = [download.feed(link.write(download.ask()))]
    now = 1520
    while not download.done:
        parts.append(download.feed(link.measure(now, now + 1)))
        now += 1
    assert (download.broken, download.damaged) == (False, 0)

    ticks = np.concatenate([got.tick_us for got in parts])
    between = ticks[(ticks > last) & (ticks < link.ticks[0])]
    assert between.tolist() == walk(200, 1500).tick_us.tolist()
    assert ticks[0] <= last
    assert ticks[-1] >= link.ticks[0]
    assert link.ticks == walk(1500, now).tick_us.tolist()  # live went on all the while
    acc = np.concatenate([got.acc for got in parts])[np.isin(ticks, between)]
    np.testing.assert_allclose(acc, walk(200, 1500).acc, atol=0.0025)


def test_at_the_end_the_file_is_fetched_and_deleted() -> None:
    _, link = begun()
    link.measure(0, 80)
    assert [a.kind for a in link.write(*memory.end())] == [Kind.REAL_TIME_STOPPED, Kind.RECORDING_STOPPED]
    count, file = link.write(memory.ask_files())
    assert count.payload == b"\x01\x00"
    stored = memory.read_file(file.payload)
    assert stored == StoredFile("walk", 10 * 123)
    download = Download(stored.name, 0, stored.size)
    got = download.feed(link.write(download.ask()))
    assert download.done
    assert got.tick_us.tolist() == walk(0, 80).tick_us.tolist()
    assert [a.kind for a in link.write(memory.delete("walk"))] == [Kind.FILE_DELETED]
    assert [a.payload[0] for a in link.write(memory.ask_size("walk"))] == [virtual_file.NOT_FOUND]
    assert [a.payload[0] for a in link.write(memory.delete("walk"))] == [virtual_file.NOT_FOUND]


def test_missing_bytes_are_asked_for_once_more() -> None:
    _, link = begun()
    link.measure(0, 80)
    link.write(*memory.end())
    download = Download("walk", 0, 10 * 123)
    sent = link.write(download.ask())
    first = download.feed([sent[0], *sent[2:]])
    assert download.broken
    assert (download.have, download.done) == (memory.CHUNK, False)
    assert [a.kind for a in link.write(memory.stop_fetching())] == [Kind.BYTES_STOPPED]
    rest = download.feed([*link.write(download.ask()), *sent])  # what comes twice is taken once
    assert (download.broken, download.done) == (False, True)
    assert [*first.tick_us, *rest.tick_us] == walk(0, 80).tick_us.tolist()


def test_damage_inside_a_file_is_counted() -> None:
    good = frame(*encode(walk(0, 8), Kind.PACKED_50_HZ)[0])
    short = frame(Kind.PACKED_50_HZ, bytes(7))
    data = good + b"?" + good + short + frame(Kind.STATUS, bytes(19))
    download = Download("walk", 0, len(data))
    got = download.feed([Frame(Kind.BYTES, bytes(4) + data), Frame(Kind.STATUS, b"")])
    assert (len(got), download.damaged, download.done) == (16, 2, True)
    download.feed([Frame(Kind.BYTES, b"\0")])
    assert download.broken


def test_a_name_is_taken_once_and_the_storage_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    sensor, link = begun()
    link.measure(0, 8)
    link.write(*memory.end())
    refused = [a.payload[0] for a in link.write(*memory.begin("walk")) if a.kind == Kind.ERROR]
    assert refused[-1] == virtual_file.EXISTS
    monkeypatch.setattr(virtual_file, "STORAGE_BYTES", 300)
    link.write(*memory.begin("second"))
    sensor.keep(walk(8, 40))
    assert sum(len(data) for data in sensor.files.values()) == 246
    told = link.measure(40, 41)
    assert [a.payload[0] for a in told if a.kind == Kind.ERROR] == [virtual_file.FULL]
    (status,) = [a for a in link.write(memory.ask_status()) if a.kind == Kind.STATUS]
    assert memory.read_status(status.payload).state == memory.IDLE


def test_a_frame_that_a_gap_cuts_is_lost() -> None:
    sensor, link = begun()
    sensor.keep(walk(0, 12))
    sensor.keep(walk(100, 108))
    link.write(*memory.end())
    download = Download("walk", 0, len(sensor.files["walk"]))
    got = download.feed(link.write(download.ask()))
    assert got.tick_us.tolist() == [*walk(0, 8).tick_us, *walk(100, 108).tick_us]
    assert [a.kind for a in link.write(Write(RX, frame(Kind.GET_BYTES, bytes(73))))] == [Kind.ERROR]
