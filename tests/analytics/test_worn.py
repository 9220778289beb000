"""A sensor on a table is found, dated back and named; a quiet person is not."""

import numpy as np
import pytest
from worn_days import START_US, activities, moments, on_table, part, share, wearer

from analytics.wearing.worn import BLOCK, SETTLES, WearWatch
from device.wearer import Wearer, parse_script
from poise.results import GRID_US, Activity
from poise.samples import SampleMessage


def mixed(seconds: float, worn=("t4",), off=("c7",), noise: float = 1.0, *, moving=True):
    """Return moments of a person who sits and leans now and then, with some sensors lying on the table."""
    script = f"upright 400 s\nlean back 20 s\nslouch 20 s\nupright {seconds - 440} s"
    person = Wearer(parse_script(script if moving else f"upright {seconds} s"), seed=3, segments=worn)
    table = tuple(on_table(segment, seconds, seed=i, noise=noise) for i, segment in enumerate(off))
    messages = [*person.to_messages(START_US, "s", seconds), SampleMessage("s", 0, table)]
    return moments(messages), person.true_calibration(START_US)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.5])
def test_a_sensor_on_the_table_is_named_while_the_others_go_on(noise):
    whole, calibration = mixed(700.0, noise=noise)
    watch = WearWatch()
    worn = watch.update(whole)
    assert worn[:, 1].all()
    off_at = int(np.flatnonzero(~worn[:, 0])[0])
    assert 300 <= off_at / 10 <= 695
    (off,) = watch.taken_off()
    assert off.segment == "c7"
    assert 0 <= (off.since_us - START_US) / 1e6 <= 395
    assert "C7" in off.sentence
    assert share(activities(whole, calibration), Activity.NOT_WORN) == 0.0


def test_with_every_sensor_on_the_table_nobody_wears_them_until_they_move():
    whole, _ = mixed(600.0, worn=("head",), off=("c7", "t4"))
    table = moments([SampleMessage("s", 0, (on_table("c7", 600.0), on_table("t4", 600.0, seed=2)))])
    codes = activities(table, None)
    assert share(codes[5900:], Activity.NOT_WORN) == 1.0
    assert share(codes[:1800], Activity.NOT_WORN) == 0.0
    watch = WearWatch()
    watch.update(table)
    frames = int(table.frames[-1]) + 1
    moved = part(whole, 100, 300)
    moved = type(moved)(
        **{n: getattr(moved, n) for n in moved.__slots__} | {"frames": np.arange(200) + frames}
    )
    worn = watch.update(moved)
    column = moved.segments.index("head")
    assert worn[:, column].all()
    moved.up[:, :] = moved.up[:, [column]]
    moved.rate[:, :] = moved.rate[:, [column]]
    moved = type(moved)(**{n: getattr(moved, n) for n in moved.__slots__} | {"frames": moved.frames + 200})
    worn = watch.update(moved)
    assert worn[2 * BLOCK :].all()
    assert not watch.taken_off()


def test_a_person_who_sits_or_lies_quietly_for_long_is_worn():
    whole, calibration, _ = wearer(
        parse_script("upright 240 s\nlie 240 s"), 6, 480.0, segments=("lumbar", "head")
    )
    assert WearWatch().update(whole).all()
    assert share(activities(whole, calibration), Activity.NOT_WORN) == 0.0


def test_any_chunking_and_new_sensors_give_the_same():
    whole, _ = mixed(700.0)
    whole.up[700:720], whole.rate[700:720], whole.shake[700:720] = np.nan, np.nan, np.nan
    whole.up[900:1000, 0], whole.shake[900:1000, 0] = np.nan, np.nan
    once = WearWatch().update(whole)
    for size in (13, 700):
        watch = WearWatch()
        pieces = [watch.update(part(whole, i, i + size)) for i in range(0, len(whole), size)]
        assert (np.concatenate(pieces) == once).all()
    assert once[-1].tolist() == [False, True]
    alone, later = WearWatch(), part(whole, 0, 6800)
    narrow = type(later)(
        later.frames,
        ("c7",),
        *(getattr(later, n)[:, :1] for n in later.__slots__ if n not in ("frames", "segments")),
    )
    assert not alone.update(narrow)[-1, 0], "nobody else is there to be worn"
    rest = alone.update(part(whole, 6800, len(whole)))
    assert not rest[:, 0].any()
    assert rest[:, 1].all()
    assert alone.taken_off()[0].since_us % (BLOCK * GRID_US) == 0


def test_what_lay_on_the_table_when_a_run_ended_lies_there_in_the_next_until_it_moves():
    whole, _ = mixed(700.0)
    first = WearWatch()
    first.update(part(whole, 0, 6500))
    (off,) = first.not_worn()
    assert off.segment == "c7"
    next_run = WearWatch(off=first.not_worn())
    assert next_run.not_worn() == (off,)
    column = whole.segments.index("c7")
    assert not next_run.update(part(whole, 0, 1500))[:, column].any(), "also while the filter settles"
    assert next_run.taken_off() == next_run.not_worn() == (off,)
    assert WearWatch(off=first.not_worn()).update(part(whole, 0, 1500))[:, 1 - column].all()
    put_on = part(whole, 4000, 5500)
    put_on.up[:, column], put_on.rate[:, column] = put_on.up[:, 1 - column], put_on.rate[:, 1 - column]
    worn = WearWatch(off=first.not_worn()).update(put_on)
    assert worn[SETTLES * BLOCK + 2 * BLOCK :].all()
