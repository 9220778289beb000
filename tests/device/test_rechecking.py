"""Re-checks in a stream: asked for, and answered by the first five seconds that are still and tall."""

from dataclasses import replace

import numpy as np
import posed
import pytest
from posed_messages import KNOWN, WORN, messages
from scipy.spatial.transform import Rotation

from analytics.wearing import doubts
from analytics.wearing.recheck import RecheckVerdict
from analytics.wearing.trust import Trust
from device.calibration.calibrating import CalibrationWatch
from device.calibration.rechecking import RecheckWatch, SidesWatch
from device.wearer.script import parse_script
from device.wearer.wearer import Wearer
from poise.calibration import Calibration
from poise.samples import SampleMessage


def asked(stream: list[SampleMessage], watch: RecheckWatch) -> tuple[Calibration | None, int]:
    """Feed until there is an answer; return what was made, and after how many messages."""
    assert watch.ask()
    for n, message in enumerate(stream, 1):
        made = watch.feed(message)
        if made or not watch.asked:
            return made, n
    raise AssertionError("no answer")


def test_who_sits_tall_is_confirmed_under_a_new_id_after_five_seconds() -> None:
    watch, stream = RecheckWatch(KNOWN), messages({})
    assert watch.feed(stream[0]) is None, "nobody asked"
    made, n = asked(stream[1:], watch)
    assert n == 5
    assert made is not None
    assert (made.renews, made.alignments) == (KNOWN.id, KNOWN.alignments)
    assert made.id != KNOWN.id
    assert made.made_us == int(stream[5].batches[0].t_us[-1]) + 1
    assert (watch.asked, "upright is unchanged" in watch.remark) == (False, True)
    again, _ = asked(stream[6:], watch)
    assert again is not None
    assert again.renews == made.id


def test_who_sits_up_while_it_waits_is_confirmed_and_told_until_then() -> None:
    slouch = {name: [(0, 20), (9, 0)] for name in WORN} | {"c7": [(0, 45), (9, 0)]}
    watch, said = RecheckWatch(KNOWN), set[str]()
    watch.ask()
    for message in messages(slouch):
        said.add(watch.remark.split(" ")[0])
        if made := watch.feed(message):
            break
    assert made is not None
    assert 14 <= (made.made_us - posed.START_US) / 1e6 <= 16
    assert {"Sit", "You"} <= said


def test_a_slouch_is_no_reference_and_the_wait_ends_with_a_sentence() -> None:
    watch = RecheckWatch(KNOWN)
    made, n = asked(messages({name: [(0, 15)] for name in WORN}), watch)
    assert (made, n) == (None, 31)
    assert watch.answer is not None
    assert watch.answer.verdict is RecheckVerdict.REPEAT
    assert watch.remark.startswith("You sit 15° forward of")


def test_a_crooked_sensor_is_set_right_and_a_slipped_one_asks_for_a_calibration_when_sure() -> None:
    crooked = RecheckWatch(KNOWN)
    made, n = asked(messages({}, {"t4": Rotation.from_euler("x", 12, degrees=True)}), crooked)
    assert made is not None
    assert (n, "set right" in crooked.remark) == (5, True)
    slipped = RecheckWatch(KNOWN)
    made, n = asked(messages({}, {"c7": Rotation.from_euler("y", 20, degrees=True)}), slipped)
    assert (made, n) == (None, 15)
    assert "probably slipped" in slipped.remark
    forward_head = RecheckWatch(KNOWN)
    made, n = asked(messages({"c7": [(0, 18), (8, 0)]}), forward_head)
    assert made is not None


def test_a_calibration_that_has_ended_is_not_renewed_by_sitting_tall() -> None:
    watch, back = RecheckWatch(KNOWN), doubts.put_back("c7", 5)
    assert not watch.ask(Trust((back,)))
    assert (watch.asked, watch.remark) == (False, back.sentence)
    assert not any(watch.feed(message) for message in messages({}))
    assert watch.ask(Trust((doubts.slipped("c7", 12, aside=True, t_us=5),)))


def test_bad_messages_are_no_answer() -> None:
    watch = RecheckWatch(KNOWN)
    watch.ask()
    assert watch.feed(SampleMessage("s", 0, ())) is None
    for message in messages({})[:20]:
        spoilt = (replace(b, acc=np.zeros_like(b.acc)) for b in message.batches[:2])
        assert watch.feed(replace(message, batches=tuple(spoilt))) is None
    assert watch.asked
    assert watch.remark


@pytest.mark.parametrize("seed", range(4))
def test_a_simulated_person_with_any_mounting_is_confirmed_after_the_calibration(seed: int) -> None:
    wearer, calibrating = (
        Wearer(parse_script("calibration 16 s\nupright 30 s"), seed=seed),
        CalibrationWatch(),
    )
    made, watch, renewed = None, None, None
    for message in wearer.to_messages(posed.START_US, "s"):
        if watch is None:
            made = calibrating.feed(message)
            if made is not None:
                watch = RecheckWatch(made)
                watch.ask()
        elif renewed := watch.feed(message):
            break
    assert made is not None
    assert renewed is not None
    assert renewed.renews == made.id


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_lifted_arm_tells_left_from_right_when_asked(side: str) -> None:
    pair = ("scapula_left", "scapula_right")
    wearer = Wearer(parse_script(f"upright 2 s\nreach {side} 4 s\nupright 6 s"), seed=2, segments=pair)
    sent = list(wearer.to_messages(posed.START_US, "s"))
    for names, sentence in ((pair, "where their names say"), (pair[::-1], "seem to be exchanged")):
        watch = SidesWatch()
        watch.feed(sent[0])
        assert watch.remark == ""
        watch.ask(side)
        for message in sent:
            renamed = dict(zip(pair, names, strict=True))
            watch.feed(
                replace(
                    message, batches=tuple(replace(b, segment=renamed[b.segment]) for b in message.batches)
                )
            )
        assert not watch.asked
        assert sentence in watch.remark
