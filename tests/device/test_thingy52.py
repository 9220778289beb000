"""Thingy:52 bytes, literally."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import thingy52 as thingy
from device.vendors.base import Advertised, Decoded, G, Notification, Samples
from poise.errors import DecodeError
from poise.samples import quantise

VENDOR = thingy.Thingy52()
# Acceleration as somebody read it from a Thingy on a table (devzone.nordicsemi.com/f/nordic-q-a/47415), then
# 90, -45, 1/32 °/s and 50, 0, -25 µT.
FRAME = bytes.fromhex("faff f4ff f603 400b 60fa 0100 2003 0000 70fe")


def fed(*values: bytes) -> Decoded:
    return VENDOR.decoder().feed([Notification(thingy.RAW, value) for value in values])


def test_a_literal_notification() -> None:
    samples = fed(FRAME).samples
    assert samples.tick_us.tolist() == [0]
    np.testing.assert_allclose(samples.acc, np.array([[6, 12, -1014]]) / 1024 * G)
    np.testing.assert_allclose(samples.gyr, np.radians([[90, -45, 1 / 32]]))
    assert thingy.encode(samples) == [FRAME[:12] + bytes(6)]


def test_addresses_and_commands() -> None:
    assert VENDOR.subscriptions == ("ef680406-9b35-4933-9b10-52ffa9740042",)
    assert [(w.uuid[4:8], w.value.hex()) for w in VENDOR.start] == [("0401", "e803f401f401320001")]
    assert [(w.uuid[4:8], w.value.hex()) for w in VENDOR.blink] == [("0301", "030764")]
    assert VENDOR.battery(b"\x64") == (100, False)
    assert (VENDOR.firmware(b"\x02\x02\x00"), VENDOR.firmware(b"")) == ("2.2.0", "")
    assert VENDOR.recognises(Advertised("Thingy"))
    renamed = Advertised("left", frozenset({"ef680100-9b35-4933-9b10-52ffa9740042"}))
    assert VENDOR.recognises(renamed)
    assert not VENDOR.recognises(Advertised("Thing"))


def test_a_count_of_the_sensor_is_a_count_after_quantising() -> None:
    counts = np.repeat(np.arange(-32767, 32737)[:, None], 3, axis=1)
    assert (quantise(counts * thingy.ACC_UNIT, VENDOR.scale.acc_nano)[0] == counts).all()
    assert (quantise(counts * thingy.GYR_UNIT, VENDOR.scale.gyr_nano)[0] == counts).all()


def test_one_damaged_notification_does_not_cost_its_neighbours() -> None:
    decoded = fed(FRAME, FRAME[:-1], b"", FRAME)
    assert (decoded.of.tolist(), decoded.damaged) == ([0, 3], 2)


def test_beyond_its_limits_it_holds_them_as_the_firmware_does() -> None:
    far = Samples(
        np.zeros(2, np.int64), np.array([[-400.0, 400, 0]] * 2), np.array([[40.0, -40, np.nan]] * 2)
    )
    raw = np.frombuffer(thingy.encode(far)[0], "<i2").tolist()
    assert raw == [31 * 1024, -32768, 0, 1023 * 32, -32768, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("uuid", "refused"),
    [
        (thingy.MOTION_CONFIG, "e803f401f4013200"),
        (thingy.MOTION_CONFIG, "e803f401f401320002"),
        (thingy.MOTION_CONFIG, "e803f401f401000001"),
        (thingy.MOTION_CONFIG, "e803f401f401c90001"),
        (thingy.MOTION_CONFIG, "6300f401f401320001"),
        (thingy.LED, ""),
        (thingy.LED, "04"),
        (thingy.LED, "0000"),
        (thingy.LED, "030864"),
        (thingy.LED, "030065"),
        (thingy.LED, "0307"),
        (thingy.LED, "0207640000"),
        (thingy.LED, "0207641127"),
    ],
)
def test_it_refuses_what_the_firmware_refuses(uuid: str, refused: str) -> None:
    sensor = VENDOR.peripheral("")
    before = sensor.read(uuid)
    with pytest.raises(DecodeError):
        sensor.write(uuid, bytes.fromhex(refused))
    assert sensor.read(uuid) == before
    assert not sensor.measuring


def test_a_virtual_sensor_keeps_its_rate_as_in_flash() -> None:
    sensor = VENDOR.peripheral("F0:00:00:00:00:01")
    assert VENDOR.recognises(sensor.advertised)
    assert not sensor.measuring
    for write in VENDOR.start + VENDOR.blink:
        assert sensor.write(write.uuid, write.value) == ()
    for value in ("00", "01ffffff", "0206140100", "020614ac0d"):
        sensor.write(thingy.LED, bytes.fromhex(value))
    assert sensor.measuring
    sensor.disconnected()
    assert sensor.measuring
    assert sensor.read(thingy.LED).hex() == "020614ac0d"
    assert sensor.read(thingy.MOTION_CONFIG) == VENDOR.start[0].value
    sensor.write(thingy.MOTION_CONFIG, thingy.motion_config(10))
    assert not sensor.measuring
    assert VENDOR.battery(sensor.read(VENDOR.battery_uuid)) == (90, False)
    assert VENDOR.firmware(sensor.read(VENDOR.info_uuid)) == "2.2.0"


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_a_thousand_samples_with_a_gap_come_out(portion: int) -> None:
    counts = np.random.default_rng(1).integers(-31_000, 31_000, (1000, 6))
    ticks = np.arange(1000) * 20_000 + 5_000_000 * (np.arange(1000) > 400)
    samples = Samples(ticks, counts[:, :3] * thingy.ACC_UNIT, counts[:, 3:] * thingy.GYR_UNIT)
    sent = VENDOR.peripheral("").send(samples)
    assert [n for _, n in sent] == [1] * 1000
    decoder = VENDOR.decoder()
    parts = [
        decoder.feed([notification for notification, _ in sent[at : at + portion]])
        for at in range(0, 1000, portion)
    ]
    np.testing.assert_allclose(np.concatenate([p.samples.acc for p in parts]), samples.acc, rtol=1e-12)
    np.testing.assert_allclose(np.concatenate([p.samples.gyr for p in parts]), samples.gyr, rtol=1e-12)
    assert not any(p.damaged for p in parts)


@given(st.lists(st.binary(max_size=24) | st.binary(min_size=18, max_size=18), max_size=8))
def test_any_bytes_give_samples_or_are_counted(values: list[bytes]) -> None:
    decoded = fed(*values)
    assert len(decoded.samples) == sum(len(raw) == 18 for raw in values)
    assert decoded.damaged == sum(len(raw) != 18 for raw in values)


@given(st.lists(st.tuples(*[st.floats(-304, 304)] * 3, *[st.floats(-17.8, 17.8)] * 3), max_size=6))
def test_encoding_is_the_inverse_of_decoding(rows: list[tuple[float, ...]]) -> None:
    values = np.array(rows).reshape(-1, 6)
    raw = thingy.encode(Samples(np.zeros(len(rows), np.int64), values[:, :3], values[:, 3:]))
    samples = thingy.decode(raw)
    np.testing.assert_allclose(samples.acc, values[:, :3], atol=0.501 * thingy.ACC_UNIT)
    np.testing.assert_allclose(samples.gyr, values[:, 3:], atol=0.501 * thingy.GYR_UNIT)
    assert thingy.encode(samples) == raw
