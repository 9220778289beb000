"""What the live topic tells a wearer beside the angles: what they do, and what they should do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from ingest_helpers import START_US, WEARER, Shelf, calibration, message

from analytics.conclusions import Conclusions
from analytics.wearing import doubts
from analytics.wearing.doubts import Doubt
from analytics.wearing.worn import TakenOff
from ingest.broker import Received
from ingest.telling import Advice, live_notice
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


def concluded(run_us: int, *found: Doubt, off: tuple[str, ...] = ()) -> Conclusions:
    part = (frames(run_us, Activity.SITTING),)
    return Conclusions(part, doubts=found, taken_off=tuple(TakenOff(name, 0) for name in off))


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


def calibrate(shelf: Shelf, second: float, name: str) -> None:
    notice = notices.encode(CalibrationNotice(calibration=calibration(second, name)))
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
    calibrate(again, 216, "k2")
    renewed = tell(again, 216, 220)
    assert (renewed.calibration, renewed.advice) == ("k2", [])
    again.database.close()


def test_a_doubt_holds_until_its_run_ends_and_the_greater_need_goes_first() -> None:
    advice, slipped = Advice(), doubts.slipped("c7", 22, aside=False, t_us=9)
    advice.note(concluded(5, slipped))
    advice.note(concluded(5))
    advice.note(Conclusions(remarks=(("late", 1),)))
    assert advice.sentences == [slipped.sentence]
    back = doubts.put_back("t4", 10)
    advice.note(concluded(5, back, off=("head",)))
    assert advice.sentences == [TakenOff("head", 0).sentence, back.sentence]
    advice.note(concluded(5, off=("t4",)))
    assert advice.sentences == [TakenOff("t4", 0).sentence, slipped.sentence]
    later = doubts.off("c7", 60, 12)
    advice.note(Conclusions((*concluded(5).frames, *concluded(11).frames), doubts=(back, later)))
    assert advice.sentences == [later.sentence]
    advice.note(Results((frames(20, Activity.UNKNOWN),)))
    assert advice.sentences == []


def test_the_activity_is_what_most_of_the_newest_second_shows() -> None:
    walk, sit = Activity.WALKING, Activity.SITTING
    assert live_notice(frames(0, *[sit] * 20, *[walk] * 6, *[sit] * 4), "worn").activity == "walking"
    assert live_notice(frames(0, walk, sit, sit), "worn", ["Sit tall."]).advice == ["Sit tall."]
    bare = PostureFrames(
        0, "", ("c7",), np.array([0]), np.zeros((1, 1)), np.zeros((1, 1)), (), np.zeros((1, 0), np.bool_)
    )
    assert live_notice(bare, "worn").activity == ""
