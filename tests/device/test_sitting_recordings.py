"""The recordings of real people come through Poise's own messages and files unchanged."""

import numpy as np
import pytest
from sitting_recordings import PAUSE_US, PLACES, load, require, subjects

from device.recordings.recording import RecordingReader
from poise.samples import SampleFlag, merge

pytestmark = pytest.mark.recordings


def acc(messages, segment):
    return merge([b for m in messages for b in m.batches if b.segment == segment]).acc_si


def test_a_session_is_eighteen_trials_with_pauses_and_survives_its_file(tmp_path):
    require()
    sitting = load(subjects()[0])
    assert [t.number for t in sitting.trials] == list(range(1, 19))
    assert all(
        b.start_us - a.end_us == PAUSE_US for a, b in zip(sitting.trials, sitting.trials[1:], strict=False)
    )
    assert [m.sequence for m in sitting.messages] == list(range(len(sitting.messages)))
    assert sum(len(sitting.during(t)) for t in sitting.trials) == len(sitting.messages)
    reader = RecordingReader(sitting.write(tmp_path / "one.poise"))
    assert list(reader) == sitting.messages
    assert reader.header.origin == "replayed"


def test_every_row_is_a_sample_or_reported_missing():
    require()
    lost, repeated = 0, {}
    for subject in subjects():
        sitting = load(subject)
        rows = sum(round((t.end_us - t.start_us) / 20_000) for t in sitting.trials) * len(PLACES)
        missing = sum(gap.count for m in sitting.messages for gap in m.gaps)
        assert sum(m.samples for m in sitting.messages) + missing == rows
        lost += missing
        flags = [b.flags for m in sitting.messages for b in m.batches if b.flags is not None]
        repeated[subject] = sum(int((f & SampleFlag.REPEATED).astype(bool).sum()) for f in flags) / rows
    assert 0 < lost < 100
    assert {subject for subject, share in repeated.items() if share > 0.3} == {2, 26}


def test_in_a_slouch_the_thorax_leans_and_the_lower_back_stays():
    """The figures that the simulated wearer's slouch follows: medians of first upright and first slouch."""
    require()
    leaned = {"t4": [], "lumbar": []}
    for subject in subjects():
        sitting = load(subject)
        for segment, found in leaned.items():
            up, slouch = (
                np.median(acc(sitting.during(sitting.first(posture)), segment)[500:], axis=0)
                for posture in ("upright", "slouch")
            )
            found.append(np.arccos(up @ slouch / np.linalg.norm(up) / np.linalg.norm(slouch)))
            assert np.linalg.norm(up) == pytest.approx(9.81, rel=0.08)
    assert np.degrees(np.median(leaned["t4"])) == pytest.approx(26, abs=4)
    assert np.degrees(np.median(leaned["lumbar"])) < 8
