"""Capture2Go bytes, literally."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import capture2go_frames as frames
from device.vendors import capture2go_memory as memory
from device.vendors.base import Advertised, Decoded, Notification, Samples, no_samples
from device.vendors.capture2go import Capture2Go
from device.vendors.capture2go_frames import RX, TX, Frame, Kind, Splitter, Unpacker, decode, encode, frame
from device.vendors.capture2go_virtual import BUFFER_BYTES, VirtualCapture2Go
from poise.errors import DecodeError
from poise.samples import quantise

SENSOR = Capture2Go()
# 0x0253: 1 234 567 000 ns; gyr (16384, -1, 0), acc (0, 2048, -2048) counts; orientation, heading, flags
PAYLOAD = bytes.fromhex("58ff954900000000 0040 ffff 0000 0000 0008 00f8 0000080000800000 0000 00")
FIXED = b"\x02" + struct.pack("<IB", zlib.crc32(b"\x53\x02" + PAYLOAD), 31) + b"\x53\x02" + PAYLOAD
STATUS = bytes.fromhex("0000000000000000 02 02 000000000000 00 d5 63")


def fed(*values: bytes, vendor: Capture2Go = SENSOR) -> Decoded:
    return vendor.decoder().feed([Notification(TX, value) for value in values])


def answers(notifications: list[Notification]) -> list[Frame]:
    unpacker = Unpacker()
    return [found for note in notifications for found in unpacker.feed(note.value)]


def walk(n: int, start: int = 0) -> Samples:
    """Samples 20 ms apart, a fixed walk, so that parts of it agree."""
    rng = np.random.default_rng(7)
    acc, gyr = rng.normal(0, 5, (20_000, 3)), rng.normal(0, 1, (20_000, 3))
    rows = slice(start, start + n)
    return Samples(1_000_000 + 20_000 * np.arange(start, start + n, dtype=np.int64), acc[rows], gyr[rows])


def part(samples: Samples, rows: slice | np.ndarray) -> Samples:
    return Samples(samples.tick_us[rows], samples.acc[rows], samples.gyr[rows])


def assert_same(got: Samples, expected: Samples) -> None:
    assert got.tick_us.tolist() == expected.tick_us.tolist()
    np.testing.assert_allclose(got.acc, expected.acc, atol=0.51 * frames.ACC_COUNT)
    np.testing.assert_allclose(got.gyr, expected.gyr, atol=0.51 * frames.GYR_COUNT)


def test_a_literal_frame() -> None:
    assert len(FIXED) == 39
    decoded = fed(b"\xff" + FIXED)
    assert decoded.samples.tick_us.tolist() == [1_234_567]
    np.testing.assert_allclose(decoded.samples.acc, [[0, 9.81, -9.81]], rtol=1e-12)
    np.testing.assert_allclose(decoded.samples.gyr, [np.radians([1000, -2000 / 32768, 0])], rtol=1e-12)
    assert (decoded.of.tolist(), decoded.damaged, decoded.battery_percent) == ([0], 0, None)
    assert frame(Kind.FIXED_50_HZ, PAYLOAD) == FIXED
    again = encode(decoded.samples, Kind.FIXED_50_HZ)
    assert again[0].payload[:20] == PAYLOAD[:20]


def test_addresses_and_commands() -> None:
    assert SENSOR.subscriptions == ("80030003-e629-4c98-9324-aa7fc0c66de7",)
    assert {w.uuid for w in SENSOR.start + SENSOR.stop} == {"80030002-e629-4c98-9324-aa7fc0c66de7"}
    assert [w.value.hex() for w in SENSOR.start] == [
        "02bbd83fda005601",
        "020d1a0e78006301",
        "0235f5bc44005801",
        "02f768f5d51e2001" + "00" * 9 + "03" + "00" * 4 + "0a" + "00" * 14 + "01",
        "023d7f658c005001",
    ]
    assert [w.value.hex() for w in SENSOR.stop] == ["02bf1d53be005201"]
    assert [w.value.hex() for w in SENSOR.blink] == ["022e4177c7118301" + "00" * 8 + "005ed0b20000000001"]
    assert SENSOR.battery_request is not None
    assert SENSOR.battery_request.value.hex() == "02d373d7af000002"
    assert SENSOR.recognises(Advertised("IMU_1234ab", frozenset({"80030001-e629-4c98-9324-aa7fc0c66de7"})))
    assert not SENSOR.recognises(Advertised("IMU_1234ab"))
    assert SENSOR.firmware(b"1") == ""


def test_full_scale_is_16_g_and_2000_degrees_a_second() -> None:
    top = decode([Frame(Kind.FIXED_50_HZ, struct.pack("<q6hQhB", 0, *[32767] * 6, 0, 0, 6))])
    for values, nano in ((top.acc, SENSOR.scale.acc_nano), (top.gyr, SENSOR.scale.gyr_nano)):
        counts, clipped = quantise(values, nano)
        assert (counts.tolist(), clipped.tolist()) == ([[32767] * 3], [False])


def test_the_battery_is_told_in_between() -> None:
    decoded = fed(b"\xff" + frame(Kind.STATUS, STATUS) + FIXED)
    assert (decoded.battery_percent, decoded.charging, len(decoded.samples)) == (85, True, 1)
    assert SENSOR.battery(STATUS) == (85, True)
    for damaged in (STATUS[:-1], STATUS[:17] + b"\x65\x63"):
        with pytest.raises(DecodeError):
            SENSOR.battery(damaged)
        assert fed(b"\xff" + frame(Kind.STATUS, damaged)).damaged == 1
    status = memory.read_status(STATUS)
    assert (status.state, status.free_percent) == (memory.STREAMING, 99)
    assert memory.read_status(memory.write_status(status)) == status


def test_frames_sent_at_once_stand_before_the_stream() -> None:
    real_time = frame(*encode(walk(1), Kind.FIXED_REAL_TIME)[0])
    values = [b"\xfd" + real_time + real_time + FIXED[:10], b"\xfe" + real_time + FIXED[10:]]
    assert [found.kind for value in values for found in Unpacker().feed(value)][:2] == [0x0247, 0x0247]
    assert fed(*values).of.tolist() == [1]
    assert fed(*values, vendor=Capture2Go(recording="a")).of.tolist() == [0, 0, 1]


def test_what_is_no_frame_is_counted_and_passed_over() -> None:
    broken = bytearray(FIXED)
    broken[20] ^= 1
    decoded = fed(b"\xff" + FIXED, b"\xff" + bytes(broken), b"\xff" + FIXED + b"\x00\x02\xff\xff" + FIXED)
    assert decoded.of.tolist() == [0, 2]
    assert decoded.damaged == 2
    # A length that garbage only seems to tell holds the rest back, for 244 bytes at most.
    decoded = fed(b"\xff\x00\x02\xff\xff" + FIXED, *[b"\xff" + FIXED] * 6)
    assert (decoded.of[0] > 0, len(decoded.samples), decoded.damaged) == (True, 7, 1)
    assert fed(b"\xff" + frame(0x0FFF)).damaged == 1
    assert fed(b"\xff" + frame(Kind.FIXED_50_HZ, PAYLOAD[:-1])).damaged == 1
    assert fed(b"", b"\x00", b"\xfe" + FIXED[:-1]).damaged == 3
    assert fed(b"\xff" + frame(0x0281, bytes(19))).damaged == 0
    with pytest.raises(DecodeError):
        decode([Frame(Kind.STATUS, STATUS)])
    other = SENSOR.decoder().feed([Notification(RX, b"\xff" + FIXED)])
    assert (len(other.samples), other.damaged) == (0, 0)


@given(st.lists(st.binary(max_size=30) | st.just(b"\xff" + FIXED) | st.just(FIXED).map(bytes), max_size=20))
def test_any_bytes_in_any_portions(values: list[bytes]) -> None:
    whole, decoder = fed(*values), SENSOR.decoder()
    parts = [decoder.feed([Notification(TX, value)]) for value in values]
    assert sum(got.damaged for got in parts) == whole.damaged
    assert [i for i, got in enumerate(parts) for _ in got.samples.tick_us] == whole.of.tolist()


@given(st.data(), st.lists(st.binary(max_size=12), min_size=6, max_size=6))
def test_the_stream_goes_on_after_damage_however_it_is_cut(data: st.DataObject, garbage: list[bytes]) -> None:
    sent = [Frame(*found) for found in encode(walk(5), Kind.FIXED_50_HZ)]
    stream = b"".join(bad + frame(*found) for bad, found in zip(garbage, sent, strict=False))
    stream += garbage[5] + frame(Kind.STATUS, STATUS) * 12  # a false length asks for 244 bytes more at most
    whole = Splitter()
    got = whole.feed(stream)
    assert [found for found in got if found.kind == Kind.FIXED_50_HZ] == sent
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    cut = Splitter()
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [found for piece in parts for found in cut.feed(piece)] == got
    assert cut.damaged == whole.damaged
    assert (whole.damaged > 0) == any(garbage)


COUNTS = st.integers(-32768, 32767)


@given(st.lists(st.tuples(*[COUNTS] * 6), max_size=20), st.sampled_from(sorted(frames.LAYOUTS)))
def test_encoding_is_the_inverse_of_decoding(rows: list[tuple[int, ...]], kind: int) -> None:
    table, layout = np.array(rows, np.float64).reshape(-1, 6), frames.LAYOUTS[kind]
    ticks = 77 + (layout.period_us or 20_000) * np.arange(len(rows), dtype=np.int64)
    samples = Samples(ticks, table[:, :3] * frames.ACC_COUNT, table[:, 3:] * frames.GYR_COUNT)
    got = decode(encode(samples, kind))
    assert len(got) == len(rows) // layout.n * layout.n
    assert got.tick_us.tolist() == ticks[: len(got)].tolist()
    np.testing.assert_array_equal(got.acc, samples.acc[: len(got)])
    np.testing.assert_array_equal(got.gyr, samples.gyr[: len(got)])


@pytest.mark.parametrize("vendor", [SENSOR, Capture2Go(recording="walk")])
def test_what_the_virtual_sensor_sends_comes_out(vendor: Capture2Go) -> None:
    virtual = vendor.peripheral("12:34:56:78:9a:bc")
    told = [note for command in vendor.start for note in virtual.write(command.uuid, command.value)]
    assert virtual.measuring
    samples = part(walk(1040), np.delete(np.arange(1040), range(500, 540)))
    cuts = np.split(np.arange(1000), [1, 2, 5, 300, 777])
    sent = [pair for rows in cuts for pair in virtual.send(part(samples, rows))]
    assert max(len(note.value) for note, _ in sent) <= 244
    decoder = vendor.decoder()
    assert len(decoder.feed(told).samples) == 0
    got = decoder.feed([note for note, _ in sent])
    assert got.damaged == 0
    assert np.bincount(got.of, minlength=len(sent)).tolist() == [n for _, n in sent]
    assert_same(got.samples, samples)
    for command in vendor.stop:
        virtual.write(command.uuid, command.value)
    assert not virtual.measuring


def test_the_virtual_sensor_answers_and_refuses() -> None:
    virtual = VirtualCapture2Go("12:34:56:78:9a:bc")

    def told(kind: int, payload: bytes = b"") -> list[tuple[int, str]]:
        return [(a.kind, a.payload.hex()) for a in answers(list(virtual.write(RX, frame(kind, payload))))]

    assert [kind for kind, _ in told(Kind.GET_STATUS)] == [Kind.STATUS] * 2  # one of them unasked
    assert told(Kind.STOP_STREAMING) == [(Kind.ERROR, "fb5201")]
    assert told(Kind.START_RECORDING) == [(Kind.ERROR, "f95401")]
    assert told(0x0FFF) == [(Kind.ERROR, "fdff0f")]
    assert told(Kind.SET_MEASUREMENT, b"\0") == [(Kind.ERROR, "fc2001")]
    assert told(Kind.SET_TIME, bytes(8)) == [(Kind.TIME, "00" * 8)]
    assert [(a.kind, a.payload.hex()) for a in answers(list(virtual.write(RX, b"\x02\x01")))] == [
        (Kind.ERROR, "fcffff")
    ]
    for command in SENSOR.start:
        virtual.write(command.uuid, command.value)
    assert told(Kind.START_STREAMING) == [(Kind.ERROR, "fb5001")]
    assert told(*Unpacker().feed(b"\xff" + SENSOR.blink[0].value)[0])[0][0] == Kind.LED
    with pytest.raises(DecodeError):
        virtual.write(TX, b"")
    assert list(virtual.send(no_samples())) == []


def test_the_buffer_bridges_a_short_loss_and_is_bounded() -> None:
    virtual, decoder, later = SENSOR.peripheral("a"), SENSOR.decoder(), SENSOR.decoder()
    assert isinstance(virtual, VirtualCapture2Go)
    for command in SENSOR.start:
        decoder.feed(virtual.write(command.uuid, command.value))
    first = decoder.feed([note for note, _ in virtual.send(walk(10))]).samples
    virtual.disconnected()
    virtual.keep(walk(500, 10))
    assert list(virtual.write(RX, frame(Kind.GET_STATUS))) == []  # the answer waits behind the samples
    got = later.feed([note for note, _ in virtual.send(walk(10, 510))])
    assert (got.damaged, got.battery_percent) == (0, 90)
    assert [*first.tick_us, *got.samples.tick_us] == walk(520).tick_us.tolist()
    virtual.keep(walk(5_000, 520))
    assert sum(n for _, n in virtual.send(no_samples())) == -(-BUFFER_BYTES // len(FIXED))
