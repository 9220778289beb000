"""The wire format against golden payloads, round trips and damage (docs/wire.md)."""

import contextlib
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from poise.errors import WireError
from poise.samples import Gap, ImuBatch, SampleMessage, Scale, regular_times
from poise.wire import MAX_BYTES, decode_samples, encode_samples

GOLDEN = Path(__file__).parent / "golden"
START_US = 1_790_000_000_000_000
SCALE = Scale(4_788_403, 1_065_264)


def ramp(n: int, first: int) -> np.ndarray:
    """Counts that anybody can compute: first, first + 1, … along the rows."""
    return (first + np.arange(3 * n)).reshape(n, 3).astype(np.int16)


def plain() -> SampleMessage:
    head = ImuBatch("D4:22:CD:00:00:01", "head", 5_000, 16_666_667, regular_times(START_US, 16_666_667, 4),
                    ramp(4, -2), ramp(4, 100), SCALE, calibration="c-1")  # fmt: skip
    return SampleMessage("0123456789abcdef", 7, (head,), origin="simulated")


def full() -> SampleMessage:
    times = regular_times(START_US, 20_000_000, 3) + np.array([0, -40, 300])
    c7 = ImuBatch("W-2", "left ear", 2**40, 20_000_000, times, ramp(3, -32767), ramp(3, 32759),
                  Scale(1, 2, 3), mag=ramp(3, 7), flags=np.array([0, 4, 9], np.uint8))  # fmt: skip
    gap = Gap("W-2", "left ear", START_US - 60_000, START_US, 2, True, "radio")
    return SampleMessage(
        "s", 2**40, (c7, replace(c7, sensor="W-3", mag=None, flags=None)), (gap,), 12, "worn"
    )


@pytest.mark.parametrize(("name", "message"), [("plain", plain()), ("full", full())])
def test_golden_payloads(name: str, message: SampleMessage) -> None:
    golden = bytes.fromhex((GOLDEN / f"{name}.hex").read_text())
    assert encode_samples(message) == golden
    assert decode_samples(golden) == message


def test_what_older_programs_left_out_is_read_as_exact_and_live() -> None:
    golden = bytes.fromhex((GOLDEN / "without_spread.hex").read_text())
    assert decode_samples(golden) == full()


def test_what_a_sensor_kept_is_said() -> None:
    message = replace(plain(), kept=True)
    assert decode_samples(encode_samples(message)) == message


def test_a_stranger_can_write_a_payload_from_the_document_alone() -> None:
    blocks = [["X1", "c7", 0, START_US, 20_000_000, None, 4_788_403, bytes(6), 1_065_264, bytes(6)]]
    payload = msgspec.msgpack.encode([1, "my session", 0, 0, "worn", blocks, []])
    assert decode_samples(payload).batches[0].acc.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(("rate", "limit"), [(50, 700), (60, 840)])
def test_a_block_of_one_second_is_compact(rate: int, limit: int) -> None:
    period = round(1e9 / rate)
    times = regular_times(START_US, period, rate)
    batch = ImuBatch("D4:22:CD:00:AB:01", "scapula_right", 2**33, period, times, ramp(rate, 0), ramp(rate, 9),
                     SCALE, calibration="c-12ab34cd")  # fmt: skip
    assert len(encode_samples(SampleMessage("0123456789abcdef", 40_000, (batch,) * 6))) / 6 < limit


counts = st.integers(-32768, 32767)


@st.composite
def batches(draw: st.DrawFn) -> ImuBatch:
    n = draw(st.integers(1, 12))
    vectors = hnp.arrays(np.int16, (n, 3), elements=counts)
    times = np.cumsum(draw(hnp.arrays(np.int64, n, elements=st.integers(1, 10**9))))
    return ImuBatch(
        draw(st.text("AB:01", min_size=1, max_size=17)),
        draw(st.sampled_from(["head", "c7", "left ear"])),
        draw(st.integers(0, 2**50)),
        draw(st.integers(1, 10**9)),
        times,
        draw(vectors),
        draw(vectors),
        Scale(*draw(st.tuples(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**9)))),
        draw(st.none() | vectors),
        draw(st.none() | hnp.arrays(np.uint8, n)),
        draw(st.text("c-09", max_size=8)),
    )


@given(st.lists(batches(), max_size=4), st.integers(0, 2**40))
def test_law_4_decoding_gives_back_what_was_encoded(parts: list[ImuBatch], sequence: int) -> None:
    message = SampleMessage("s", sequence, tuple(parts))
    assert decode_samples(encode_samples(message)) == message


@settings(max_examples=300)
@given(st.data())
def test_law_5_damaged_bytes_raise_only_the_codecs_error(data: st.DataObject) -> None:
    payload = bytearray(encode_samples(full()))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(payload) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                payload[at] = data.draw(st.integers(0, 255))
            case "cut":
                del payload[at:]
            case _:
                payload[at:at] = data.draw(st.binary(max_size=9))
        if not payload:
            break
    with contextlib.suppress(WireError):
        decode_samples(bytes(payload))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (b"hello", "malformed"),
        (bytes(MAX_BYTES + 1), "size"),
        (msgspec.msgpack.encode([2, "s", 0, 0, "worn", [], []]), "version"),
        (msgspec.msgpack.encode([1, "", 0, 0, "worn", [], []]), "range"),
        (msgspec.msgpack.encode([1, "s", 0, 1, "worn", [], []]), "range"),
        (b"\x91" * 5000, "malformed"),
    ],
)
def test_each_refusal_names_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as refused:
        decode_samples(payload)
    assert refused.value.reason == reason


def test_times_that_do_not_increase_are_refused() -> None:
    batch = plain().batches[0]
    backwards = replace(plain(), batches=(replace(batch, t_us=batch.t_us[::-1].copy()),))
    with pytest.raises(WireError, match="increase"):
        decode_samples(encode_samples(backwards))
