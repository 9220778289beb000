"""eSense bytes, literally."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import esense
from device.vendors.base import Advertised, Decoded, G, Notification, Samples
from poise.errors import DecodeError
from poise.samples import quantise

VENDOR = esense.ESense()
# number 254, gyr (10, -20, 0) °/s, acc (1, -0.5, 255/8192) g: the last low byte has its highest bit set
FRAME = bytes.fromhex("55 fe d1 0c 0148 fd70 0000 2000 f000 00ff")


def fed(*values: bytes) -> Decoded:
    return VENDOR.decoder().feed([Notification(esense.SAMPLES, value) for value in values])


def test_a_literal_notification() -> None:
    samples = fed(FRAME).samples
    assert samples.tick_us.tolist() == [254 * 20_000]
    np.testing.assert_allclose(samples.acc, [[G, -0.5 * G, 255 / 8192 * G]])
    np.testing.assert_allclose(samples.gyr, np.radians([[10, -20, 0]]))
    assert esense.encode(samples) == [FRAME]


def test_addresses_and_commands() -> None:
    assert VENDOR.subscriptions == ("0000ff08-0000-1000-8000-00805f9b34fb",)
    assert [(w.uuid[4:8], w.value.hex()) for w in VENDOR.start + VENDOR.stop] == [
        ("ff0e", "59240404100804"),
        ("ff07", "5335020132"),
        ("ff07", "5302020000"),
    ]
    assert esense.sampling(100).hex() == "5367020164"
    assert esense.sampling(30).hex() == "532102011e"
    # the advertisement and connection interval that a user's program writes
    assert esense.unpacked(bytes.fromhex("572d0800c8012c00100020")).hex() == "00c8012c00100020"
    assert VENDOR.recognises(Advertised("eSense-0398"))
    assert not VENDOR.recognises(Advertised("Sense-0398"))
    assert VENDOR.firmware(b"") == ""


@pytest.mark.parametrize(
    ("millivolts", "percent"), [(3000, 0), (3400, 0), (3800, 50), (4200, 100), (4350, 100)]
)
def test_volts_become_per_cent(millivolts: int, percent: int) -> None:
    value = esense.packed(0x0A, millivolts.to_bytes(2, "big"))
    assert VENDOR.battery(value) == (percent, False)
    assert VENDOR.battery(esense.packed(0x0A, value[3:] + b"\x01")) == (percent, False)


@pytest.mark.parametrize("value", ["", "0a", "0a0000", "0a0101ff", "0a7f020ed8", "0ae8020ed8ff"])
def test_a_strange_voltage_is_refused(value: str) -> None:
    with pytest.raises(DecodeError):
        VENDOR.battery(bytes.fromhex(value))


def test_damage_does_not_cost_its_neighbours() -> None:
    wrong = [FRAME[:-1], b"", b"\x56" + FRAME[1:], FRAME[:2] + b"\x00" + FRAME[3:], FRAME[:-1] + b"\x00"]
    other_size = esense.encode(fed(FRAME).samples)[0]
    wrong.append(other_size[:2] + bytes([other_size[2] + 1, 13]) + other_size[4:])
    decoded = fed(FRAME, *wrong, FRAME)
    assert decoded.of.tolist() == [0, len(wrong) + 1]
    assert decoded.damaged == len(wrong)


def test_a_count_of_the_sensor_is_a_count_after_quantising() -> None:
    counts = np.repeat(np.arange(-32767, 32768)[:, None], 3, axis=1)
    assert (quantise(counts / 8192 * G, VENDOR.scale.acc_nano)[0] == counts).all()
    assert (quantise(np.radians(counts / 32.8), VENDOR.scale.gyr_nano)[0] == counts).all()


def test_a_virtual_sensor_measures_in_the_ranges_it_was_told() -> None:
    sensor = VENDOR.peripheral("00:04:79:00:0E:E6")
    assert sensor.advertised == Advertised("eSense-0EE6")
    one = Samples(np.array([20_000]), np.array([[0, 0, G]]), np.radians([[100.0, 0, 0]]))
    ((as_found, _),) = sensor.send(one)
    assert as_found.value[4:].hex() == "1996" + "00000000" + "00000000" + "2000"  # 500 °/s, 4 g
    for ignored in (b"", b"\x53", bytes.fromhex("5300020132"), bytes.fromhex("5435020132")):
        assert sensor.write(esense.SAMPLING, ignored) == ()
    assert not sensor.measuring
    for write in VENDOR.start:
        assert sensor.write(write.uuid, write.value) == ()
    assert sensor.measuring
    assert sensor.read(esense.SAMPLING).hex() == "5335020132"
    ((told, n),) = sensor.send(one)
    assert n == 1
    np.testing.assert_allclose(fed(told.value).samples.gyr, one.gyr, rtol=1e-9)
    sensor.write(VENDOR.stop[0].uuid, VENDOR.stop[0].value)
    assert not sensor.measuring
    sensor.write(esense.SAMPLING, esense.sampling(50))
    sensor.disconnected()
    assert not sensor.measuring
    for percent in (0, 1, 50, 99, 100):
        sensor.battery_percent = percent
        assert VENDOR.battery(sensor.read(VENDOR.battery_uuid)) == (percent, False)


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_a_thousand_samples_with_a_gap_come_out(portion: int) -> None:
    counts = np.random.default_rng(1).integers(-32768, 32768, (1000, 6))
    ticks = 7 + 20_000 * (np.arange(1000) + 70 * (np.arange(1000) > 400))
    samples = Samples(ticks, counts[:, :3] / 8192 * G, np.radians(counts[:, 3:] / 32.8))
    sensor = VENDOR.peripheral("")
    for write in VENDOR.start:
        sensor.write(write.uuid, write.value)
    sent = sensor.send(samples)
    decoder = VENDOR.decoder()
    parts = [
        decoder.feed([notification for notification, _ in sent[at : at + portion]])
        for at in range(0, 1000, portion)
    ]
    out = np.concatenate([p.samples.tick_us for p in parts])
    assert (np.diff(out) % VENDOR.wrap_us == np.diff(ticks)).all()
    np.testing.assert_allclose(np.concatenate([p.samples.acc for p in parts]), samples.acc, rtol=1e-9)
    np.testing.assert_allclose(np.concatenate([p.samples.gyr for p in parts]), samples.gyr, rtol=1e-9)
    assert not any(p.damaged for p in parts)


@given(st.lists(st.binary(max_size=20) | st.just(FRAME) | st.binary(min_size=16, max_size=16), max_size=8))
def test_any_bytes_give_samples_or_are_counted(values: list[bytes]) -> None:
    decoded = fed(*values)
    assert len(decoded.samples) == len(decoded.of)
    assert decoded.damaged == len(values) - len(decoded.samples)
    assert values.count(FRAME) <= len(decoded.samples)


@given(
    st.integers(0, 2**40),
    st.lists(st.tuples(*[st.floats(-39, 39)] * 3, *[st.floats(-17.4, 17.4)] * 3), max_size=6),
)
def test_encoding_is_the_inverse_of_decoding(number: int, rows: list[tuple[float, ...]]) -> None:
    values = np.array(rows).reshape(-1, 6)
    ticks = 20_000 * (number + np.arange(len(rows)))
    raw = esense.encode(Samples(ticks, values[:, :3], values[:, 3:]))
    samples = esense.decode(raw)
    assert (samples.tick_us == ticks % VENDOR.wrap_us).all()
    np.testing.assert_allclose(samples.acc, values[:, :3], atol=0.501 * G / 8192)
    np.testing.assert_allclose(samples.gyr, values[:, 3:], atol=0.501 * np.radians(1 / 32.8))
    assert esense.encode(samples) == raw
