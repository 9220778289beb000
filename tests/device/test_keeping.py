"""A calibration over a day: made without a press, doubted, re-checked, ended, and made anew."""

from posed_messages import KNOWN, messages

from analytics.wearing import doubts
from analytics.wearing.trust import UNDOUBTED, Trust
from device.calibration.keeping import CalibrationKeeper
from device.wearer.wearer import Wearer
from poise.calibration import Calibration, Verdict
from poise.notices import Verb

LATER_US = 1_900_000_000_000_000


class Day:
    """What a keeper was told and told."""

    def __init__(self, known: Calibration | None) -> None:
        self.used: list[Calibration] = []
        self.said: list[str] = []
        self.trust = UNDOUBTED
        self.keeper = CalibrationKeeper(known, self.used.append, self.said.append, lambda: self.trust)


def test_without_a_calibration_the_movements_are_waited_for() -> None:
    day = Day(None)
    assert not day.keeper.asked(Verb.RECHECK), "there is nothing to hold it against"
    for message in Wearer("short", seed=3).to_messages(0, "s", stop_s=25):
        day.keeper.feed(message)
    (made,) = day.used
    assert made.verdict is Verdict.GOOD
    assert day.keeper.calibration is made
    assert [sentence.split(" ")[0] for sentence in day.said][:2] == ["Sit", "Now"]
    assert day.said[-1] == "Calibrated."


def test_a_doubt_asks_for_a_recheck_once_in_a_while_and_a_good_one_renews() -> None:
    day, stream = Day(KNOWN), messages({})
    day.keeper.feed(stream[0])
    assert (day.said, day.used) == ([], [])
    day.trust = Trust(doubts=(doubts.away(("c7",), 40, night=False, t_us=1),))
    for message in stream[1:8]:
        day.keeper.feed(message)
    (made,) = day.used
    assert made.renews == KNOWN.id
    assert len(day.said) == 3, "the doubt, what to do, the answer"
    assert "five seconds" in day.said[1]


def test_what_has_ended_is_made_anew_without_being_asked() -> None:
    day = Day(KNOWN)
    day.trust = Trust(doubts=(doubts.put_back("c7", 1),))
    day.keeper.feed(messages({})[0])
    assert "taken off and put back" in day.said[0]
    day.trust = UNDOUBTED
    assert not day.keeper.asked(Verb.RECHECK), "sitting tall does not help now"
    for message in Wearer("short", seed=3).to_messages(LATER_US, "s", stop_s=25):
        day.keeper.feed(message)
    assert [made.verdict for made in day.used] == [Verdict.GOOD]


def test_both_can_be_asked_for() -> None:
    day, stream = Day(KNOWN), messages({})
    assert day.keeper.asked(Verb.RECHECK)
    assert not day.keeper.asked(Verb.PAUSE)
    day.said.clear()
    assert day.keeper.asked(Verb.SIDES)
    assert "arm" in day.said[0]
    for message in stream[:6]:
        day.keeper.feed(message)
    assert len(day.used) == 1
    assert day.keeper.asked(Verb.CALIBRATE)
    day.keeper.feed(stream[6])
    assert day.said[-1].startswith("Sit tall and still")
