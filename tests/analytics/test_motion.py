"""Samples as services meet them: other rates, clipped, not a number, repeated, with holes."""

from dataclasses import replace

import numpy as np
import posed
import pytest
from scipy.spatial.transform import Rotation

from analytics.motion.grid import Grid
from analytics.motion.orientation import Orientation
from poise.results import GRID_US
from poise.samples import ImuBatch, SampleFlag, Scale, quantise, regular_times

SECONDS = 30
LEAN = posed.eased([(4, 30), (12, -10), (20, 15)], SECONDS)


def worn(noise: float = 0.2, mount: Rotation | None = None) -> ImuBatch:
    return posed.batch("c7", LEAN, noise=noise, mount=mount)


def sagittal_deg(up: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(-up[:, 0], up[:, 2]))


def error_deg(batches: list[ImuBatch]) -> np.ndarray:
    """Return |error| of the sagittal inclination at each moment, degrees, from 2 s on."""
    grid = Grid()
    for batch in batches:
        grid.add([batch])
    moments = grid.moments(everything=True)
    t_s = (moments.frames * GRID_US - posed.START_US) / 1e6
    true = np.interp(t_s, np.arange(len(LEAN)) / 50, LEAN)
    return np.abs(sagittal_deg(moments.up[:, 0]) - true)[t_s > 2]


def test_the_motion_of_each_tenth_equals_its_oracle_for_any_chunking() -> None:
    batch = worn(mount=Rotation.random(rng=1))
    grid = Grid()
    for i in range(0, len(batch), 37):
        grid.add([batch.part(i, min(i + 37, len(batch)))])
    moments = grid.moments(everything=True)
    for row in range(1, len(moments), 29):
        end = int(moments.frames[row]) * GRID_US
        inside = (batch.t_us > end - GRID_US) & (batch.t_us <= end)
        acc, gyr = batch.acc_si[inside], batch.gyr_si[inside]
        assert moments.rate[row, 0] == pytest.approx(np.sqrt((gyr**2).sum(axis=1).mean()), rel=1e-9)
        assert moments.force[row, 0] == pytest.approx(np.sqrt((acc**2).sum(axis=1).mean()), rel=1e-9)
        assert moments.shake[row, 0] == pytest.approx(np.sqrt(acc.var(axis=0).sum()), rel=1e-6)


def test_another_rate_goes_on_with_attitude_and_bias() -> None:
    slow = worn().part(0, 750)
    n, period = 25 * 15, 40_000_000
    t_us = regular_times(int(slow.t_us[-1]) + 20_000, period, n)
    pick = np.arange(750, 1500, 2)
    rest = replace(worn(), period_ns=period, t_us=t_us, acc=worn().acc[pick], gyr=worn().gyr[pick])
    assert error_deg([slow, rest]).max() < 2.0


def test_what_is_not_a_number_is_held_over_and_counted() -> None:
    batch = worn()
    values = batch.acc_si
    values[600:620] = np.nan
    acc, clipped = quantise(values, posed.SCALE.acc_nano)
    flags = (clipped * SampleFlag.CLIPPED_ACC).astype(np.uint8)
    grid = Grid()
    assert grid.add([replace(batch, acc=acc, flags=flags)]).clipped == 20
    assert error_deg([replace(batch, acc=acc, flags=flags)]).max() < 2.0


def test_repeated_rows_are_used_and_counted() -> None:
    batch = worn()
    twice = np.repeat(np.arange(0, len(batch), 2), 2)
    filled = replace(batch, acc=batch.acc[twice], gyr=batch.gyr[twice])
    grid = Grid()
    counted = sum(grid.add([filled.part(i, i + 50)]).repeated for i in range(0, len(batch), 50))
    assert counted == pytest.approx(len(batch) / 2, abs=10)
    assert error_deg([filled]).max() < 2.0


def test_a_hole_within_a_batch_and_times_that_go_back_are_seen() -> None:
    batch = worn()
    keep = np.r_[0:500, 540:1500]
    holed = replace(batch, t_us=batch.t_us[keep], acc=batch.acc[keep], gyr=batch.gyr[keep])
    assert error_deg([holed]).max() < 2.0
    grid = Grid()
    grid.add([holed])
    frames = grid.moments(everything=True).frames * GRID_US
    assert not ((frames > holed.t_us[499]) & (frames < holed.t_us[500])).any()

    back = batch.t_us.copy()
    back[700:710] -= 3_000_000
    jumpy = Orientation(batch.period_ns).update(replace(batch, t_us=back))
    assert np.count_nonzero(~jumpy.taken) == 10
    assert (np.diff(jumpy.t_us) > 0).all()
    grid = Grid()
    assert grid.add([replace(batch, t_us=back)]).late == 10


def test_a_step_of_just_a_hole_is_the_same_wherever_the_stream_is_cut() -> None:
    """One and a half periods: within a batch that is no hole, and so it must be none between two."""
    period_us = 20_000
    t_us = posed.START_US + np.cumsum(np.where(np.arange(60) == 30, period_us * 3 // 2, period_us))
    acc = np.tile(np.array([0, 0, 2048], np.int16), (60, 1))
    gyr = np.cumsum(np.ones((60, 3), np.int16), axis=0).astype(np.int16)
    whole = ImuBatch("s", "c7", 0, period_us * 1000, t_us, acc, gyr, Scale(4_788_403, 1_065_264))
    together = Orientation(whole.period_ns).update(whole)
    apart = Orientation(whole.period_ns)
    cut = [apart.update(whole.part(0, 30)), apart.update(whole.part(30, 60))]
    assert (np.concatenate([track.q_earth_from_frame for track in cut]) == together.q_earth_from_frame).all()
    assert not together.jump[1:].any()
