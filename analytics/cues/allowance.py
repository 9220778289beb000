"""Whether a cue that is due may be given: quiet hours, pause, budget, fading, refractory time, fresh data."""

from typing import Final

from analytics.cues.cue import CueMode, HeldBack
from analytics.cues.exposure import UNITS_PER_SECOND
from analytics.cues.plan import DAY_S, CuePlan

_US: Final = 1_000_000
_NEVER: Final = -(2**62)


class Allowance:
    """What is left of a day's cues, and until when there is none."""

    def __init__(self, plan: CuePlan) -> None:
        """Begin with a full budget."""
        self._plan = plan
        self._day: int | None = None
        self._first_day = plan.first_day
        self._fresh_us, self._offset_s = _NEVER, 0
        self._last_us: int | None = None
        self.pause_us = 0
        self.used = 0
        self.unanswered = 0
        self.budget = plan.budget_per_day
        self._share = 1.0
        self.vary(varied=False)

    def vary(self, *, varied: bool) -> None:
        """Say whether the wearer varies posture unasked; `limit` is the load at which a cue is due, units."""
        self._varied = varied
        by_load = self._plan.varied_s if varied else min(self._plan.steady_s, self._plan.varied_s)
        limit_s = by_load if self._plan.mode is CueMode.EXPOSURE else self._plan.delay_s
        self.limit = round(limit_s * UNITS_PER_SECOND / (self._share or 1.0))

    def begin(self, day: int, utc_offset_s: int, now_us: int | None) -> None:
        """Say which local day the next frames lie in, how local time runs, and what time it is."""
        self._offset_s = utc_offset_s
        self._fresh_us = _NEVER if now_us is None else now_us - round(self._plan.stale_s * _US)
        if day == self._day:
            return
        self._day = day
        self._first_day = day if self._first_day is None else self._first_day
        self.used = 0
        self._share = self._plan.share(day - self._first_day)
        self.budget = round(self._plan.budget_per_day * self._share)
        self.vary(varied=self._varied)

    def under(self, plan: CuePlan) -> "Allowance":
        """Return another plan's allowance; a pause, and what was given today, hold on."""
        other = Allowance(plan)
        if self._day is not None:
            other.begin(self._day, self._offset_s, None)
        other.pause_us, other.used = self.pause_us, self.used
        other._last_us, other.unanswered = self._last_us, self.unanswered
        return other

    def blocked(self, t_us: int) -> tuple[HeldBack, int] | None:
        """Return why no cue may be given at `t_us`, and the UTC µs until which that lasts; None if it may."""
        if t_us < self._fresh_us:
            return HeldBack.STALE, self._fresh_us
        if t_us < self.pause_us:
            return HeldBack.PAUSE, self.pause_us
        local = t_us // _US + self._offset_s
        midnight = local - local % DAY_S
        quiet = self._plan.quiet_until(local - midnight)
        if quiet is not None:
            return HeldBack.QUIET_HOURS, self._utc_us(midnight + quiet)
        if self._share == 0:
            return HeldBack.FADED, self._utc_us(midnight + DAY_S)
        if self.used >= self.budget:
            return HeldBack.BUDGET, self._utc_us(midnight + DAY_S)
        again_us = self._again_us()
        return (HeldBack.REFRACTORY, again_us) if t_us < again_us else None

    def give(self, t_us: int) -> int:
        """Count a cue; return how many directly before it were not answered."""
        unanswered = self.unanswered
        self.used += 1
        self.unanswered += 1
        self._last_us = t_us
        return unanswered

    def answer(self) -> None:
        """The wearer came back: the last cue was heard."""
        self.unanswered = 0

    def _again_us(self) -> int:
        """From when on the next cue may come: later the more cues stayed unanswered."""
        if self._last_us is None:
            return _NEVER
        wait_s, plan = self._plan.refractory_s, self._plan
        if plan.mode is CueMode.EXPOSURE and self.unanswered:
            longer = plan.repeat_s * plan.patience ** min(self.unanswered - 1, 30)
            wait_s = max(plan.repeat_s, min(longer, plan.repeat_most_s))
        return self._last_us + round(wait_s * _US)

    def _utc_us(self, local_s: int) -> int:
        return (local_s - self._offset_s) * _US
