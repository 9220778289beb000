"""WitMotion bytes, literally."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import witmotion as wit
from device.vendors.base import Advertised, Decoded, G, Notification, Samples
from poise.errors import DecodeError
from poise.samples import quantise

VENDOR = wit.WitMotion()
# acc (0, -0.5, 1) g, gyr (125, -250, 0) °/s, angles (45, -90, 0)°
FRAME = bytes.fromhex("5561 0000 00fc 0008 0008 00f0 0000 0020 00c0 0000")
# register 0x64: 3.94 V
BATTERY = bytes.fromhex("5571 6400 8a01 0000 0000 0000 0000 0000 0000 0000")


def notified(*values: bytes) -> list[Notification]:
    return [Notification(wit.NOTIFY, value) for value in values]


def fed(*values: bytes) -> Decoded:
    return VENDOR.decoder().feed(notified(*values))


def frames(n: int) -> list[bytes]:
    counts = np.random.default_rng(n).integers(-32768, 32768, (n, 6))
    return wit.encode(
        Samples(np.zeros(n, np.int64), counts[:, :3] * wit.ACC_UNIT, counts[:, 3:] * wit.GYR_UNIT)
    )


def test_a_literal_frame() -> None:
    samples = fed(FRAME).samples
    assert samples.tick_us.tolist() == [0]
    np.testing.assert_allclose(samples.acc, [[0, -0.5 * G, G]])
    np.testing.assert_allclose(samples.gyr, np.radians([[125, -250, 0]]))
    assert wit.encode(samples) == [FRAME[:14] + bytes(6)]


def test_addresses_and_commands() -> None:
    assert wit.SERVICE == "0000ffe5-0000-1000-8000-00805f9a34fb"
    assert VENDOR.subscriptions == ("0000ffe4-0000-1000-8000-00805f9a34fb",)
    assert [(w.uuid[4:8], w.value.hex(), w.response) for w in VENDOR.start] == [
        ("ffe9", "ffaa6988b5", False),
        ("ffe9", "ffaa030800", False),
    ]
    assert VENDOR.battery_request.value.hex() == "ffaa276400"
    assert VENDOR.recognises(Advertised("WT901BLE67"))
    for name in ("WTVB01-BT50", "", "HWT901B"):
        assert not VENDOR.recognises(Advertised(name))
    assert VENDOR.firmware(b"") == ""
    with pytest.raises(DecodeError):
        VENDOR.battery(b"\x50")


@pytest.mark.parametrize(
    ("centivolts", "percent"),
    [
        (420, 100),
        (397, 100),
        (396, 90),
        (394, 90),
        (380, 50),
        (341, 5),
        (340, 0),
        (300, 0),
        (0, None),
        (-5, None),
    ],
)
def test_volts_become_per_cent_as_in_the_makers_table(centivolts: int, percent: int | None) -> None:
    frame = wit.answer(0x64, [centivolts % 65536, *[0] * 7])
    assert fed(frame).battery_percent == percent


def test_the_battery_is_told_among_samples() -> None:
    decoded = fed(FRAME, BATTERY, FRAME + BATTERY[:10], BATTERY[10:] + FRAME, wit.answer(0x3A, range(8)))
    assert (decoded.battery_percent, decoded.charging) == (90, None)
    assert (decoded.of.tolist(), decoded.damaged) == ([0, 2, 3], 0)


def test_frames_may_be_several_in_a_notification_or_split_over_some() -> None:
    stream = b"".join(frames(60))
    for size in (1, 7, 19, 20, 21, 60, 244):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        decoded = fed(*pieces)
        assert wit.encode(decoded.samples) == frames(60)
        assert (decoded.damaged, len(decoded.of)) == (0, 60)
        assert decoded.of.tolist() == [(20 * i + 19) // size for i in range(60)]


def test_it_finds_the_next_frame_after_garbage_and_counts_once() -> None:
    for garbage in (b"\x00", b"\x55", b"\x55\x61", b"\x55\x51" + bytes(9), FRAME[:19], b"\x55\x61" * 7):
        decoded = fed(FRAME, garbage + FRAME, FRAME)
        assert decoded.of.tolist() == [0, 1, 2]
        assert decoded.damaged == 1
        np.testing.assert_array_equal(decoded.samples.acc, np.tile(decoded.samples.acc[0], (3, 1)))


def test_a_lost_half_costs_one_frame() -> None:
    a, b, c, d = frames(4)
    decoded = fed(a[:12], a[12:], b[:12], c[:12], c[12:], d[:12], d[12:])
    assert wit.encode(decoded.samples) == [a, c, d]
    assert decoded.damaged == 1


@pytest.mark.parametrize("size", [28, 30])
def test_the_vibration_sensors_longer_frames_are_no_samples(size: int) -> None:
    longer = (wit.SAMPLE + bytes(range(1, 29)))[:size]
    decoded = fed(longer, longer, longer)
    assert (len(decoded.samples), decoded.damaged) == (0, 3)


def test_a_virtual_sensor_obeys_and_answers() -> None:
    sensor = VENDOR.peripheral("D0:00:00:00:00:01")
    assert VENDOR.recognises(sensor.advertised)
    assert not sensor.measuring
    for ignored in (wit.SET_50_HZ, b"", b"\xff\xaa\x03", b"\x00\xaa\x03\x08\x00"):
        assert sensor.write(wit.WRITE, ignored) == ()
    assert not sensor.measuring  # it was locked
    for write in VENDOR.start:
        assert sensor.write(write.uuid, write.value) == ()
    assert sensor.measuring
    sensor.disconnected()
    assert sensor.measuring  # the rate stays until it is switched off
    sensor.write(wit.WRITE, wit.command(wit.RATE_REGISTER, wit.RATE_10_HZ))
    assert sensor.measuring  # locked again
    ((uuid, value),) = sensor.write(wit.WRITE, wit.READ_BATTERY)
    assert (uuid, value) == (wit.NOTIFY, BATTERY)
    ((_, value),) = sensor.write(wit.WRITE, wit.command(wit.READ_REGISTER, 0))
    assert value == bytes.fromhex("5571 0000 0000 0000 0000 0800 0000 0000 0000 0000")
    with pytest.raises(KeyError):
        sensor.read(wit.NOTIFY)
    for percent in range(101):
        sensor.battery_percent = percent
        told = fed(*[n.value for n in sensor.write(wit.WRITE, wit.READ_BATTERY)]).battery_percent
        assert told is not None
        assert told <= percent


def test_a_thousand_samples_with_a_gap_come_out_in_any_portions() -> None:
    counts = np.random.default_rng(1).integers(-32768, 32768, (1000, 6))
    ticks = np.arange(1000) * 20_000 + 5_000_000 * (np.arange(1000) > 400)
    samples = Samples(ticks, counts[:, :3] * wit.ACC_UNIT, counts[:, 3:] * wit.GYR_UNIT)
    sent = VENDOR.peripheral("").send(samples)
    assert [n for _, n in sent] == [1] * 1000
    for portion in (1, 7, 1000):
        decoder = VENDOR.decoder()
        parts = [
            decoder.feed([notification for notification, _ in sent[at : at + portion]])
            for at in range(0, 1000, portion)
        ]
        np.testing.assert_allclose(np.concatenate([p.samples.acc for p in parts]), samples.acc, rtol=1e-12)
        np.testing.assert_allclose(np.concatenate([p.samples.gyr for p in parts]), samples.gyr, rtol=1e-12)
        assert not any(p.damaged for p in parts)


@given(
    st.lists(
        st.binary(max_size=50)
        | st.sampled_from([FRAME, BATTERY, FRAME[:9], FRAME[9:], b"\x55", b"\x61", FRAME + FRAME]),
        max_size=12,
    ),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_any_bytes_in_any_portions_give_the_same(values: list[bytes], cuts: list[int]) -> None:
    whole = fed(*values)
    decoder, parts, at = VENDOR.decoder(), [], 0
    for cut in [*sorted(cuts), len(values)]:
        parts.append(decoder.feed(notified(*values[at:cut])))
        at = max(at, cut)
    assert sum(part.damaged for part in parts) == whole.damaged
    np.testing.assert_array_equal(np.concatenate([p.samples.acc for p in parts]), whole.samples.acc)
    told = [p.battery_percent for p in parts if p.battery_percent is not None]
    assert (told[-1] if told else None) == whole.battery_percent
    assert (np.diff(whole.of) >= 0).all()


def test_other_characteristics_and_wrong_frames() -> None:
    assert len(VENDOR.decoder().feed([Notification(wit.WRITE, FRAME)]).samples) == 0
    for wrong in (FRAME[:-1], BATTERY, b""):
        with pytest.raises(DecodeError):
            wit.decode([FRAME, wrong])


@given(st.lists(st.tuples(*[st.floats(-156.9, 156.9)] * 3, *[st.floats(-34.9, 34.9)] * 3), max_size=6))
def test_encoding_is_the_inverse_of_decoding(rows: list[tuple[float, ...]]) -> None:
    values = np.array(rows).reshape(-1, 6)
    raw = wit.encode(Samples(np.zeros(len(rows), np.int64), values[:, :3], values[:, 3:]))
    samples = wit.decode(raw)
    np.testing.assert_allclose(samples.acc, values[:, :3], atol=0.501 * wit.ACC_UNIT)
    np.testing.assert_allclose(samples.gyr, values[:, 3:], atol=0.501 * wit.GYR_UNIT)
    assert wit.encode(samples) == raw
    counts, _ = quantise(samples.acc, VENDOR.scale.acc_nano)
    np.testing.assert_allclose(counts * wit.ACC_UNIT, samples.acc, atol=1e-9)
