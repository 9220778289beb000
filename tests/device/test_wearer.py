"""Scripts, seeds, clocks and truth of the virtual wearer."""

import numpy as np
import pytest

from device.wearer import (
    BUILT_IN,
    DEFAULT_SEGMENTS,
    SCALE,
    Act,
    Truth,
    Wearer,
    load_script,
    parse_script,
)
from device.wearer.sensor import BLOCK
from poise.errors import ConfigurationError
from poise.results import Kind
from poise.wire import decode_samples, encode_samples


def test_a_script_is_read_as_it_is_spoken():
    script = parse_script(
        """
        # remarks and empty lines do not matter
        calibration
        Forward head  45 s, over 6 s, by 18 deg
        repeat from here
        rounded shoulders right 1.5 min by 16°
        phone for 20 seconds
        """
    )
    assert script.repeat_from == 2
    assert script.length_s is None
    assert script.acts == (
        Act("calibration", 16, line=3),
        Act("forward_head", 45, 18, "", 6, 4),
        Act("rounded_shoulder", 90, 16, "right", None, 6),
        Act("looking_down", 20, line=7),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("upright 5 s\nfroward head 20 s", "line 2.*did you mean 'forward head'"),
        ("upright 5 s\n\njuggle 20 s", "line 3.*cannot be understood; known are: upright"),
        ("upright", "line 1: how long"),
        ("upright 0.2 s", "line 1: 'upright' takes from 1 s"),
        ("forward head 20 s by 90 deg", "line 1: 'forward head' goes up to 45"),
        ("forward head 20 s over 30 s", "line 1: 'over' must be"),
        ("slouch left 20 s", "line 1: 'slouch' takes no side"),
        ("forward head 20 s 30 s", "line 1.*cannot be understood"),
        ("upright 5 s\nstand 2 s", "line 2: getting there from sitting takes 3 s; give 'stand' 4 s"),
        ("upright 9 s\nrepeat from here\nupright 2 s\nwalk 20 s", "line 3: getting there from standing"),
        ("repeat from here\nupright 5 s\nrepeat from here", "line 3.*only once"),
        ("upright 5 s\nrepeat from here", "needs an act after it"),
        ("# nothing", "at least one act"),
    ],
)
def test_what_a_script_cannot_say_is_answered_with_its_line(text, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        parse_script(text)


def test_a_script_comes_from_a_file_too(tmp_path):
    path = tmp_path / "monday.txt"
    path.write_text("upright 5 s\nslooch 3 s\n")
    with pytest.raises(ConfigurationError, match=r"monday.txt, line 2: .*'slouch'"):
        load_script(path)
    with pytest.raises(ConfigurationError, match="one of: desk, distractors, short"):
        load_script(tmp_path / "absent.txt")
    path.write_text("slouch 30 s")
    assert Wearer(path).length_s == 30


@pytest.mark.parametrize(
    "wrong",
    [{"segments": ["tail"]}, {"segments": []}, {"segments": ["t4", "t4"]}, {"rate_hz": 0}, {"seed": -1}],
)
def test_what_cannot_be_worn_is_refused_with_a_sentence(wrong):
    with pytest.raises(ConfigurationError):
        Wearer("short", **wrong)


def test_the_same_seed_gives_the_same_bits_however_they_are_asked_for():
    one, other = Wearer("desk", 11), Wearer("desk", 11)
    sensor = other.sensors["head"]
    whole = one.samples("head", 0, 60)
    sensor.samples_by_index(50 * BLOCK, 50 * BLOCK + 3)
    pieces, i = [], 0
    for n in (1, 7, 960, 300, BLOCK, 5, 2 * BLOCK):
        pieces.append(sensor.samples_by_index(i, min(i + n, len(whole))))
        i = min(i + n, len(whole))
    for name in ("tick_us", "true_ns", "acc", "gyr"):
        joined = np.concatenate([getattr(p, name) for p in pieces])
        assert joined.tobytes() == getattr(whole, name).tobytes()
    tick, acc, gyr = other.samples_by_index("head", 100, 104)
    assert tick.tolist() == whole.tick_us[100:104].tolist()
    assert (acc.tobytes(), gyr.tobytes()) == (whole.acc[100:104].tobytes(), whole.gyr[100:104].tobytes())
    seconds = [b["head"].acc for b in other.blocks(0.37, 0, 60)]
    assert np.concatenate(seconds).tobytes() == whole.acc.tobytes()
    assert len(sensor.samples_by_index(5, 5)) == 0
    assert not np.array_equal(Wearer("desk", 12).samples("head", 0, 60).acc[:100], whole.acc[:100])


def test_another_mounting_changes_the_sensors_axes_and_nothing_else():
    one = Wearer("short", 4, perfect_sensors=True)
    other = Wearer("short", 4, perfect_sensors=True, mounting_seed=99)
    a, b = one.samples("c7", 0, 30), other.samples("c7", 0, 30)
    assert not np.allclose(a.acc, b.acc, atol=0.5)
    assert np.linalg.norm(a.acc, axis=1) == pytest.approx(np.linalg.norm(b.acc, axis=1), abs=1e-9)
    assert one.truth().sagittal["c7"].tobytes() == other.truth().sagittal["c7"].tobytes()


def test_each_sensor_keeps_its_own_time():
    wearer = Wearer("desk", 2)
    starts, rates = set(), set()
    for name in DEFAULT_SEGMENTS:
        sensor = wearer.sensors[name]
        samples = wearer.samples(name, 0, 120)
        assert np.unique(np.diff(samples.tick_us)).tolist() == [16666, 16667]
        ticked, passed = np.ptp(samples.tick_us), np.ptp(samples.true_ns) / 1000
        assert (ticked / passed - 1) * 1e6 == pytest.approx(sensor.imperfections.clock_ppm, abs=0.3)
        assert 0 <= samples.true_ns[0] < sensor.period_ns
        starts.add(int(samples.tick_us[0]))
        rates.add(sensor.period_ns)
    assert len(starts) == len(rates) == len(DEFAULT_SEGMENTS)


def test_messages_are_whole_seconds_that_survive_the_wire():
    wearer, start_us = Wearer("short", 6), 1_790_000_000_000_000
    messages = list(wearer.to_messages(start_us, "session-1"))
    assert [m.sequence for m in messages] == list(range(90))
    assert {m.origin for m in messages} == {"simulated"}
    for message in messages[::10]:
        assert decode_samples(encode_samples(message)) == message
    for i, name in enumerate(DEFAULT_SEGMENTS):
        t_us = np.concatenate([m.batches[i].t_us for m in messages])
        assert {m.batches[i].segment for m in messages} == {name}
        assert 5399 <= len(t_us) <= 5401
        assert np.ptp(np.diff(t_us)) <= 2
        for message in messages[::10]:
            second = start_us + message.sequence * 1_000_000
            assert second <= message.batches[i].t_us[0] < second + 17_000
    raw = wearer.samples("t4", 30, 31)
    batch = messages[30].batches[2]
    assert np.abs(batch.acc_si - raw.acc).max() <= SCALE.acc_nano * 1e-9
    assert np.abs(batch.gyr_si - raw.gyr).max() <= SCALE.gyr_nano * 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_the_demonstration_holds_the_episodes_it_promises(seed):
    first = Wearer("desk", seed).truth(118).episodes()
    assert [e.kind for e in first] == [Kind.FORWARD_HEAD, Kind.ROUNDED_SHOULDER_RIGHT]
    assert 28 < first[0].start_s < 34
    assert first[0].seconds >= 25
    short = Wearer("short", seed).truth().episodes()
    assert [e.kind for e in short] == [Kind.FORWARD_HEAD, Kind.ROUNDED_SHOULDER_RIGHT]
    assert short[0].start_s < 24.5
    assert short[0].end_s < 60
    assert not Wearer("distractors", seed).truth().episodes()
    assert {s.kind for s in Wearer("distractors", seed).truth().stretches} >= {Kind.HIP_LEAN}


def test_the_demonstration_goes_on_with_variation_and_every_kind_comes_up():
    truth = Wearer("desk", 1).truth(3600)
    kinds = [e.kind for e in truth.episodes()]
    assert set(kinds) == set(Kind)
    slouches = [e for e in truth.episodes() if e.kind is Kind.SLOUCH]
    assert len(slouches) >= 4
    assert len({(round(e.seconds, 1), round(e.peak_rad, 3)) for e in slouches}) == len(slouches)
    later = Wearer("desk", 1).truth(3600, start_s=3000)
    assert later.sagittal["c7"].tobytes() == truth.sagittal["c7"][30_000:].tobytes()


def test_truth_follows_the_labels_of_its_script():
    truth = Wearer("short", 3).truth()
    forward = next(label for label in truth.labels if label.posture == "forward_head")
    found = truth.episodes()[0]
    assert forward.start_s < found.start_s < forward.start_s + 3
    assert forward.end_s < found.end_s < forward.end_s + 3
    level = truth.sagittal["head"][(truth.t_s > 27) & (truth.t_s < 48)]
    assert np.degrees(np.abs(level)).max() < 2
    assert np.degrees(found.peak_rad) == pytest.approx(18, abs=2)


def test_a_truth_file_reads_back():
    truth = Wearer("short", 3).truth(start_us=1_790_000_000_000_000)
    again = Truth.from_json(truth.to_json())
    assert (again.stretches, again.labels, again.start_us) == (truth.stretches, truth.labels, truth.start_us)
    assert again.sagittal["t4"] == pytest.approx(truth.sagittal["t4"], abs=1e-5)
    assert again.t_s.tobytes() == truth.t_s.tobytes()
    for wrong in (b"", b"[]", b'{"format": "else"}', b"\xff", truth.to_json()[:-1]):
        with pytest.raises(ConfigurationError):
            Truth.from_json(wrong)


def test_an_endless_script_needs_an_end_for_its_truth():
    with pytest.raises(ConfigurationError, match="repeats for ever"):
        Wearer("desk").truth()


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_scripts_begin_with_the_calibration(name):
    first = load_script(name).acts[0]
    assert (first.posture, first.seconds) == ("calibration", 16)
