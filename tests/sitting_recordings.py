"""Recordings of real people sitting, as Poise's own messages and recordings, for tests.

Source: Nariman Ahmed and others, IMU Sitting Postures Dataset, CC BY 4.0. The data lies beside the project
and never in it; a test that needs it calls `require` first and carries the marker `recordings`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from analytics.wearing.calibration import calibrate
from device.recordings.recording import RecordingHeader, RecordingWriter
from device.wearer import SCALE
from device.wearer.kinematics import GRAVITY_M_S2
from poise.calibration import Calibration
from poise.samples import Gap, ImuBatch, SampleFlag, SampleMessage, quantise

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "sitting"
PLACES = {"L5": "lumbar", "T12": "t12", "T4": "t4", "C7": "c7"}
RATE_HZ, PERIOD_US = 50, 20_000
PAUSE_US = 20_000_000
BEGIN_US = 1_767_254_400_000_000  # 1 January 2026, 8:00 UTC: the recordings themselves carry no time


@dataclass(frozen=True)
class Trial:
    """One trial of about 30 s in one posture; UTC µs of its first sample and of the one after its last."""

    number: int
    posture: str
    start_us: int
    end_us: int


@dataclass
class Sitting:
    """One person's session: trials in order, 20 s of nothing between them: each is a run of its own."""

    subject: int
    trials: list[Trial] = field(default_factory=list)
    messages: list[SampleMessage] = field(default_factory=list)

    def during(self, trial: Trial) -> list[SampleMessage]:
        """Return the trial's messages."""
        return [m for m in self.messages if trial.start_us <= (m.first_us or 0) < trial.end_us]

    def first(self, posture: str) -> Trial:
        """Return the person's first trial of a posture."""
        return next(trial for trial in self.trials if trial.posture == posture)

    def write(self, path: Path) -> Path:
        """Write the session as a Poise recording."""
        header = RecordingHeader(
            f"sitting-{self.subject:02d}", origin="replayed", note="CC BY 4.0, Ahmed et al."
        )
        with RecordingWriter(path, header) as writer:
            for message in self.messages:
                writer.write(message)
        return path


def require() -> None:
    """Skip the test, with a sentence, where the recordings are missing; in CI they must be there."""
    if FOLDER.is_dir():
        return
    import pytest  # benchmarks use this module without it

    sentence = (
        f"the recordings of real people are not beside the project ({FOLDER.parent.name}/{FOLDER.name})"
    )
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def subjects() -> list[int]:
    """Return the numbers of the people there are, none without the folder."""
    return sorted(int(path.stem.removeprefix("subject")) for path in FOLDER.glob("subject*.npz"))


@cache
def load(subject: int, begin_us: int = BEGIN_US) -> Sitting:
    """Read one person's session, for reading only: rows of NaN become gaps, repeated rows are flagged."""
    sitting = Sitting(subject)
    with np.load(FOLDER / f"subject{subject:02d}.npz") as data:
        start_us = begin_us
        for number, posture in zip(data["trial"].tolist(), data["posture"].tolist(), strict=True):
            places = {
                segment: tuple(
                    data[f"trial{number:02d}/{place}/{kind}"].astype(float) for kind in ("acc", "gyr")
                )
                for place, segment in PLACES.items()
            }
            rows = max(len(acc) for acc, _ in places.values())
            trial = Trial(number, posture, start_us, start_us + rows * PERIOD_US)
            sitting.trials.append(trial)
            for batches, gaps in _seconds(places, trial.start_us, begin_us, rows):
                sitting.messages.append(
                    SampleMessage(
                        f"sitting-{subject:02d}", len(sitting.messages), batches, gaps, origin="replayed"
                    )
                )
            start_us = trial.end_us + PAUSE_US
    return sitting


def _seconds(places, start_us: int, begin_us: int, rows: int) -> Iterator[tuple[tuple, tuple]]:
    for first in range(0, rows, RATE_HZ):
        batches, gaps = [], []
        for segment, (acc, gyr) in places.items():
            acc_si, gyr_si = acc * GRAVITY_M_S2, np.radians(gyr)
            same = _repeated(np.hstack([acc, gyr]))
            good = np.isfinite(acc_si).all(axis=1) & np.isfinite(gyr_si).all(axis=1)
            for a, b in _runs(good[first : first + RATE_HZ]):
                span = slice(first + a, first + b)
                at_us = start_us + (first + a) * PERIOD_US
                batches.append(
                    _batch(segment, acc_si[span], gyr_si[span], same[span], at_us, at_us - begin_us)
                )
            for a, b in _runs(~good[first : first + RATE_HZ]):
                before = start_us + (first + a - 1) * PERIOD_US
                gaps.append(
                    Gap(
                        f"wit-{segment}",
                        segment,
                        before,
                        before + (b - a + 1) * PERIOD_US,
                        b - a,
                        reason="nan",
                    )
                )
        yield tuple(batches), tuple(gaps)


def _repeated(rows) -> np.ndarray:
    """Tell which rows equal one of the eight before: on a bad link the vendor's logger alternates."""
    same = np.zeros(len(rows), bool)
    for lag in range(1, 9):
        same[lag:] |= (rows[lag:] == rows[:-lag]).all(axis=1)
    return same


def _batch(segment, acc, gyr, same, at_us: int, tick: int) -> ImuBatch:
    acc_counts, acc_clipped = quantise(acc, SCALE.acc_nano)
    gyr_counts, gyr_clipped = quantise(gyr, SCALE.gyr_nano)
    flags = same * SampleFlag.REPEATED | acc_clipped * SampleFlag.CLIPPED_ACC
    flags = (flags | gyr_clipped * SampleFlag.CLIPPED_GYR).astype(np.uint8)
    return ImuBatch(
        sensor=f"wit-{segment}",
        segment=segment,
        first_tick=tick,
        period_ns=PERIOD_US * 1000,
        t_us=at_us + np.arange(len(acc), dtype=np.int64) * PERIOD_US,
        acc=acc_counts,
        gyr=gyr_counts,
        scale=SCALE,
        flags=flags if flags.any() else None,
    )


def _runs(mask) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def parts_of(session: Sitting, trial: Trial) -> dict[str, list[ImuBatch]]:
    segments: dict[str, list[ImuBatch]] = {}
    for message in session.during(trial):
        for batch in message.batches:
            segments.setdefault(batch.segment, []).append(batch)
    return segments


def own_calibration(session: Sitting) -> Calibration:
    """Return the calibration of the person's first upright and first bow from the hips."""
    upright, bow = (parts_of(session, session.first(p)) for p in ("upright", "forward_bend"))
    name = f"c-{session.subject:02d}"
    return calibrate(upright, bow, calibration_id=name, made_us=session.trials[0].start_us)
