"""When a wearer may be reminded: the part of a plan that a therapist sets."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from analytics.cues.cue import CueMode
from poise.errors import ConfigurationError
from poise.results import Kind

DAY_S: Final = 86_400
MONTH_OF_FADING: Final = ((0, 1.0), (7, 0.75), (14, 0.5), (21, 0.25), (28, 0.0))
"""From which day of the plan on which share of the cues is left; 0 is tracking. That feedback given less and
less often is kept better than feedback given always is the guidance hypothesis (Winstein, Pohl and
Lewthwaite 1994, doi:10.1080/02701367.1994.10607635); a small study with a posture trainer faded it in the
same way (Jadro 2020, beatleyweb.simmons.edu/scholar/items/show/522). The days and shares are a project
decision; products train for 24 days."""


@dataclass(frozen=True, slots=True)
class CuePlan:
    """When a wearer is reminded, and when not.

    Attributes:
        mode: exposure, threshold or off.
        delay_s: threshold mode: how long a posture is held before a cue. 60 s is a project decision, within
            the 3 s to 10 min of products and at the 1 min from which RULA calls a posture static (McAtamney
            and Corlett 1993, doi:10.1016/0003-6870(93)90080-S).
        varied_s: exposure mode: the limit of the load in work that varies (`analytics.cues.variation`); a
            posture held at its threshold reaches it in about that time, one twice as far in half. A project
            decision, tried in `benchmarks/cues.py`.
        steady_s: exposure mode: the limit in steady work, and for who is hard to reach (`Asking`); `varied_s`
            if that is less. 10 s is the dwell of an episode; project decision.
        recovery: s of load that a second near upright takes away. 1, so that as long upright as forward
            leaves nothing: a project decision; no source for the rate in postures this light was found.
        refractory_s: least time between two cues; exposure mode: after one that was answered. Who came back
            is left in peace for a while: a project decision, tried in `benchmarks/cues.py`.
        repeat_s: exposure mode: least time after a cue that is not answered. Project decision.
        patience: exposure mode: each further unanswered cue makes that this many times longer, since
            repeating what was not heard is what annoys; project decision. 1 for none.
        repeat_most_s: the longest that it becomes so; project decision.
        answer_s: a cue counts as answered after a return this long; longer than a fidget. Project decision.
        content_s: exposure mode: a cue asks until the wearer has been near upright for so long, s. As long
            as the dwell of an episode; project decision. Threshold mode asks until nothing is held.
        ask_s: a cue that is not followed falls silent after this, s. Project decision.
        budget_per_day: cues of a local day at most. Near the 32 prompts for a break that office workers were
            given on a day in a trial (doi:10.5271/sjweh.3949); project decision.
        fading: rising days of the plan with the share of cues left from each on; the budget is multiplied by
            the share and the delay divided by it. Empty for none.
        first_day: the plan's day 0, in days since 1970 of the wearer's local calendar; None takes the day of
            the first frame.
        quiet_hours: from and to in hours of the wearer's local day; may pass midnight. Project decision.
        kinds: the kinds that are cued.
        stale_s: no cue from data older than this, s. Project decision.
        recover_s: threshold mode: shorter returns do not begin the delay again, as for episodes.
    """

    mode: CueMode = CueMode.EXPOSURE
    delay_s: float = 60.0
    varied_s: float = 105.0
    steady_s: float = 10.0
    recovery: float = 1.0
    refractory_s: float = 60.0
    repeat_s: float = 45.0
    patience: float = 2.0
    repeat_most_s: float = 90.0
    answer_s: float = 5.0
    content_s: float = 10.0
    ask_s: float = 30.0
    budget_per_day: int = 30
    fading: tuple[tuple[int, float], ...] = MONTH_OF_FADING
    first_day: int | None = None
    quiet_hours: tuple[tuple[float, float], ...] = ((21.0, 7.0),)
    kinds: tuple[Kind, ...] = tuple(Kind)
    stale_s: float = 5.0
    recover_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigurationError: with the field and what it may be.
        """
        seconds = (
            "delay_s",
            "varied_s",
            "steady_s",
            "recovery",
            "refractory_s",
            "repeat_s",
            "repeat_most_s",
            "answer_s",
        )
        for name in (*seconds, "content_s", "ask_s", "stale_s"):
            if not 0 < getattr(self, name) < DAY_S:
                raise ConfigurationError(f"{name} must be more than 0 and less than a day's {DAY_S} s")
        if not 1 <= self.patience <= 10:
            raise ConfigurationError("patience must be from 1 to 10")
        if self.budget_per_day < 0 or self.recover_s < 0:
            raise ConfigurationError("budget_per_day and recover_s must not be negative")
        if any(not 0 <= share <= 1 for _, share in self.fading):
            raise ConfigurationError("a share of fading must be from 0 to 1")
        if any(later <= earlier for (earlier, _), (later, _) in pairwise(self.fading)):
            raise ConfigurationError("the days of fading must rise")
        if any(not 0 <= hour <= 24 for hours in self.quiet_hours for hour in hours):
            raise ConfigurationError("quiet hours must be from 0 to 24")

    def share(self, day: int) -> float:
        """Return the share of the cues left on a day of the plan; before the first step all of them."""
        return next((share for begin, share in reversed(self.fading) if begin <= day), 1.0)

    def quiet_until(self, second_of_day: int) -> int | None:
        """Return the second of the day at which quiet ends, over 86,400 if tomorrow; None if not quiet."""
        for begin_h, end_h in self.quiet_hours:
            begin, end = round(begin_h * 3600), round(end_h * 3600)
            if begin <= end and begin <= second_of_day < end:
                return end
            if begin > end and second_of_day >= begin:
                return end + DAY_S
            if begin > end and second_of_day < end:
                return end
        return None


DEFAULT_CUE_PLAN: Final = CuePlan()
