"""Poise Open Profile: the bytes of its document, literally."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import open_profile as op
from device.vendors.base import Advertised, Decoded, Decoder, G, Notification, Samples
from poise.errors import DecodeError
from poise.samples import quantise

DOCUMENT = (Path(__file__).parents[2] / "docs" / "open-profile.md").read_text()
VENDOR = op.OpenProfile()
# number 250, tick 5 s, acc (0, -0.5, 1) g, gyr (125, -250, 0) °/s
ONE = bytes.fromhex("11 fa00 404b4c00 0000 00fc 0008 0008 00f0 0000 d4")
# numbers 251 and 252; in the second y is beyond the range and no rate is known
TWO = bytes.fromhex(
    "11 fb00 60994c00 0000 00fc 0008 0000 0000 0000 33ff ff7f 0008 0080 0080 0080 9c".replace(" ", "")
)


def fed(decoder: Decoder, *values: bytes) -> Decoded:
    return decoder.feed([Notification(op.SAMPLES, value) for value in values])


def ramp(n: int, first_tick: int = 0) -> Samples:
    ticks = first_tick + op.PERIOD_US * np.arange(n, dtype=np.int64)
    counts = np.arange(6 * n).reshape(n, 6) % 30_000
    return Samples(ticks, counts[:, :3] * op.ACC_UNIT, counts[:, 3:] * op.GYR_UNIT)


def same(a: Samples, b: Samples) -> None:
    assert (a.tick_us == b.tick_us % op.WRAP_US).all()
    np.testing.assert_allclose(a.acc, b.acc, atol=op.ACC_UNIT / 2 * 1.001)
    np.testing.assert_allclose(a.gyr, b.gyr, atol=op.GYR_UNIT / 2 * 1.001)


def test_the_document_holds_these_bytes() -> None:
    blocks = {bytes.fromhex(line) for line in re.findall(r"^11(?: [0-9a-f]{2})+$", DOCUMENT, re.MULTILINE)}
    assert blocks == {ONE, TWO}
    for number in (op.SERVICE, op.INFO, op.CONTROL, op.SAMPLES):
        assert f"`{number[4:8]}`" in DOCUMENT
    assert op.SERVICE.replace("0001", "xxxx", 1) in DOCUMENT
    assert "`01 06 03 00 08 00 e8 03`" in DOCUMENT
    assert op.info([50, 100], led=True, haptic=True, acc_g=8, gyr_dps=1000).hex() == "010603000800e803"
    for command in (op.START, op.BLINK, op.BUZZ):
        assert f"`{command.hex(' ')}`" in DOCUMENT


def test_a_literal_notification_of_one_sample_fits_20_bytes() -> None:
    assert len(ONE) == 20
    samples = op.decode([ONE])
    assert samples.tick_us.tolist() == [5_000_000]
    np.testing.assert_allclose(samples.acc, [[0, -0.5 * G, G]])
    np.testing.assert_allclose(samples.gyr, np.radians([[125, -250, 0]]))
    assert op.encode(samples, 250) == ONE


def test_a_literal_notification_of_two_samples_flags_what_is_clipped_or_unknown() -> None:
    samples = op.decode([TWO])
    assert samples.tick_us.tolist() == [5_020_000, 5_040_000]
    np.testing.assert_allclose(samples.acc, [[0, -0.5 * G, G], [-205 / 2048 * G, np.inf, G]])
    assert np.isnan(samples.gyr[1]).all()
    counts, flagged = quantise(samples.acc, VENDOR.scale.acc_nano)
    assert counts.tolist() == [[0, -1024, 2048], [-205, 32767, 2048]]
    assert flagged.tolist() == [False, True]
    assert quantise(samples.gyr, VENDOR.scale.gyr_nano)[1].tolist() == [False, True]
    assert op.encode(samples, 251) == TWO


def test_the_crc_is_the_one_of_the_document() -> None:
    assert op.crc8(b"123456789") == 0xFB
    assert op.crc8(b"") == 0xFF


def test_every_count_survives_quantising() -> None:
    counts = np.repeat(np.arange(-32766, 32767)[:, None], 3, axis=1)
    assert (quantise(counts * op.ACC_UNIT, VENDOR.scale.acc_nano)[0] == counts).all()
    assert (quantise(counts * op.GYR_UNIT, VENDOR.scale.gyr_nano)[0] == counts).all()


def test_addresses_and_commands() -> None:
    assert VENDOR.recognises(Advertised("any name", frozenset({op.SERVICE})))
    assert not VENDOR.recognises(Advertised("Poise Open Profile"))
    assert [(w.uuid[:8], w.value.hex()) for w in VENDOR.start + VENDOR.stop] == [
        ("6c500003", "0101"),
        ("6c500003", "02"),
    ]
    assert VENDOR.battery(b"\x40") == (64, False)
    assert VENDOR.firmware(b"2.1\0") == "2.1"


def test_damage_does_not_cost_its_neighbours() -> None:
    other_rate = bytearray(TWO[:-1])
    other_rate[0] = 0x12
    wrong = [b"", ONE[:-1], ONE[:-1] + b"\0", TWO[:30], bytes(other_rate) + bytes([op.crc8(other_rate)])]
    decoded = fed(VENDOR.decoder(), ONE, *wrong, TWO)
    assert decoded.of.tolist() == [0, 6, 6]
    assert decoded.damaged == len(wrong)
    with pytest.raises(DecodeError):
        op.decode([ONE, wrong[1]])


def test_other_characteristics_are_not_samples() -> None:
    decoded = VENDOR.decoder().feed([Notification(op.INFO, ONE), Notification(op.SAMPLES, ONE)])
    assert (decoded.of.tolist(), decoded.damaged) == ([1], 0)


@pytest.mark.parametrize("gap", [0, 1, 500, 70_000])
@pytest.mark.parametrize("off_us", [-5_000, 0, 5_000])
def test_a_gap_of_which_number_and_tick_agree_is_no_damage(gap: int, off_us: int) -> None:
    first, after = ramp(2, 4_294_900_000), ramp(2, 4_294_900_000 + (2 + gap) * op.PERIOD_US + off_us)
    decoded = fed(VENDOR.decoder(), op.encode(first, 65_535), op.encode(after, 65_537 + gap))
    assert decoded.damaged == 0
    assert decoded.samples.tick_us.tolist() == [*first.tick_us % 2**32, *after.tick_us % 2**32]


def test_the_same_notification_again_is_no_damage() -> None:
    decoded = fed(VENDOR.decoder(), ONE, ONE, TWO, ONE, TWO)
    assert (decoded.damaged, len(decoded.samples)) == (0, 7)


@pytest.mark.parametrize(("number", "ticks"), [(3, 60_000), (2, 60_000), (2, 45_100), (2, -40_000)])
def test_a_contradiction_costs_one_notification(number: int, ticks: int) -> None:
    first, second, third = ramp(2, 100_000), ramp(2, 100_000 + ticks), ramp(2, 100_000 + ticks + 40_000)
    agree = (number, ticks) == (3, 60_000)
    decoded = fed(
        VENDOR.decoder(), op.encode(first, 0), op.encode(second, number), op.encode(third, number + 2)
    )
    assert decoded.damaged == (not agree)
    assert decoded.of.tolist() == ([0, 0, 1, 1, 2, 2] if agree else [0, 0, 2, 2])


def test_a_virtual_sensor_does_what_it_is_told() -> None:
    sensor = VENDOR.peripheral("C0:00:00:00:00:01")
    assert VENDOR.recognises(sensor.advertised)
    for refused in (b"", b"\x01", b"\x01\x02", b"\x02\x00", b"\x05", b"\x04\x01\x01"):
        with pytest.raises(DecodeError):
            sensor.write(op.CONTROL, refused)
    assert not sensor.measuring
    for write in VENDOR.start + VENDOR.blink + VENDOR.buzz:
        assert sensor.write(write.uuid, write.value) == ()
    assert sensor.measuring
    sensor.write(op.CONTROL, op.STOP)
    assert not sensor.measuring
    assert VENDOR.battery(sensor.read(VENDOR.battery_uuid)) == (90, False)
    assert VENDOR.firmware(sensor.read(VENDOR.info_uuid)) == "1.0.0"
    assert sensor.read(op.INFO).hex() == "010203001000d007"
    assert {e.uuid for e in sensor.endpoints} >= {
        op.SAMPLES,
        op.CONTROL,
        VENDOR.battery_uuid,
        VENDOR.info_uuid,
    }


@given(st.lists(st.integers(1, 40), max_size=12), st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_what_a_virtual_sensor_sends_comes_out_in_any_portions(handed: list[int], fed_by: list[int]) -> None:
    sensor, rng = VENDOR.peripheral(""), np.random.default_rng(7)
    for write in VENDOR.start:
        sensor.write(write.uuid, write.value)
    tick, sent, whole = 2**32 - 1_000_003, [], [ramp(0)]
    for n in handed:
        part = ramp(n, tick)
        tick += (n + int(rng.integers(0, 3) == 0) * 77) * op.PERIOD_US
        sent += sensor.send(part)
        whole.append(part)
    decoder, at = VENDOR.decoder(), 0
    decoded = [decoder.feed([])]
    while at < len(sent):
        by = fed_by[at % len(fed_by)]
        decoded.append(decoder.feed([notification for notification, _ in sent[at : at + by]]))
        at += by
    assert not any(d.damaged for d in decoded)
    for name in ("tick_us", "acc", "gyr"):
        out = np.concatenate([getattr(d.samples, name) for d in decoded])
        into = np.concatenate([getattr(part, name) for part in whole])[: len(out)]
        np.testing.assert_allclose(out, into % 2**32 if name == "tick_us" else into, atol=1e-9)
    completed = sum(n for _, n in sent)
    assert completed == sum(len(d.samples) for d in decoded)
    assert sum(handed) - completed < op.GROUP


def test_a_thousand_samples_with_a_gap() -> None:
    sensor, first, second = VENDOR.peripheral(""), ramp(500), ramp(500, 17 * 60 * 50 * op.PERIOD_US)
    sent = [*sensor.send(first), *sensor.send(second)]
    decoded = VENDOR.decoder().feed([notification for notification, _ in sent])
    assert max(len(notification.value) for notification, _ in sent) == 68
    same(
        decoded.samples,
        Samples(*(np.concatenate(p) for p in zip(_parts(first), _parts(second), strict=True))),
    )
    assert decoded.damaged == 0


def _parts(samples: Samples) -> tuple[np.ndarray, ...]:
    return samples.tick_us, samples.acc, samples.gyr


def test_numbers_run_on_over_a_disconnection_and_what_was_kept_is_forgotten() -> None:
    sensor = VENDOR.peripheral("")
    sensor.write(op.CONTROL, op.START)
    (first, n), *_ = sensor.send(ramp(7))
    assert n == 5
    sensor.disconnected()
    assert not sensor.measuring
    ((later, n),) = sensor.send(ramp(5, 100 * op.PERIOD_US))
    assert (op.head(first.value).number, op.head(later.value).number, n) == (0, 100, 5)


@given(st.lists(st.binary(max_size=60) | st.binary(min_size=20, max_size=20), max_size=8))
def test_any_bytes_give_samples_or_are_counted(values: list[bytes]) -> None:
    decoded = fed(VENDOR.decoder(), *values)
    assert len(decoded.samples) == len(decoded.of)
    assert decoded.damaged + len(set(decoded.of.tolist())) == len(values)


@given(
    st.integers(0, 2**40),
    st.sampled_from(op.RATES_HZ),
    st.lists(st.tuples(*[st.floats(-156, 156)] * 3, *[st.floats(-34, 34)] * 3), min_size=1, max_size=19),
)
def test_encoding_is_the_inverse_of_decoding(tick: int, rate_hz: int, rows: list[tuple[float, ...]]) -> None:
    values = np.array(rows)
    ticks = tick + 1_000_000 // rate_hz * np.arange(len(rows))
    samples = Samples(ticks, values[:, :3], values[:, 3:])
    raw = op.encode(samples, tick, rate_hz)
    same(op.decode([raw]), samples)
    assert op.encode(op.decode([raw]), tick, rate_hz) == raw
