"""OpenEarable 2 bytes, literally."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import openearable
from device.vendors.base import Advertised, Decoded, Notification, Samples
from device.vendors.openearable import Layout, OpenEarable, VirtualEarable, decode, encode
from poise.errors import DecodeError
from poise.samples import quantise

EAR = OpenEarable()
G = 9.80665
# acc (0, -9.80665, 1) m/s², gyr (180, -90, 0) °/s, mag (20, 0, -40) µT
NINE = "00000000 0ae81cc1 0000803f 00003443 0000b4c2 00000000 0000a041 00000000 000020c2"
TIME = "0807060504030200"
SINGLE = bytes.fromhex(f"00 24 {TIME} {NINE}")
OLD = bytes.fromhex(f"00 04030201 {NINE}")
BATCH = bytes.fromhex(f"00 4a {TIME} {NINE} {NINE} 204e")
# The maker's own test vector: counts -32768, -1, 0, 1, 16384, 32767, then 1.25, -2.5 and -0 µT.
COUNTS = "0080 ffff 0000 0100 0040 ff7f 0000a03f 000020c0 00000080"
COMPACT = bytes.fromhex(f"00 18 {TIME} {COUNTS}")
COMPACT_BATCH = bytes.fromhex(f"00 4a {TIME} {COUNTS} {COUNTS} {COUNTS} 204e")
TICK = 0x02030405060708


def fed(*values: bytes) -> Decoded:
    return EAR.decoder().feed([Notification(openearable.SENSOR_DATA, value) for value in values])


@pytest.mark.parametrize(
    ("value", "ticks"),
    [(SINGLE, [TICK]), (OLD, [0x01020304 * 1000]), (BATCH, [TICK, TICK + 20_000])],
)
def test_literal_notifications_of_floats(value: bytes, ticks: list[int]) -> None:
    samples = fed(value).samples
    assert samples.tick_us.tolist() == ticks
    np.testing.assert_allclose(samples.acc, [[0, -G, 1]] * len(ticks), rtol=1e-7)
    np.testing.assert_allclose(samples.gyr, [[np.pi, -np.pi / 2, 0]] * len(ticks), rtol=1e-7)


@pytest.mark.parametrize(("value", "n"), [(COMPACT, 1), (COMPACT_BATCH, 3)])
def test_literal_notifications_of_counts(value: bytes, n: int) -> None:
    samples = fed(value).samples
    assert samples.tick_us.tolist() == [TICK + 20_000 * i for i in range(n)]
    np.testing.assert_allclose(samples.acc, [[-2 * G, -2 * G / 32768, 0]] * n, rtol=1e-12)
    np.testing.assert_allclose(
        samples.gyr, np.radians([[2000 / 32768, 1000, 2000 * 32767 / 32768]] * n), rtol=1e-12
    )
    counts, clipped = quantise(samples.acc, EAR.scale.acc_nano)
    assert counts[0].tolist() == [-32767, -1, 0]
    assert clipped.all()


def test_literal_bytes_are_sent() -> None:
    def without_mag(value: bytes) -> bytes:
        return value[:-12] + bytes(12)

    assert encode(decode([SINGLE])) == [(without_mag(SINGLE), 1)]
    assert encode(decode([OLD]), Layout.MILLISECONDS) == [(without_mag(OLD), 1)]
    assert encode(decode([COMPACT]), Layout.COMPACT) == [(without_mag(COMPACT), 1)]


def test_addresses_and_commands() -> None:
    assert EAR.subscriptions == ("34c2e3bc-34aa-11eb-adc1-0242ac120002",)
    assert [(w.uuid[:8], w.value.hex(), w.response) for w in EAR.start] == [("34c2e3be", "000101", True)]
    assert [(w.uuid[:8], w.value.hex()) for w in EAR.stop] == [("34c2e3be", "000100"), ("81040e7b", "00")]
    assert [(w.uuid[:8], w.value.hex()) for w in EAR.blink] == [("81040e7b", "01"), ("81040e7a", "ffffff")]
    assert EAR.battery(b"\x55") == (85, False)
    assert EAR.firmware(b"2.2.0") == "2.2.0"
    assert EAR.recognises(Advertised("OpenEarable-12AB"))
    assert not EAR.recognises(Advertised("Earable"))
    assert not EAR.recognises(Advertised(""))


def test_full_scale_is_2_g_and_2000_degrees_a_second() -> None:
    top, clipped = quantise(np.array([[2 * G * 32767 / 32768, 0, 0]]), EAR.scale.acc_nano)
    assert (top[0, 0], clipped[0]) == (32767, False)
    top, clipped = quantise(np.radians([[2000 * 32767 / 32768, 0, 0]]), EAR.scale.gyr_nano)
    assert (top[0, 0], clipped[0]) == (32767, False)


def test_one_damaged_notification_does_not_cost_its_neighbours() -> None:
    decoded = fed(SINGLE, SINGLE[:-1], BATCH, b"", COMPACT)
    assert decoded.of.tolist() == [0, 2, 2, 4]
    assert (len(decoded.samples), decoded.damaged) == (4, 2)


def test_the_other_sensors_are_no_damage() -> None:
    decoded = fed(bytes.fromhex("01 08") + bytes(16), bytes.fromhex("07 06") + bytes(14))
    assert (len(decoded.samples), decoded.damaged) == (0, 0)
    other = EAR.decoder().feed([Notification(openearable.SENSOR_STATUS, SINGLE)])
    assert (len(other.samples), other.damaged) == (0, 0)


@pytest.mark.parametrize("value", [SINGLE[:1] + b"\x23" + SINGLE[2:], b"\x03" + SINGLE[1:]])
def test_a_length_or_sensor_that_is_not_so_is_damage(value: bytes) -> None:
    assert fed(value).damaged == 1
    with pytest.raises(DecodeError):
        decode([value])


def test_a_number_that_is_none_passes_and_is_flagged() -> None:
    value = bytearray(SINGLE)
    value[10:14] = struct.pack("<f", float("nan"))
    acc = fed(bytes(value)).samples.acc
    assert np.isnan(acc[0, 0])
    assert quantise(acc, EAR.scale.acc_nano)[1].tolist() == [True]


@given(
    st.lists(
        st.binary(max_size=250) | st.binary(max_size=240).map(lambda b: bytes([0, len(b)]) + bytes(8) + b)
    )
)
def test_any_bytes_in_any_portions(values: list[bytes]) -> None:
    whole, decoder = fed(*values), EAR.decoder()
    parts = [decoder.feed([Notification(openearable.SENSOR_DATA, value)]) for value in values]
    assert sum(part.damaged for part in parts) == whole.damaged
    ticks = [tick for part in parts for tick in part.samples.tick_us.tolist()]
    assert ticks == whole.samples.tick_us.tolist()
    assert (np.diff(whole.of) >= 0).all()


MEASURED = st.integers(-19_000, 19_000).map(lambda thousandths: thousandths / 1000)


@given(
    st.lists(st.tuples(*[MEASURED] * 6), max_size=7),
    st.sampled_from(Layout),
    st.integers(0, 1 << 40),
    st.integers(1, 100_000),
)
def test_encoding_is_the_inverse_of_decoding(
    rows: list[tuple[float, ...]], layout: Layout, first: int, period: int
) -> None:
    if layout is Layout.MILLISECONDS:
        first, period = first % (1 << 32) * 1000 // 2000 * 1000, period * 1000
    table = np.array(rows).reshape(-1, 6)
    ticks = first + period * np.arange(len(rows), dtype=np.int64)
    sent = encode(Samples(ticks, table[:, :3], table[:, 3:]), layout)
    again = fed(*(value for value, _ in sent))
    assert again.damaged == 0
    assert np.bincount(again.of, minlength=len(sent)).tolist() == [n for _, n in sent]
    assert again.samples.tick_us.tolist() == (ticks % ((1 << 32) * 1000)).tolist()
    coarse = layout is Layout.COMPACT
    np.testing.assert_allclose(again.samples.acc, table[:, :3], rtol=3e-7, atol=3e-4 * coarse)
    np.testing.assert_allclose(again.samples.gyr, table[:, 3:], rtol=3e-7, atol=6e-4 * coarse)


@pytest.mark.parametrize("layout", Layout)
def test_what_the_virtual_sensor_sends_comes_out(layout: Layout) -> None:
    vendor = OpenEarable(layout)
    virtual = vendor.peripheral("12:34:56:78:9a:bc")
    assert not virtual.measuring
    for command in vendor.start:
        assert list(virtual.write(command.uuid, command.value)) == []
    assert virtual.measuring
    assert vendor.recognises(virtual.advertised)
    rng = np.random.default_rng(1)
    ticks = 5_000_000 + 20_000 * np.delete(np.arange(1040), range(500, 540))
    samples = Samples(ticks, rng.normal(0, 5, (1000, 3)), rng.normal(0, 1, (1000, 3)))
    sent = [
        note
        for part in np.split(np.arange(1000), [1, 2, 5, 300, 777])
        for note in virtual.send(Samples(ticks[part], samples.acc[part], samples.gyr[part]))
    ]
    assert sum(n for _, n in sent) == 1000
    got = vendor.decoder().feed([note for note, _ in sent])
    assert (got.damaged, got.samples.tick_us.tolist()) == (0, ticks.tolist())
    np.testing.assert_allclose(got.samples.acc, samples.acc, rtol=1e-6, atol=4e-4)
    np.testing.assert_allclose(got.samples.gyr, samples.gyr, rtol=1e-6, atol=6e-4)


def test_the_virtual_sensor_answers_and_refuses_as_the_firmware_does() -> None:
    virtual = VirtualEarable("12:34:56:78:9a:bc")
    assert virtual.advertised.name == "OpenEarable-9ABC"
    for uuid, value in [
        (openearable.SENSOR_CONFIG, b"\x00\x01"),
        (openearable.LED_COLOUR, b"\xff"),
        (openearable.LED_MODE, b""),
        (openearable.SENSOR_DATA, b"\x00\x01\x01"),
    ]:
        with pytest.raises(DecodeError):
            virtual.write(uuid, value)
    virtual.write(openearable.SENSOR_CONFIG, b"\x00\x09\x01")
    assert not virtual.measuring
    virtual.write(openearable.SENSOR_CONFIG, openearable.START)
    virtual.disconnected()
    assert virtual.measuring
    assert virtual.read(openearable.SENSOR_STATUS) == openearable.START
    assert EAR.firmware(virtual.read(EAR.info_uuid)) == "2.2.0"
    assert EAR.battery(virtual.read(EAR.battery_uuid)) == (90, False)
    for command in EAR.stop + EAR.blink:
        virtual.write(command.uuid, command.value)
    assert not virtual.measuring
    assert list(virtual.send(Samples(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3))))) == []
