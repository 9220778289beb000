"""One wearer's calibration, from the first to the next: made, held against the day, re-checked, made anew.

Nothing has to be pressed. Without a calibration the movements are waited for; one that is doubted is
re-checked when the wearer sits tall; one that has ended is made anew. What is doubted comes from the
analytics that run at the gateway; asking comes from there or from elsewhere (`poise.notices.Verb`).
"""

from collections.abc import Callable
from typing import Final

from analytics.wearing.doubts import Standing
from analytics.wearing.trust import UNDOUBTED, Trust
from device.calibration.calibrating import CalibrationWatch, Step
from device.calibration.rechecking import RecheckWatch, SidesWatch
from poise.calibration import Calibration
from poise.notices import Verb
from poise.samples import SampleMessage

AGAIN_US: Final = 1_800_000_000
"""A re-check that was not answered is asked for again after half an hour (project decision: calm)."""


class CalibrationKeeper:
    """Takes every message of a gateway, and gives a calibration whenever there is a new one.

    Attributes:
        calibration: the one in force, None before the first.
    """

    def __init__(
        self,
        known: Calibration | None,
        use: Callable[[Calibration], None],
        told: Callable[[str], None],
        trust: Callable[[], Trust] = lambda: UNDOUBTED,
    ) -> None:
        """Begin with what is on file.

        Args:
            known: the last calibration, None without one.
            use: called with each new calibration.
            told: called with a sentence whenever the wearer should do or know something.
            trust: what is known of the calibration in force.
        """
        self.calibration = known
        self._use, self._told, self._trust = use, told, trust
        self._watch = None if known else CalibrationWatch()
        self._recheck = RecheckWatch(known) if known else None
        self._sides = SidesWatch()
        self._step: Step | None = None
        self._said = ""
        self._asked_us = -AGAIN_US

    @property
    def step(self) -> Step:
        """What the wearer should do for a calibration, `DONE` if nothing."""
        return Step.DONE if self._watch is None else self._watch.step

    @property
    def remark(self) -> str:
        """Why the last try was not good enough, "" without one."""
        return "" if self._watch is None else self._watch.remark

    def asked(self, verb: Verb) -> bool:
        """Begin what was asked for; False if it cannot help."""
        if verb is Verb.CALIBRATE:
            self._calibrate_anew()
            return True
        if verb is Verb.SIDES:
            self._sides.ask()
            self._say(self._sides.remark)
            return True
        if verb is not Verb.RECHECK or self._recheck is None or self._watch is not None:
            return False
        helps = self._recheck.ask(self._trust())
        self._say(self._recheck.remark)
        return helps

    def feed(self, message: SampleMessage) -> None:
        """Take a message that is on disk."""
        if not message.batches:
            return
        if self._watch is None:
            self._look_after_trust(max(int(batch.t_us[-1]) for batch in message.batches))
        if self._sides.asked:
            self._sides.feed(message)
            self._say(self._sides.remark)
        if self._watch is not None:
            self._feed_watch(self._watch, message)
        elif self._recheck is not None and self._recheck.asked:
            self._feed_recheck(self._recheck, message)

    def _feed_watch(self, watch: CalibrationWatch, message: SampleMessage) -> None:
        made = watch.feed(message)
        if watch.step is not self._step:
            self._step = watch.step
            self._told(f"{watch.remark} {watch.step.value}".strip())
        if made is not None:
            self._watch = None
            self._take(made)

    def _feed_recheck(self, recheck: RecheckWatch, message: SampleMessage) -> None:
        made = recheck.feed(message)
        self._say(recheck.remark)
        if made is not None:
            self._take(made)

    def _take(self, made: Calibration) -> None:
        self.calibration, self._recheck, self._said = made, RecheckWatch(made), ""
        self._use(made)

    def _look_after_trust(self, now_us: int) -> None:
        """Ask the wearer for what a doubt asks for, once in a while."""
        standing = self._trust().standing
        if standing is Standing.ENDED:
            self._say(" ".join(d.sentence for d in self._trust().doubts if d.standing is Standing.ENDED))
            self._calibrate_anew()
        elif standing is Standing.RECHECK and now_us - self._asked_us >= AGAIN_US:
            self._asked_us = now_us
            self._say(" ".join(dict.fromkeys(doubt.sentence for doubt in self._trust().doubts)))
            self.asked(Verb.RECHECK)

    def _calibrate_anew(self) -> None:
        self._watch, self._step = CalibrationWatch(self.calibration), None

    def _say(self, sentence: str) -> None:
        if sentence and sentence != self._said:
            self._said = sentence
            self._told(sentence)
