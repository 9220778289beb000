"""What the live topic tells a wearer beside the angles: what they do, and what they should do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from ingest_helpers import START_US, WEARER, Shelf, calibration, message

from analytics.conclusions import Conclusions
from analytics.wearing import doubts
from analytics.wearing.worn import TakenOff
from ingest.judging.telling import Advice, live_notice
from ingest.mqtt.settings import Received
from poise import notices
from poise.notices import CalibrationNotice, Live
from poise.results import ACTIVITIES, GRID_US, Activity, PostureFrames, Results
from poise.samples import ImuBatch
from poise.topics import Leaf
from poise.wire import encode_samples


def frames(run_us: int, *did: Activity) -> PostureFrames:
    n = len(did)
    activity = np.array([ACTIVITIES.index(a) for a in did], np.int8)
    t_us = START_US + GRID_US * np.arange(n)
    held = np.zeros((n, 0), np.bool_)
    return PostureFrames(run_us, "k1", ("c7",), t_us, np.zeros((n, 1)), np.zeros((n, 1)), (), held, activity)


def concluded(run_us: int, off: tuple[str, ...] = ()) -> Conclusions:
    part = (frames(run_us, Activity.SITTING),)
    return Conclusions(part, taken_off=tuple(TakenOff(name, 0) for name in off))


def tell(shelf: Shelf, first: int, last: int, *, flat: bool = False) -> Live:
    """Send whole seconds, all at once; return the newest live notice."""
    made = [message(i, lean=i % 2, sequence=i) for i in range(first, last)]
    if flat:  # on a table, their z up
        still = [message(i, sequence=i) for i in range(first, last)]
        made = [replace(m, batches=tuple(_laid(b) for b in m.batches)) for m in still]
    topic = WEARER.topic(Leaf.SAMPLES)
    outcome = shelf.intake.take([Received(topic, encode_samples(m), 1, False, 1, 1) for m in made])
    return outcome.live[WEARER]


def _laid(batch: ImuBatch) -> ImuBatch:
    return replace(batch, acc=np.roll(batch.acc, 2, axis=1))


def calibrate(shelf: Shelf, second: float, name: str, renews: str = "") -> None:
    made = replace(calibration(second, name), renews=renews)
    notice = notices.encode(CalibrationNotice(calibration=made))
    shelf.intake.take([Received(WEARER.topic(Leaf.CALIBRATION), notice, 1, True, 1, 1)])


def test_sensors_on_a_table_and_put_back_are_told_until_a_new_calibration(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    calibrate(shelf, -10, "k1")
    assert tell(shelf, 0, 60, flat=True).advice == []
    told = tell(shelf, 60, 200, flat=True)
    assert told.activity == "not_worn"
    assert len(told.advice) == 1
    assert told.advice[0].startswith("The sensors for head, C7, T4 and lower back have not moved at all")
    back = tell(shelf, 200, 215)
    assert back.activity != "not_worn"
    sentence = "were taken off and put back. Calibrate again: sit tall, then bow."
    assert [line.partition("T4 and lower back ")[2] for line in back.advice] == [sentence]
    shelf.database.close()  # all that is in memory is gone
    again = Shelf(shelf.path)
    assert tell(again, 215, 216).advice == back.advice
    calibrate(again, 270, "k1b", renews="k1")  # by a gateway that knows nothing of it
    calibrate(again, 290, "k2")
    after_a_gap = tell(again, 250, 260)
    assert (after_a_gap.run_us, after_a_gap.advice) == (START_US + 250_000_000, back.advice)
    assert {angle for column in after_a_gap.sagittal for angle in column} == {None}
    rechecked = tell(again, 270, 275)
    assert (rechecked.calibration, rechecked.advice) == ("k1b", back.advice)
    assert {angle for column in rechecked.sagittal for angle in column} == {None}
    calibrated = tell(again, 290, 295)
    assert (calibrated.calibration, calibrated.advice) == ("k2", [])
    again.database.close()


def test_another_morning_the_calibration_of_yesterday_has_ended_and_that_is_told(tmp_path: Path) -> None:
    shelf, morning = Shelf(tmp_path / "poise.db"), 9 * 3600
    calibrate(shelf, -10, "k1")
    assert tell(shelf, 0, 20).advice == []
    told = tell(shelf, morning, morning + 10)
    assert [line[:17] for line in told.advice] == ["The sensors sent "]
    assert {angle for column in told.sagittal for angle in column} == {None}
    shelf.database.close()
    again = Shelf(shelf.path)
    assert tell(again, morning + 60, morning + 70).advice == told.advice
    again.database.close()


def test_a_clock_that_was_set_back_is_told_at_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    calibrate(shelf, -10, "k1")
    tell(shelf, 1000, 1020)
    late = [message(i, sequence=i) for i in range(800, 820)]
    back = [message(i, sequence=2000 + i) for i in range(500, 520)]
    topic, told = WEARER.topic(Leaf.SAMPLES), []
    for messages in (late, back):
        received = [Received(topic, encode_samples(m), 1, False, 1, 1) for m in messages]
        told.append(shelf.intake.take(received).live.get(WEARER))
    assert told[0] is None
    assert told[1] is not None
    assert told[1].t_us[0] < START_US + 520_000_000
    assert [line[:23] for line in told[1].advice] == ["The clock has gone back"]
    assert shelf.rows("SELECT late, reason FROM runs ORDER BY id") == [
        (0, "start"),
        (1, "start"),
        (1, "clock"),
    ]
    assert tell(shelf, 1030, 1040).advice == told[1].advice
    shelf.database.close()


def test_a_doubt_holds_while_it_is_known_and_the_greater_need_goes_first() -> None:
    advice, slipped = Advice(), doubts.slipped("c7", 22, aside=False, t_us=9)
    advice.note(concluded(5), [slipped])
    advice.note(Conclusions(remarks=(("late", 1),)), [slipped])
    assert advice.sentences == [slipped.sentence]
    back = doubts.put_back("t4", 10)
    advice.note(concluded(5, off=("head",)), [slipped, back])
    assert advice.sentences == [TakenOff("head", 0).sentence, back.sentence]
    advice.note(Conclusions(), [slipped, back])
    assert advice.sentences == [TakenOff("head", 0).sentence, back.sentence]
    advice.note(concluded(5, off=("t4",)), [slipped, back])
    assert advice.sentences == [TakenOff("t4", 0).sentence, slipped.sentence]
    advice.note(Results((frames(20, Activity.UNKNOWN),)), [])
    assert advice.sentences == []


def test_the_activity_is_what_most_of_the_newest_second_shows() -> None:
    walk, sit = Activity.WALKING, Activity.SITTING
    assert live_notice(frames(0, *[sit] * 20, *[walk] * 6, *[sit] * 4), "worn").activity == "walking"
    assert live_notice(frames(0, walk, sit, sit), "worn", ["Sit tall."]).advice == ["Sit tall."]
    bare = PostureFrames(
        0, "", ("c7",), np.array([0]), np.zeros((1, 1)), np.zeros((1, 1)), (), np.zeros((1, 0), np.bool_)
    )
    assert live_notice(bare, "worn").activity == ""
