"""Seconds cut from arrivals: the same arrivals make the same messages; each sample is told of once."""

import numpy as np
from device_source import CountingSource
from hypothesis import given, settings
from hypothesis import strategies as st

from device.stream.assembler import Assembler
from device.stream.clock import Moment
from device.stream.ticks import WRAP
from device.stream.track import LastSample
from device.vendors import movella_dot_frames as movella_dot
from device.vendors import vendor_named
from device.vendors.base import Keeping, Notification, Samples
from poise.samples import SampleMessage, regular_times

DOT = vendor_named("movella_dot")
UTC0, HOST0 = 1_800_000_000_250_000, 7_000_000_000
SEGMENTS = {"a": "head", "b": "c7"}
Arrival = tuple[int, str, Notification]


def sent(samples: Samples) -> list[Notification]:
    return [Notification(movella_dot.MEDIUM_PAYLOAD, value) for value in movella_dot.encode(samples)]


def frames(segment: str, first: int, last: int) -> list[Notification]:
    ticks, acc, gyr = CountingSource().samples_by_index(segment, first, last)
    return sent(Samples(ticks % WRAP, acc, gyr))


def arrivals(seconds: int, *, lost: range = range(0), late: range = range(0)) -> list[Arrival]:
    """Two sensors; sensor b loses some samples and is late by 2 s with others, and doubles one in ten."""
    out: list[Arrival] = []
    random = np.random.default_rng(5)
    for sensor, segment in SEGMENTS.items():
        arrived = 0
        for i, raw in enumerate(frames(segment, 0, seconds * 60)):
            if sensor == "b" and i in lost:
                continue
            delay = 2_000_000 if sensor == "b" and i in late else int(random.exponential(8_000))
            arrived = max(arrived + 1, i * 1_000_000 // 60 + delay)
            out.append((arrived, sensor, raw))
            if sensor == "b" and i % 10 == 0:
                out.append((arrived + 1, sensor, raw))
    return sorted(out)


def assemble(stream: list[Arrival], calls: list[int]) -> list[SampleMessage]:
    """Feed a stream, with calls of `advance` after these counts of notifications."""
    assembler = Assembler("s")
    for sensor, segment in SEGMENTS.items():
        assembler.add(sensor, segment, DOT)
    messages, moment = [], Moment(HOST0, UTC0)
    for n, (arrived, sensor, raw) in enumerate(stream):
        moment = Moment(HOST0 + arrived, UTC0 + arrived)
        assembler.push(sensor, raw, moment)
        if n in calls:
            messages += assembler.advance(moment)
    messages += assembler.finish(moment)
    assert assembler.tracks["b"].counts.repeated > 0
    return messages


STREAM = arrivals(8, lost=range(200, 230), late=range(300, 330))
WHOLE = assemble(STREAM, [])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(STREAM) - 1), max_size=60))
def test_any_chunking_gives_the_same_messages(calls: list[int]) -> None:
    assert assemble(STREAM, calls) == WHOLE


def test_losses_repeats_and_late_samples_are_accounted_for() -> None:
    found = {"a": [], "b": []}
    for message in WHOLE:
        for batch in message.batches:
            found[batch.sensor] += batch.acc[:, 2].tolist()
            assert batch.t_us[0] // 1_000_000 == batch.t_us[-1] // 1_000_000
            regular = regular_times(int(batch.t_us[0]), batch.period_ns, len(batch))
            assert (regular == batch.t_us).all(), "no residuals on the wire"
    assert found["a"] == list(range(480))
    assert found["b"] == [i for i in range(480) if i not in range(200, 230)]
    (gap,) = [gap for message in WHOLE for gap in message.gaps]
    assert (gap.sensor, gap.count, gap.estimated, gap.reason) == ("b", 30, False, "radio")
    assert gap.to_us - gap.from_us == 31 * 16_667 or abs(gap.to_us - gap.from_us - 516_667) < 1_000


def test_a_late_sensor_is_not_waited_for_and_follows_with_the_next_message() -> None:
    starts = [[b.sensor for b in m.batches] for m in WHOLE]
    assert ["a"] in starts, "a second left without the late sensor"
    later = starts[starts.index(["a"]) + 1]
    assert later.count("b") >= 2, "the rest came with a later message"
    seconds = [int(b.t_us[0]) // 1_000_000 for m in WHOLE for b in m.batches if b.sensor == "b"]
    assert seconds == sorted(seconds)


def test_a_new_gateway_reports_exactly_what_it_missed() -> None:
    period, last_index = 1e6 / 60, 250
    for away in (3, 4300, 9000):  # s; the second and third are longer than a wrap of the clock
        first_index = last_index + 1 + away * 60
        last_tick = int(CountingSource().samples_by_index("c7", last_index, last_index + 1)[0][0])
        assembler = Assembler("new", last={"b": LastSample(last_tick, UTC0 + int(last_index * period))})
        assembler.add("b", "c7", DOT)
        for k, raw in enumerate(frames("c7", first_index, first_index + 180)):
            at = int((first_index + k) * period * (1 + 40e-6)) + 12_000
            moment = Moment(HOST0 + at, UTC0 + at)
            assembler.push("b", raw, moment)
        (gap,) = [gap for m in assembler.finish(moment) for gap in m.gaps]
        assert (gap.count, gap.estimated, gap.reason) == (away * 60, False, "gateway restarted")
        assert gap.from_us == UTC0 + int(last_index * period)


def test_values_out_of_range_are_flagged() -> None:
    assembler = Assembler("s")
    track = assembler.add("a", "head", DOT)
    acc, gyr = np.full((3, 3), 9.0), np.zeros((3, 3))
    acc[1, 0], gyr[2, 1] = 400.0, np.nan
    ticks = np.array([0, 16_667, 33_333])
    for k, raw in enumerate(sent(Samples(ticks, acc, gyr))):
        assembler.push("a", raw, Moment(HOST0 + k * 16_667, UTC0 + k * 16_667))
    assembler.push(
        "a", Notification(movella_dot.MEDIUM_PAYLOAD, b"rubbish"), Moment(HOST0 + 40_000, UTC0 + 40_000)
    )
    (message,) = assembler.finish(Moment(HOST0 + 50_000, UTC0 + 50_000))
    (batch,) = message.batches
    assert batch.flags is not None
    assert batch.flags.tolist() == [0, 1, 2]
    assert track.counts.damaged == 1


def test_what_a_sensor_kept_over_a_break_leaves_by_itself_and_with_its_own_times() -> None:
    """A Capture2Go is away from 10 to 40 s and then sends what it kept, beside a DOT that was never away."""
    vendor, assembler = vendor_named("capture2go"), Assembler("s")
    assembler.add("a", "head", DOT)
    assembler.add("b", "c7", vendor)
    assembler.watched = assembler.tracks["a"].watched = assembler.tracks["b"].watched = True
    sensor = vendor.peripheral("D4:22:CD:00:00:01")
    for write in vendor.start:
        sensor.write(write.uuid, write.value)
    messages: list[SampleMessage] = []
    freshest: list[int] = []
    for tenth in range(600):
        n = np.arange(tenth * 5, tenth * 5 + 5)
        taken = Samples(n * 20_000, np.zeros((5, 3)), np.zeros((5, 3)))
        moment = Moment(HOST0 + tenth * 100_000 + 99_000, UTC0 + tenth * 100_000 + 99_000)
        for raw in frames("head", tenth * 6, tenth * 6 + 6):
            assembler.push("a", raw, moment)
        if 100 <= tenth < 400 and isinstance(sensor, Keeping):
            sensor.keep(taken)
        else:
            if tenth == 400:
                assembler.linked("b", moment)
            for notification, _ in sensor.send(taken):
                assembler.push("b", notification, moment)
        messages += assembler.advance(moment)
        freshest += [moment.utc_us - int(batch.t_us[-1]) for batch in assembler.fresh()]
    messages += assembler.finish(moment)
    batches = [(m.kept, b) for m in messages for b in m.batches if b.sensor == "b"]
    in_order = sorted(batches, key=lambda pair: pair[1].first_tick)
    times = np.concatenate([batch.t_us for _, batch in in_order])
    kept = [batch for waited, batch in batches if waited]
    missing = sum(gap.count for m in messages for gap in m.gaps)
    assert len(times) + missing == 3000
    assert (np.diff(times) > 0).all()
    assert np.abs(np.diff(times)[np.diff(times) < 100_000] - 20_000).max() < 1_000, (
        "evenly, as they were taken"
    )
    assert sum(map(len, kept)) > 1000
    assert all(batch.sensor == "b" for m in messages if m.kept for batch in m.batches)
    assert max(freshest) < 5_000_000, "nothing that was kept is judged for a cue"
