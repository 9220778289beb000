"""Movella DOT bytes, literally."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import VENDORS, vendor_named, vendor_of
from device.vendors import movella_dot_frames as movella_dot
from device.vendors.base import Advertised, Decoded, Notification, Samples
from poise.errors import DecodeError
from poise.samples import quantise

DOT = vendor_named("movella_dot")
# tick 0x01020304, acc (0, -9.80665, 1) m/s², gyr (180, -90, 0) °/s
FRAME = bytes.fromhex("04030201 00000000 0ae81cc1 0000803f 00003443 0000b4c2 00000000")


def fed(*values: bytes) -> Decoded:
    return DOT.decoder().feed([Notification(movella_dot.MEDIUM_PAYLOAD, value) for value in values])


def test_a_literal_notification() -> None:
    samples = fed(FRAME).samples
    assert samples.tick_us.tolist() == [0x01020304]
    np.testing.assert_allclose(samples.acc, [[0, -9.80665, 1]], rtol=1e-7)
    np.testing.assert_allclose(samples.gyr, [[np.pi, -np.pi / 2, 0]], rtol=1e-7)
    assert movella_dot.encode(samples) == [FRAME]


def test_addresses_and_commands() -> None:
    assert DOT.subscriptions[0] == "15172003-4947-11e9-8646-d663bd873d93"
    assert DOT.battery_uuid == "15173001-4947-11e9-8646-d663bd873d93"
    assert [(w.uuid[4:8], w.value.hex()) for w in DOT.start] == [
        ("1002", "10" + "00" * 23 + "3c00" + "00" * 6),
        ("2001", "010115"),
    ]
    assert [(w.uuid[4:8], w.value.hex()) for w in DOT.stop] == [("2001", "010015")]
    assert DOT.battery(b"\x55\x01") == (85, True)
    assert DOT.firmware(movella_dot.info("D4:22:CD:00:00:01", (2, 4, 0))) == "2.4.0"
    for name in ("Movella DOT", "Xsens DOT", "Movella DOT 3"):
        assert vendor_of(Advertised(name)) is DOT
    assert vendor_of(Advertised("Headphones")) is None
    assert vendor_of(Advertised("")) is None
    assert len({vendor.name for vendor in VENDORS}) == len(VENDORS)


def test_full_scale_is_16_g_and_2000_degrees_a_second() -> None:
    top = np.array([[16 * 9.80665, 0, 0]]), np.radians([[2000.0, 0, 0]])
    acc, acc_clipped = quantise(top[0] * 0.9999, DOT.scale.acc_nano)
    gyr, gyr_clipped = quantise(top[1] * 0.9999, DOT.scale.gyr_nano)
    assert (acc[0, 0], gyr[0, 0]) == (32765, 32765)
    assert not acc_clipped.any()
    assert not gyr_clipped.any()


def test_one_damaged_notification_does_not_cost_its_neighbours() -> None:
    decoded = fed(FRAME, FRAME[:-1], FRAME)
    assert decoded.of.tolist() == [0, 2]
    assert (len(decoded.samples), decoded.damaged) == (2, 1)


@pytest.mark.parametrize("value", [b"", b"\x55", b"\x65\x00", b"\x10\x02", b"\x55\x01\x00"])
def test_a_strange_battery_state_is_refused(value: bytes) -> None:
    with pytest.raises(DecodeError):
        DOT.battery(value)


@given(st.lists(st.binary(max_size=40) | st.binary(min_size=28, max_size=28), max_size=8))
def test_any_bytes_give_samples_or_a_decode_error(notifications: list[bytes]) -> None:
    decoded = fed(*notifications)
    assert len(decoded.samples) == sum(len(raw) == 28 for raw in notifications)
    counts, unsure = quantise(decoded.samples.acc, DOT.scale.acc_nano)
    assert counts.shape == (len(decoded.samples), 3)
    assert unsure[~np.isfinite(decoded.samples.acc).all(axis=1)].all()


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), *[st.floats(-150, 150, width=32)] * 6), max_size=6))
def test_encoding_is_the_inverse_of_decoding(rows: list[tuple[float, ...]]) -> None:
    raw = [struct.pack("<I6f", *row) for row in rows]
    samples = fed(*raw).samples
    again = movella_dot.decode(movella_dot.encode(Samples(samples.tick_us, samples.acc, samples.gyr)))
    assert (again.tick_us == samples.tick_us).all()
    np.testing.assert_array_equal(again.acc, samples.acc)
    np.testing.assert_allclose(again.gyr, samples.gyr, rtol=3e-7, atol=1e-9)
