"""Re-checks where the wearer is: they are asked for, and a few seconds later there is an answer.

Five seconds of sitting tall against the calibration in force, and one lifted arm against the names of left
and right.
"""

from typing import Final
from uuid import uuid4

from analytics.wearing.doubts import Standing
from analytics.wearing.placement import Finding, check_sides
from analytics.wearing.recheck import Recheck, RecheckVerdict, recheck
from analytics.wearing.trust import UNDOUBTED, Trust
from device.calibration.calibrating import Memory
from poise.calibration import Calibration
from poise.samples import SampleMessage

TALL_US: Final = 5_000_000
LONGEST_US: Final = 30_000_000
"""How long an answer is tried for after asking; nobody sits tall from the first second (project decision)."""
SURE_US: Final = 10_000_000
"""A sensor must look slipped for so long before a full calibration is asked for: C7 with a forward head
looks the same until the wearer has sat up (project decision)."""
LIFT_US: Final = 10_000_000
SIT_TALL: Final = "Sit tall and still for five seconds."
_GOOD: Final = (RecheckVerdict.CONFIRMED, RecheckVerdict.RENEWED)


class RecheckWatch:
    """Holds a wearer's sitting tall against a calibration when asked to.

    Attributes:
        asked: a re-check is going on.
        remark: what the wearer should do or know, "" before the first.
        answer: what the newest five seconds showed, None before the first.
    """

    def __init__(self, calibration: Calibration) -> None:
        """Begin with nothing asked.

        Args:
            calibration: the one in force; after an answer that made a new one, that is it.
        """
        self.asked = False
        self.remark = ""
        self.answer: Recheck | None = None
        self._calibration = calibration
        self._memory = Memory()
        self._since_us = -1
        self._slipped_us = -1

    def ask(self, trust: Trust = UNDOUBTED) -> bool:
        """Begin a re-check with the next message; `remark` says what to do.

        Args:
            trust: what is known of the calibration; one that has ended cannot be renewed by sitting tall.

        Returns:
            whether a re-check can help.
        """
        ended = [doubt.sentence for doubt in trust.doubts if doubt.standing is Standing.ENDED]
        self.asked, self.answer = not ended, None
        self.remark = " ".join(dict.fromkeys(ended)) or SIT_TALL
        self._since_us = self._slipped_us = -1
        return self.asked

    def feed(self, message: SampleMessage) -> Calibration | None:
        """Take a message; return the calibration that a good answer makes, from the next message on."""
        if not self.asked or not message.batches:
            return None
        newest = self._memory.add(message)
        if self._since_us < 0:
            self._since_us = min(int(batch.t_us[0]) for batch in message.batches)
        if newest - self._since_us < TALL_US - max(batch.period_ns for batch in message.batches) // 1000:
            return None
        self.answer = recheck(
            self._calibration,
            self._memory.between(newest - TALL_US, newest + 1),
            calibration_id=f"c-{uuid4().hex[:8]}",
            made_us=newest + 1,
        )
        self.remark = " ".join(self.answer.reasons)
        self.asked = not self._settled(self.answer, newest)
        self._calibration = self.answer.calibration or self._calibration
        return self.answer.calibration

    def _settled(self, answer: Recheck, now_us: int) -> bool:
        """Tell whether the answer stands: good at once, slipped when it has lasted, else when time is up."""
        if answer.verdict is not RecheckVerdict.CALIBRATE:
            self._slipped_us = -1
        elif self._slipped_us < 0:
            self._slipped_us = now_us
        lasted = self._slipped_us >= 0 and now_us - self._slipped_us >= SURE_US
        return answer.verdict in _GOOD or lasted or now_us - self._since_us >= LONGEST_US


class SidesWatch:
    """Tells from one lifted arm whether left and right are what they are named, when asked to.

    Attributes:
        asked: it is waiting for the arm.
        remark: what the wearer should do or know, "" before the first.
        finding: what is wrong, None if nothing is or nothing was asked.
    """

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked = False
        self.remark = ""
        self.finding: Finding | None = None
        self._side = "right"
        self._memory = Memory()
        self._since_us = -1

    def ask(self, side: str = "right") -> None:
        """Wait for that arm from the next message on.

        Args:
            side: "left" or "right".
        """
        self.asked, self.finding, self._side, self._since_us = True, None, side, -1
        self.remark = f"Lift your {side} arm forward, up to your shoulder, and let it down."

    def feed(self, message: SampleMessage) -> None:
        """Take a message; after ten seconds `finding` and `remark` say what was seen."""
        if not self.asked or not message.batches:
            return
        newest = self._memory.add(message)
        if self._since_us < 0:
            self._since_us = min(int(batch.t_us[0]) for batch in message.batches)
        if newest - self._since_us < LIFT_US - 1_000_000:
            return
        self.asked = False
        self.finding = check_sides(self._memory.between(self._since_us, newest + 1), self._side)
        self.remark = self.finding.sentence if self.finding else "Left and right are where their names say."
