"""People who are reminded, for the benchmark of cues: how they sit, and how they answer a cue.

Nobody has published recordings of people answering cues, so this is assumed, and was stated before anything
was measured with it. Angles are in thresholds (1 is 12°); a step is a second.

The person: half of the day in steady work, in which the back sinks towards an own habit (1.2 to 1.8, over a
time constant of about 5 min after sitting up) and shifts every 200 s; half in varied work, in which every
60 s another posture is taken. Together that is about 9 shifts in 15 min, and there are 13 fidgets, as a
week in the field showed for seated office work (doi:10.1016/j.apergo.2024.104374). The rest of the numbers
are assumed.

How a cue is answered:
- *until content* starts to come back after 2 to 8 s, at 0.1 thresholds (1.2°) a second, and stops where he is
  as soon as the device falls silent; from there he sinks again as before. A reason to expect it: the signal
  is what he wants to end, and working further forward is why he was there. What ends the signal differs:
  plain threshold cueing is content just inside the threshold, cueing by load near upright (`Asking`).
- *annoyed* sits up with the probability 0.9 exp(-n / 30) after n cues on the day: in a plant the benefit of
  a posture trainer faded within days, and some found it irritating and ignored it
  (vtechworks.lib.vt.edu/items/1528fe39-6005-4367-bf31-8988306810ef).
- *busy* hears nothing in spells of 10 min, 20 min apart, and takes 10 to 40 s otherwise.
- *prompt* sits up after 2 to 8 s, always. Named beforehand as a model for which no cueing that waits can do
  with half the cues: each lapse takes one cue, however it is found.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

DAY_S: Final = 8 * 3600
MODELS: Final = ("until content", "annoyed", "busy")
BACK_A_SECOND: Final = 0.1


@dataclass(frozen=True)
class Habits:
    """What a day is made of; varied in the sensitivity table."""

    varied: float = 0.5
    relapse_s: float = 300.0
    fidget_s: float = 69.0


class Person:
    """Posture of one simulated day; nothing here knows how it is cued."""

    def __init__(self, seed: int, habits: Habits, model: str) -> None:
        """Draw the day's luck beforehand, so that it is the same however the person is cued."""
        rng = np.random.default_rng(seed)
        self.habit = rng.uniform(1.2, 1.8)
        self.relapse_s = habits.relapse_s * np.exp(rng.normal(0, 0.5))
        self.luck = rng.random((DAY_S, 6)).tolist()
        self.noise = rng.normal(size=(DAY_S, 2)).tolist()
        self.habits, self.model = habits, model
        self.varied, self.busy, self.cued = bool(rng.random() < habits.varied), False, 0
        self.base, self.sway, self.fidget, self.depth = 0.0, 0.0, 0, 0.0
        self.since, self.answer_at, self.returning = 0.0, -1, False

    def angle(self, t: int, *, signal: bool) -> float:
        """Return the deviation over its threshold in second `t`; call for every second in turn."""
        phase, shift, fidget, busy, a, b = self.luck[t]
        if phase < 1 / 1200:
            self.varied = a < self.habits.varied
        self.busy = busy > 1 / 600 if self.busy else busy < 1 / 1200
        self.since += 1
        if t == self.answer_at:
            self._answer()
        if self.returning:
            self._come_back(signal=signal)
        sunk = self.habit * (1 - np.exp(-self.since / self.relapse_s))
        if self.varied and shift < 1 / 60:
            self.base = 0.5 + 0.67 * self.noise[t][0]
        elif not self.varied and shift < 1 / 200:
            self.base = sunk + 0.33 * self.noise[t][0]
        elif not self.varied and not self.returning and self.base < sunk:
            self.base += (sunk - self.base) / self.relapse_s
        self.fidget -= 1
        if self.fidget <= 0 and fidget < 1 / self.habits.fidget_s:
            self.fidget, self.depth = 1 + int(4 * a), 0.4 + 0.4 * b
        self.sway = 0.8825 * self.sway + 0.047 * self.noise[t][1]
        return float(self.base + self.sway - (self.depth if self.fidget > 0 else 0.0))

    def _answer(self) -> None:
        if self.model == "until content":
            self.returning = True
        else:
            self.since, self.base = 0.0, 0.0

    def _come_back(self, *, signal: bool) -> None:
        """Go on towards upright while there is a signal; then sink again from there."""
        if signal and self.base > 0:
            self.base = max(0.0, self.base - BACK_A_SECOND)
        if not signal:
            self.returning = False
            share = min(max(self.base, 0.0) / self.habit, 0.99)
            self.since = -self.relapse_s * np.log(1 - share)

    def hear(self, t: int) -> None:
        """Get a cue in second `t`, and answer it or not."""
        luck = self.luck[t][5]
        self.cued += 1
        if self.model == "annoyed" and luck > 0.9 * np.exp(-(self.cued - 1) / 30):
            return
        if self.model == "busy" and self.busy:
            return
        if self.answer_at <= t:
            self.answer_at = t + (2 + int(7 * luck) if self.model != "busy" else 10 + int(31 * luck))
