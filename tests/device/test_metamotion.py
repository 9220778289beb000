"""MetaMotion bytes, literally, and the sensor against its virtual self."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import metamotion
from device.vendors.base import Advertised, Decoded, G, Notification, Samples
from device.vendors.metamotion import COMMAND, NOTIFY, MetaMotion
from poise.errors import DecodeError

META = MetaMotion()
ADDRESS = "D2:8E:1E:EF:A8:E4"
# From the SDK's tests: (-3.3799, 15.9995, -15.9995) g, and (72.669, -56.096, 528.820) °/s.
ACC = bytes.fromhex("1904 203e53c5 0cfe7946 0cfe79c6 00")
GYR = bytes.fromhex("1905 7a569142 b46260c2 73340444 00")


def fed(*values: bytes, portion: int = 1000) -> Decoded:
    decoder = META.decoder()
    notifications = [Notification(NOTIFY, value) for value in values]
    parts = [
        (at, decoder.feed(notifications[at : at + portion])) for at in range(0, len(notifications), portion)
    ]
    samples = Samples(
        np.concatenate([d.samples.tick_us for _, d in parts]),
        np.concatenate([d.samples.acc for _, d in parts]),
        np.concatenate([d.samples.gyr for _, d in parts]),
    )
    of = np.concatenate([d.of + at for at, d in parts])
    return Decoded(samples, of, sum(d.damaged for _, d in parts))


def test_literal_notifications() -> None:
    samples = fed(ACC, GYR).samples
    assert samples.tick_us.tolist() == [0]
    np.testing.assert_allclose(samples.acc / G, [[-3.3799, 15.9995, -15.9995]], atol=6e-5)
    np.testing.assert_allclose(np.degrees(samples.gyr), [[72.669, -56.096, 528.820]], atol=6e-4)
    # What is read is written again, but for the accuracy, which Poise does not read.
    assert metamotion.encode(samples) == [ACC[:-1] + b"\3", GYR[:-1] + b"\3"]


def test_addresses_and_commands() -> None:
    assert META.subscriptions == ("326a9006-85cb-9195-d9dd-464cfbbae75a",)
    assert {write.uuid for write in META.start} == {"326a9001-85cb-9195-d9dd-464cfbbae75a"}
    sent = (*META.start, *META.stop, *META.blink, *META.buzz)
    assert not any(write.response for write in sent)
    assert (
        META.blink[1].value.hex()
        == "0203" + "0002" + "1f00" + "0000" + "3200" + "0000" + "f401" + "0000" + "0a"
    )
    assert META.buzz[0].value.hex() == "0801f8f40100"
    assert META.recognises(Advertised("MetaWear"))
    assert META.recognises(Advertised("Back", frozenset({metamotion.SERVICE})))
    assert not META.recognises(Advertised("Meta"))
    assert META.battery(b"\x2a") == (42, False)
    assert META.firmware(b"1.7.3") == "1.7.3"


def test_a_lost_angular_rate_costs_no_acceleration() -> None:
    got = fed(ACC, GYR, ACC, ACC, GYR)
    assert got.of.tolist() == [1, 3, 4]
    assert np.isnan(got.samples.gyr).all(axis=1).tolist() == [False, True, False]
    assert got.damaged == 0


def test_an_angular_rate_without_acceleration_is_counted() -> None:
    got = fed(GYR, ACC, GYR, GYR)
    assert (got.of.tolist(), got.damaged) == ([2], 2)


def test_other_and_damaged_notifications_are_counted() -> None:
    got = fed(ACC, ACC[:-1], b"", bytes.fromhex("1982 0211"), GYR, b"\x19\x06" + ACC[2:])
    assert (got.of.tolist(), got.damaged) == ([4], 4)
    with pytest.raises(DecodeError):
        metamotion.decode([ACC, GYR + b"\0"])
    elsewhere = META.decoder().feed([Notification(COMMAND, b"\x19")])
    assert (len(elsewhere.samples), elsewhere.damaged) == (0, 0)


_FRAME = (
    st.sampled_from([ACC, GYR])
    | st.binary(max_size=20)
    | st.binary(min_size=13, max_size=13).map(lambda raw: b"\x19\x04" + raw)
)


@given(st.lists(_FRAME, min_size=1, max_size=12), st.integers(1, 12))
def test_any_bytes_in_any_portions_give_the_same(values: list[bytes], portion: int) -> None:
    whole, parts = fed(*values), fed(*values, portion=portion)
    np.testing.assert_array_equal(whole.samples.acc, parts.samples.acc)
    np.testing.assert_array_equal(whole.samples.gyr, parts.samples.gyr)
    assert (whole.of.tolist(), whole.damaged) == (parts.of.tolist(), parts.damaged)
    assert (np.diff(whole.of) >= 0).all()


@given(st.lists(st.tuples(*[st.floats(-300, 300, width=32)] * 6), min_size=1, max_size=6))
def test_encoding_is_the_inverse_of_decoding(rows: list[tuple[float, ...]]) -> None:
    values = np.array(rows)
    samples = Samples(np.zeros(len(rows), np.int64), values[:, :3], values[:, 3:])
    again = fed(*metamotion.encode(samples)).samples
    np.testing.assert_allclose(again.acc, samples.acc, rtol=3e-7, atol=1e-9)
    np.testing.assert_allclose(again.gyr, samples.gyr, rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize("portion", [1, 7, 10_000])
def test_what_is_worn_comes_out(portion: int) -> None:
    sensor = META.peripheral(ADDRESS)
    for write in META.start:
        assert not sensor.measuring
        assert sensor.write(write.uuid, write.value) == ()
    assert sensor.measuring
    rng = np.random.default_rng(1)
    ticks = (np.arange(1000) + np.where(np.arange(1000) < 500, 0, 40)) * 10_000
    worn = Samples(ticks, rng.normal(0, 9, (1000, 3)), rng.normal(0, 3, (1000, 3)))
    sent = sensor.send(worn)
    got = fed(*(notification.value for notification, _ in sent), portion=portion)
    assert (len(got.samples), got.damaged) == (1000, 0)
    np.testing.assert_allclose(got.samples.acc, worn.acc, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(got.samples.gyr, worn.gyr, rtol=1e-6, atol=1e-9)
    assert not got.samples.tick_us.any()
    assert np.bincount(got.of, minlength=len(sent)).tolist() == [count for _, count in sent]


@pytest.mark.parametrize("missing", range(len(metamotion.START)))
def test_half_a_start_measures_nothing(missing: int) -> None:
    sensor = META.peripheral(ADDRESS)
    for at, write in enumerate(META.start):
        if at != missing:
            sensor.write(write.uuid, write.value)
    configures_only_the_range = missing in (1, 2)
    assert sensor.measuring == configures_only_the_range


def test_the_virtual_sensor_stops_and_forgets() -> None:
    sensor = META.peripheral(ADDRESS)
    for write in META.start:
        sensor.write(write.uuid, write.value)
    assert sensor.write(COMMAND, b"\x19\x82") == (Notification(NOTIFY, bytes.fromhex("19820211")),)
    assert sensor.write(COMMAND, b"\x19\x83") == (Notification(NOTIFY, bytes.fromhex("198303")),)
    for write in META.stop[:1]:
        sensor.write(write.uuid, write.value)
    assert not sensor.measuring
    for write in META.stop[1:]:
        sensor.write(write.uuid, write.value)
    assert sensor.write(COMMAND, b"\x19\x83") == (Notification(NOTIFY, bytes.fromhex("198300")),)
    sensor.disconnected()
    assert sensor.write(COMMAND, b"\x19\x82") == ()


def test_the_virtual_sensor_shows_what_it_is() -> None:
    sensor = META.peripheral(ADDRESS)
    assert META.recognises(sensor.advertised)
    assert 3 + 2 + len(sensor.advertised.name) + 2 + 16 * len(sensor.advertised.services) <= 31
    assert META.battery(sensor.read(META.battery_uuid)) == (90, False)
    assert META.firmware(sensor.read(META.info_uuid)) == "1.5.0"
    assert {COMMAND, NOTIFY} < {end.uuid for end in sensor.endpoints}
    # Which modules there are, from the SDK's tests: a module that is not there tells nothing behind its head.
    assert sensor.write(COMMAND, b"\x19\x80")[0].value.hex() == "198000000300060002000100"
    assert sensor.write(COMMAND, b"\x18\x80")[0].value.hex() == "1880"
    for nonsense in (b"", b"\x19", b"\x19\x02", b"\x77\x01\x01"):
        assert sensor.write(COMMAND, nonsense) == ()
    for write in (*META.blink, *META.buzz):
        assert sensor.write(write.uuid, write.value) == ()
    assert not sensor.measuring
    assert sensor.write(NOTIFY, b"\x19\x80") == ()
