"""Polar bytes, literally, and both sensors against their virtual selves."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polar_helpers import H10, VERITY, part, started, wearing

from device.vendors.base import Advertised, Decoded, G, Notification, Samples
from device.vendors.polar import PolarH10, PolarVeritySense, control, frames
from device.vendors.polar.control import CONTROL, DATA
from device.vendors.polar.frames import ACC, COMPRESSED, GYRO, Frame
from device.vendors.polar.streams import WAIT_NS, Merger, Stamper
from poise.errors import DecodeError

# A packet of a Verity Sense, as somebody recorded it (polar-ble-sdk, issue 443): 1 + 10 + 47 samples.
RECORDED = bytes.fromhex(
    "0200416fc41245930a81ee021ffe82ff080a10da20d6a30bd9cbe7d6f6c4e6f1e1f3e0151afe281bf8372c25201319110a2f"
    "ed4fc07ef4e9bb6e800dc82fb03e14d1afb07f16c4cc2087340354128bff8d00c142fbe6d3dfb5e191532fbef9ed43b03efd"
    "db9b903df503605f7bfad9dfae000b2464704012cccfbf04e4c533b038084180efc212ec178146fdfe5bb001f3d1d76f81ff"
    "cd7b0fc20136607f43d35f3f3f78cb06484eff000efc820551ab55e34a2d1d0c5fbde858734dbdeba06751020cc47041ca26"
    "7fa0028919fe3f5f74e72244203f1566b0524d055ca41fbee96800"
)
OTHER_CHARACTERISTIC = "0000ffff-0000-1000-8000-00805f9b34fb"


def test_addresses_and_commands() -> None:
    assert VERITY.subscriptions == (
        "fb005c81-02e7-f387-1cad-8acd2d8df0c8",
        "fb005c82-02e7-f387-1cad-8acd2d8df0c8",
    )
    assert [write.value.hex(" ") for write in VERITY.start] == [
        "02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03",  # as in the issues
        "02 05 00 01 34 00 01 01 10 00 02 01 d0 07 04 01 03",
    ]
    assert [write.value.hex(" ") for write in H10.start] == ["02 02 00 01 32 00 01 01 10 00 02 01 08 00"]
    assert [write.value.hex() for write in VERITY.stop] == ["0302", "0305"]
    assert all(write.response for write in (*VERITY.start, *H10.start))
    assert VERITY.recognises(Advertised("Polar Sense 7AA6D321"))
    assert H10.recognises(Advertised("Polar H10 12345678"))
    assert not H10.recognises(Advertised("Polar H9 12345678"))
    assert VERITY.battery(b"\x37") == (55, False)
    assert H10.firmware(b"3.1.1\0") == "3.1.1"


def test_the_sdks_examples() -> None:
    raw = frames.decode(bytes.fromhex("02 0094357700000000 01 F7FFFFFFE703 F8FFFEFFE503"))
    assert raw.time_ns == 2_000_000_000
    assert raw.counts.tolist() == [[-9, -1, 999], [-8, -2, 997]]
    np.testing.assert_allclose(raw.values(7.0)[0], [-0.009 * G, -0.001 * G, 0.999 * G])  # raw is always mg
    packed = frames.decode(bytes.fromhex("02 6500000000000000 81 F1FF1400F003 06 01 7B0F08"))
    assert packed.counts.tolist() == [[-15, 20, 1008], [-20, 17, 1008]]
    grams = frames.decode(bytes.fromhex("02 0094357700000000 80 7107F06A9E8D 0A 01 BE5CBE3A"))
    assert grams.counts.tolist() == [[1905, 27376, -29282], [2095, 27271, -29367]]
    np.testing.assert_allclose(grams.values(2.44e-4)[0, 0], 1905 * 2.44e-4 * G)
    turn = frames.decode(bytes.fromhex("05 0094357700000000 80 EAFF08000D00 03 01 DF00"))
    assert turn.counts.tolist() == [[-22, 8, 13], [-23, 11, 16]]
    np.testing.assert_allclose(turn.values(0.5)[0], np.radians([-11, 4, 6.5]))


def test_angular_rates_as_floats() -> None:
    value = "05 0094357700000000 81 0000803F000020410000A041 1C 01 0000A001000008CDCCEC0D"
    got = frames.decode(bytes.fromhex(value)).values(0.5)
    second = struct.unpack(
        "<3f", struct.pack("<3I", 0x3F800000 + 0x1A00000, 0x41A00000, 0x41A00000 - 0x2133333)
    )
    np.testing.assert_allclose(got, 0.5 * np.radians([[1, 10, 20], second]), rtol=1e-12)


def test_raw_samples_of_one_and_three_bytes() -> None:
    assert frames.decode(bytes.fromhex("02 0094357700000000 00 FF7F80")).counts.tolist() == [[-1, 127, -128]]
    three = frames.decode(bytes.fromhex("02 0094357700000000 02 FFFFFF 0100FF 018000"))
    assert three.counts.tolist() == [[-1, -65535, 32769]]


def test_a_recorded_packet() -> None:
    assert len(RECORDED) == 227
    frame = frames.decode(RECORDED)
    assert (frame.measurement, frame.layout, len(frame.counts)) == (ACC, COMPRESSED | 1, 58)
    assert frame.time_ns == 0x0A934512C46F4100
    assert frame.counts[:3].tolist() == [[750, -481, -126], [766, -519, -94], [724, -612, -83]]
    # Somebody moved it by hand: within the range, and around 1 g.
    norms = np.linalg.norm(frame.counts, axis=1)
    assert norms.max() < 8000
    assert 700 < np.median(norms) < 1300
    assert len(frames.encode(frame)) <= len(RECORDED)


def test_a_frame_holds_what_fits() -> None:
    counts = np.cumsum(np.random.default_rng(3).integers(-90, 90, (500, 3)), axis=0)
    n = frames.fitting(counts)
    assert len(frames.encode(Frame(ACC, 0, COMPRESSED | 1, counts[:n]))) <= frames.FRAME_BYTES
    assert len(frames.encode(Frame(ACC, 0, COMPRESSED | 1, counts[: n + 1]))) > frames.FRAME_BYTES
    assert frames.fitting(np.tile([[-32768] * 3, [32767] * 3], (100, 1))) == 34
    assert frames.fitting(np.zeros((500, 3), np.int64)) == 191


_COUNT = st.integers(-32768, 32767)


@given(st.lists(st.tuples(_COUNT, _COUNT, _COUNT), min_size=1, max_size=300), st.integers(0, 2**62 - 1))
def test_encoding_is_the_inverse_of_decoding(rows: list[tuple[int, ...]], time_ns: int) -> None:
    counts = np.array(rows, np.int64)
    for measurement, layout in ((ACC, 1), (ACC, 2), (ACC, COMPRESSED | 1), (GYRO, COMPRESSED)):
        again = frames.decode(frames.encode(Frame(measurement, time_ns, layout, counts)))
        assert (again.measurement, again.time_ns, again.layout) == (measurement, time_ns, layout)
        np.testing.assert_array_equal(again.counts, counts)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "02 0094357700000000 01",  # no sample
        "02 0094357700000000 01 F7FFFFFFE7",  # cut off
        "02 0094357700000000 03 F7FFFFFFE703",  # a layout of no meaning
        "05 0094357700000000 01 F7FFFFFFE703",  # raw angular rates
        "00 0094357700000000 00 F7FFFFFFE703",  # heart
        "02 00943577000000F0 01 F7FFFFFFE703",  # a stamp of the year 2500
        "02 6500000000000000 81 F1FF1400",  # no first sample
        "02 6500000000000000 81 F1FF1400F003 06",  # half a head of a block
        "02 6500000000000000 81 F1FF1400F003 06 02 7B0F08",  # half a block
        "02 6500000000000000 81 F1FF1400F003 00 01",  # no bits
        "02 6500000000000000 81 F1FF1400F003 21 01" + "00" * 13,  # 33 bits
        "02 6500000000000000 81 F1FF1400F003 06 00",  # no samples
        "02 6500000000000000 81 FF7F1400F003 06 01 010000",  # beyond 16 bits
    ],
)
def test_what_is_not_a_frame_is_refused_and_counted(value: str) -> None:
    raw = bytes.fromhex(value)
    with pytest.raises(DecodeError):
        frames.decode(raw)
    assert H10.decoder().feed([Notification(DATA, raw)]).damaged == 1


def test_counts_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(DecodeError):
        frames.encode(Frame(ACC, 0, 1, np.array([[32768, 0, 0]])))
    with pytest.raises(DecodeError):
        frames.encode(Frame(GYRO, 0, COMPRESSED | 1, np.array([[1, 0, 0]])))


def test_times_are_spread_between_stamps() -> None:
    stamper = Stamper(20_000_000)
    assert stamper.times(10_000_000_000, 2).tolist() == [9_980_000_000, 10_000_000_000]  # nominal
    assert stamper.times(10_038_000_000, 2).tolist() == [10_019_000_000, 10_038_000_000]  # 5 % faster
    assert stamper.times(10_138_000_000, 2).tolist() == [10_118_000_000, 10_138_000_000]  # lost frames
    assert stamper.times(9_000_000_000, 2).tolist() == [8_980_000_000, 9_000_000_000]  # a clock set back


def test_angular_rates_are_interpolated_to_accelerations() -> None:
    merger, ms = Merger(20_000_000, alone=False), 1_000_000
    acc_ns = np.arange(10, 210, 20) * ms
    assert len(merger.accelerate(acc_ns, np.ones((10, 3))).ns) == 0
    gyr_ns = np.array([20, 40, 60, 120, 140]) * ms  # two are missing
    got = merger.rotate(gyr_ns, np.repeat(gyr_ns[:, None] / ms, 3, axis=1))
    assert (got.ns / ms).tolist() == [10, 30, 50, 70, 90, 110, 130]
    np.testing.assert_allclose(got.gyr[:, 0], [np.nan, 30, 50, np.nan, np.nan, np.nan, 130])
    late = merger.accelerate(acc_ns + WAIT_NS + 100 * ms, np.ones((10, 3)))
    assert (late.ns / ms).tolist() == [150, 170, 190]
    assert np.isnan(late.gyr).all()


def test_a_clock_that_jumps_back_costs_angular_rates_only() -> None:
    merger, ns = Merger(20_000_000, alone=False), 1_000_000_000 + np.arange(3) * 20_000_000
    merger.accelerate(ns, np.ones((3, 3)))
    assert merger.accelerate(ns - 500_000_000, np.ones((3, 3))).ns.tolist() == ns.tolist()
    assert len(merger.rotate(ns - 500_000_000, np.ones((3, 3))).ns) == 3


@pytest.mark.parametrize("portion", [1, 7, 10_000])
@pytest.mark.parametrize("vendor", [VERITY, H10], ids=lambda vendor: vendor.name)
def test_what_is_worn_comes_out(vendor: PolarVeritySense | PolarH10, portion: int) -> None:
    sensor, notifications = started(vendor)
    worn = wearing(1000, vendor.rate_hz)
    sent = [pair for at in range(0, 1000, 30) for pair in sensor.send(part(worn, at, at + 30))]
    notifications += [notification for notification, _ in sent]
    assert max(len(n.value) for n in notifications) <= frames.FRAME_BYTES
    got = fed(vendor, notifications, portion)
    assert got.damaged == 0
    n = len(got.samples)
    assert n == sum(count for _, count in sent)
    assert n > 800
    np.testing.assert_allclose(got.samples.tick_us, worn.tick_us[:n], rtol=0, atol=3)
    np.testing.assert_allclose(got.samples.acc, worn.acc[:n], atol=0.5001 * G / 1000)
    if vendor is H10:
        assert np.isnan(got.samples.gyr).all()
    else:
        np.testing.assert_allclose(got.samples.gyr, worn.gyr[:n], atol=0.51 * np.radians(0.07))
    assert (np.diff(got.of) >= 0).all()


def fed(vendor: PolarVeritySense | PolarH10, notifications: list[Notification], portion: int) -> Decoded:
    """Everything decoded in portions, as one."""
    decoder = vendor.decoder()
    parts = [
        (at, decoder.feed(notifications[at : at + portion])) for at in range(0, len(notifications), portion)
    ]
    return Decoded(
        Samples(
            np.concatenate([d.samples.tick_us for _, d in parts]),
            np.concatenate([d.samples.acc for _, d in parts]),
            np.concatenate([d.samples.gyr for _, d in parts]),
        ),
        np.concatenate([d.of + at for at, d in parts]),
        sum(d.damaged for _, d in parts),
    )


def test_a_lost_frame_is_a_gap_of_its_length() -> None:
    sensor, notifications = started(H10)
    worn = part(wearing(1000, 50.0), 0, 400)
    notifications += [notification for notification, _ in sensor.send(worn)]
    del notifications[5]
    got = fed(H10, notifications, 3).samples
    np.testing.assert_allclose(
        got.tick_us, np.delete(worn.tick_us, np.s_[144:180])[: len(got)], rtol=0, atol=3
    )


def test_a_sensor_held_still_keeps_its_angular_rates() -> None:
    sensor, notifications = started(VERITY)
    still = wearing(1000, 52.0)
    still = Samples(still.tick_us[:500], still.acc[:500], np.zeros((500, 3)))
    notifications += [notification for notification, _ in sensor.send(still)]
    got = fed(VERITY, notifications, 1).samples
    assert len(got) > 300
    assert not got.gyr.any()


def test_angular_rates_refused_or_ended_are_not_waited_for() -> None:
    sensor, answers = started(VERITY)
    acc = [n for n, _ in sensor.send(part(wearing(1000, 52.0), 0, 300)) if n.value[0] == ACC]
    refused = [answers[0], Notification(CONTROL, bytes.fromhex("f0020503"))]
    ended = [*answers, Notification(CONTROL, b"\x01\x05")]
    for before in (refused, ended):
        got = fed(VERITY, before + acc, 1).samples
        assert len(got) == sum(len(frames.decode(n.value).counts) for n in acc)
        assert np.isnan(got.gyr).all()
    assert len(fed(VERITY, answers + acc[:1], 1).samples) == 0


def test_a_factor_is_learnt_and_forgotten() -> None:
    value = Notification(DATA, bytes.fromhex("02 0094357700000000 80 E8030000E803"))
    told = Notification(CONTROL, bytes.fromhex("f0 02 02 00 00 05 01 6ddd7f39"))
    decoder = H10.decoder()
    np.testing.assert_allclose(decoder.feed([value]).samples.acc[0, 0], 1000 * G)
    factor = np.frombuffer(bytes.fromhex("6ddd7f39"), "<f4")[0]
    np.testing.assert_allclose(decoder.feed([told, value]).samples.acc[0, 0], 1000 * G * factor)
    without = Notification(CONTROL, bytes.fromhex("f002020000"))
    np.testing.assert_allclose(decoder.feed([without, value]).samples.acc[0, 0], 1000 * G)


@pytest.mark.parametrize("answer", ["", "f0", "f00202", "0f05", "f002020000 0501", "f002020000 05010000c07f"])
def test_a_strange_answer_is_counted(answer: str) -> None:
    assert VERITY.decoder().feed([Notification(CONTROL, bytes.fromhex(answer))]).damaged == 1


def test_other_characteristics_are_none_of_the_decoders_business() -> None:
    got = VERITY.decoder().feed([Notification(OTHER_CHARACTERISTIC, b"\x01")])
    assert (len(got.samples), got.damaged) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from([CONTROL, DATA]), st.binary(max_size=40)), max_size=10))
def test_any_bytes_are_read_or_counted(values: list[tuple[str, bytes]]) -> None:
    decoded = VERITY.decoder().feed([Notification(*value) for value in values])
    assert decoded.damaged <= len(values)
    assert len(decoded.of) == len(decoded.samples)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_damaged_streams_give_the_same_in_any_portions(seed: int, portion: int) -> None:
    sensor, notifications = started(VERITY)
    notifications += [notification for notification, _ in sensor.send(wearing(1000, 52.0))]
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(notifications), 8).tolist():
        uuid, value = notifications[at]
        broken = bytearray(value)
        broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
        notifications[at] = Notification(uuid, bytes(broken[: rng.integers(1, 2 * len(broken))]))
    whole, parts = fed(VERITY, notifications, 10_000), fed(VERITY, notifications, portion)
    np.testing.assert_array_equal(whole.samples.tick_us, parts.samples.tick_us)
    np.testing.assert_array_equal(whole.samples.acc, parts.samples.acc)
    np.testing.assert_array_equal(whole.samples.gyr, parts.samples.gyr)
    assert (whole.of.tolist(), whole.damaged) == (parts.of.tolist(), parts.damaged)


def test_settings_are_read_as_written() -> None:
    settings = {0: [25, 50], 1: [16], 3: [70_000], 4: [3], 5: [0x3F800000]}
    assert control.unpack(control.pack(settings)) == settings
