"""The whole way once: a simulated wearer, calibrated by the bow, judged by the analytics, against truth."""

import numpy as np
import pytest

from analytics.pipeline import Pipeline
from device.calibration.calibrating import CalibrationWatch
from device.wearer import Wearer

START_US = 1_790_000_000_000_000


def judged(wearer, stop_s):
    """Return kind, start and end of what was found, in s, and the worst RMS error of an angle in degrees."""
    pipeline, watching, truth = Pipeline(), CalibrationWatch(), wearer.truth(stop_s)
    calibrated, episodes, errors = False, {}, {}
    for message in wearer.to_messages(START_US, "s", stop_s):
        if not calibrated and (calibration := watching.feed(message)) is not None:
            calibrated = True
            pipeline.calibrate(calibration)
        results = pipeline.update(message.batches)
        episodes |= {e.id: e for e in results.episodes}
        for frames in results.frames:
            row = np.round((frames.t_us - START_US) / 1e5).astype(int)
            for j, name in enumerate(frames.segments):
                errors.setdefault(name, []).extend(frames.sagittal[:, j] - truth.sagittal[name][row])
    episodes |= {e.id: e for e in pipeline.finish().episodes}
    found = [(e.kind, (e.start_us - START_US) / 1e6, (e.last_us - START_US) / 1e6) for e in episodes.values()]
    worst = max(np.degrees(np.sqrt(np.nanmean(np.square(e)))) for e in errors.values())
    return sorted(found, key=lambda f: f[1]), truth, worst


@pytest.mark.parametrize(("script", "stop_s"), [("desk", 450.0), ("distractors", 230.0)])
def test_what_is_found_is_what_was_done(script, stop_s):
    found, truth, worst = judged(Wearer(script, 2), stop_s)
    expected = sorted((e.kind.value, e.start_s, e.end_s) for e in truth.episodes())
    assert [kind.value for kind, _, _ in sorted(found)] == [kind for kind, _, _ in expected]
    for (_, start, end), (_, true_start, true_end) in zip(sorted(found), expected, strict=True):
        assert start == pytest.approx(true_start, abs=1.0)
        assert end == pytest.approx(true_end, abs=1.0)
    assert worst < 1.2
