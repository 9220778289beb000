"""When to remind: from held postures to cues, and to the cues that were held back and why."""

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.cues.allowance import Allowance
from analytics.cues.asking import Asking
from analytics.cues.cue import Cue, Cued, CueEnded, CueHeldBack, CueMode, HeldBack, joined
from analytics.cues.exposure import FRAMES_PER_SECOND, UNITS_PER_SECOND, Load
from analytics.cues.plan import DEFAULT_CUE_PLAN, CuePlan
from analytics.cues.ratios import ratios_of
from analytics.cues.rows import (
    BACK_FRAMES,
    BARRED,
    CLOSE,
    FREE,
    HELD,
    Rows,
    coming_back,
    day_of,
    judged,
    midnights,
    rows_of,
)
from analytics.cues.variation import BLOCK, Variation
from analytics.posture.rules import DEFAULT_PLAN, Plan
from poise.results import GRID_US, Kind, PostureFrames, Results
from poise.samples import Bools, Floats, Int64s

_US: Final = 1_000_000


class Cueing:
    """One wearer's cues, streaming; any chunking of the same frames gives the same cues.

    There is one load for all kinds. It rises while a kind is held in an activity in which posture is judged,
    a little while one is nearly held, falls otherwise, and is due for a cue at its limit; `Variation` says
    which limit holds, `Allowance` whether a cue may be given. What is due and not allowed stays due and is
    given as soon as it may be, if the posture is still held then. `Asking` says when a signal falls silent.
    """

    def __init__(self, plan: CuePlan = DEFAULT_CUE_PLAN) -> None:
        """Begin without load and with a full budget."""
        self.plan = plan
        self._load = Load(plan.recovery, weighed=plan.mode is CueMode.EXPOSURE)
        self._allowance = Allowance(plan)
        self._asking = Asking(plan)
        self._variation = Variation()
        self._last = -1
        self._before: tuple[Int64s, Floats] = (np.zeros(0, np.int64), np.zeros(0))
        self._calm = 0
        self._barred = 0
        self._reason: HeldBack | None = None

    def under(self, plan: CuePlan) -> "Cueing":
        """Return cueing by another plan, without load; a pause, and what was given today, hold on."""
        other = Cueing(plan)
        other._allowance = self._allowance.under(plan)
        return other

    @property
    def load_s(self) -> float:
        """The load so far, in s at the threshold."""
        return self._load.units / UNITS_PER_SECOND

    @property
    def limit_s(self) -> float:
        """The load at which a cue is due at present, s."""
        return self._allowance.limit / UNITS_PER_SECOND

    @property
    def used(self) -> int:
        """Cues given in the newest local day."""
        return self._allowance.used

    @property
    def asking(self) -> bool:
        """The newest cue is not content yet: its signal goes on."""
        return self._asking.on

    def pause(self, until_us: int) -> None:
        """Give no cue before `until_us` (UTC µs), and fall silent; 0 ends a pause."""
        self._asking.stop()
        self._allowance.pause_us = until_us

    def feed(
        self,
        results: Results,
        now_us: int | None = None,
        utc_offset_s: int = 0,
        plan: Plan = DEFAULT_PLAN,
    ) -> Cued:
        """Take what `Pipeline.update` concluded; while uncalibrated nothing is due.

        Args:
            results: its frames are looked at, nothing else.
            now_us: UTC µs; frames older than the plan's `stale_s` bring no cue. None: all are fresh.
            utc_offset_s: s by which the wearer's local time is ahead of UTC.
            plan: the thresholds that the frames were judged by.
        """
        if self.plan.mode is CueMode.OFF:
            return Cued()
        parts = []
        for frames in results.frames:
            held = frames.held if frames.calibration else np.zeros_like(frames.held)
            ratio = ratios_of(frames, plan) if self._angles_matter(frames, held) else None
            parts.append(
                self.update(
                    frames.t_us,
                    frames.kinds,
                    held,
                    ratio,
                    frames.activity,
                    now_us=now_us,
                    utc_offset_s=utc_offset_s,
                )
            )
        return joined(parts)

    def update(
        self,
        t_us: Int64s,
        kinds: tuple[Kind, ...],
        held: Bools,
        ratio: Floats | None = None,
        activity: NDArray[np.int8] | None = None,
        *,
        now_us: int | None = None,
        utc_offset_s: int = 0,
    ) -> Cued:
        """Take frames.

        Args:
            t_us: (n,) UTC µs on the 10 Hz grid, increasing; what is not newer than all before is passed over.
            kinds: the columns of the next two.
            held: (n, k) the kind's rule holds.
            ratio: (n, k) deviation over the kind's threshold, NaN unknown; None: at the threshold where held,
                and upright elsewhere.
            activity: (n,) indices into `ACTIVITIES`; None or of another length: unknown, which is judged.
            now_us: as in `feed`.
            utc_offset_s: as in `feed`; cut the frames where it changes.
        """
        if self.plan.mode is CueMode.OFF or len(t_us) == 0:
            return Cued()
        doing = activity if activity is not None and len(activity) == len(t_us) else None
        columns = [i for i, kind in enumerate(kinds) if kind in self.plan.kinds]
        if len(columns) < len(kinds):
            kinds, held = tuple(kinds[i] for i in columns), held[:, columns]
            ratio = None if ratio is None else ratio[:, columns]
        if t_us[0] <= self._last * GRID_US or bool((t_us[1:] <= t_us[:-1]).any()):
            new = t_us > np.maximum.accumulate(np.concatenate([[self._last * GRID_US], t_us[:-1]]))
            t_us, held = t_us[new], held[new]
            ratio = None if ratio is None else ratio[new]
            doing = None if doing is None else doing[new]
        if len(t_us) == 0:
            return Cued()
        return self._by_day(rows_of(t_us, kinds, held, ratio, doing), now_us, utc_offset_s)

    def _angles_matter(self, frames: PostureFrames, held: Bools) -> bool:
        """Tell whether angles can change anything: something is held, recovers, or is done and not judged."""
        if not frames.calibration:
            return False
        going_on = self.plan.mode is CueMode.EXPOSURE or self.asking
        return bool(going_on or self._barred or held.any() or not judged(frames.activity).all())

    def _by_day(self, rows: Rows, now_us: int | None, utc_offset_s: int) -> Cued:
        """Go through the rows one local day after the other."""
        parts = []
        for start, stop in pairwise([0, *midnights(rows.frames, utc_offset_s), len(rows.frames)]):
            day = day_of(int(rows.frames[start]), utc_offset_s)
            self._allowance.begin(day, utc_offset_s, now_us)
            self._load.units = min(self._load.units, self._allowance.limit)
            parts.append(self._walk(rows, start, stop))
        self._remember(rows)
        return joined(parts)

    def _remember(self, rows: Rows) -> None:
        """Keep the deviation of the last second, to tell whether the wearer is coming back."""
        frames, ratio = rows.frames[-BACK_FRAMES:], rows.ratio[-BACK_FRAMES:]
        if len(frames) < BACK_FRAMES:
            frames = np.concatenate([self._before[0], frames])[-BACK_FRAMES:]
            ratio = np.concatenate([self._before[1], ratio])[-BACK_FRAMES:]
        self._before = frames.copy(), ratio.copy()

    def _walk(self, rows: Rows, start: int, stop: int) -> Cued:
        """Go from event to event: a posture is taken up or left, frames are missing, or a block begins."""
        cues: list[Cue] = []
        kept: list[CueHeldBack] = []
        ended: list[CueEnded] = []
        state, frames = rows.state[start:stop], rows.frames[start:stop]
        events = (state[1:] != state[:-1]) | (frames[1:] - frames[:-1] > 1)
        events |= frames[1:] // BLOCK != frames[:-1] // BLOCK
        for first, after in pairwise([start, *(np.flatnonzero(events) + 1 + start).tolist(), stop]):
            if self._last >= 0 and int(rows.frames[first]) > self._last + 1:
                self._wait(int(rows.frames[first]) - self._last - 1)
                if int(rows.frames[first]) - self._last - 1 > self._frames(self.plan.recover_s):
                    ended += self._asking.missing(self._last + 1)
            self._vary(int(rows.frames[first]))
            before, on = len(ended), self._asking.on
            if rows.state[first] == HELD:
                ended += self._rise(rows, first, after, cues, kept)
            else:
                ended += self._asking.take(rows, first, after)
                self._fall(rows, first, after, kept)
            asked = on or self._asking.on or len(ended) > before
            self._variation.take(rows.steps[first:after], asked=asked)
            self._last = int(rows.frames[after - 1])
        return Cued(tuple(cues), tuple(kept), tuple(ended))

    def _vary(self, frame: int) -> None:
        """Set the limit anew where a block begins: only there, so that chunks do not matter."""
        if self._variation.turn(frame):
            self._allowance.vary(varied=self._variation.varied and not self._asking.hard_to_reach)
            self._load.units = min(self._load.units, self._allowance.limit)

    def _wait(self, missing: int) -> None:
        """Frames are missing: time goes on, but nobody saw a return."""
        self._load.fall(missing)
        if self.plan.mode is CueMode.THRESHOLD and missing > self._frames(self.plan.recover_s):
            self._load.units = 0
        self._settle()

    def _fall(self, rows: Rows, first: int, after: int, kept: list[CueHeldBack]) -> None:
        """Nothing is held, or not in an activity in which it counts."""
        n, state = after - first, int(rows.state[first])
        if state == BARRED:
            due = self._frames(self.plan.delay_s)
            if self._barred < due <= self._barred + n:
                row = first + due - self._barred - 1
                kept.append(self._kept(rows, row, rows.bar(row), self.plan.delay_s))
            self._barred += n
        else:
            self._barred = 0
        self._calm = self._calm + n if state in (FREE, CLOSE) else 0
        if self._calm >= self._frames(self.plan.answer_s):
            self._allowance.answer()
        if self.plan.mode is CueMode.EXPOSURE:
            if state == CLOSE:
                self._load.approach(n, self._allowance.limit)
            else:
                self._load.fall(n)
        elif not self._calm or self._calm > self._frames(self.plan.recover_s):
            self._load.units = 0
        self._settle()

    def _rise(
        self, rows: Rows, first: int, after: int, cues: list[Cue], kept: list[CueHeldBack]
    ) -> tuple[CueEnded, ...]:
        """A posture is held: add to the load, and cue where it is due and allowed."""
        self._calm = self._barred = 0
        ended: tuple[CueEnded, ...] = ()
        while first < after:
            units = self._load.rise(rows.level[first:after], self._allowance.limit)
            k = int(np.searchsorted(units, self._allowance.limit))
            given = self._ask(rows, first + k, after, kept) if k < len(units) else None
            ended += self._asking.take(rows, first, after if given is None else given)
            if given is None:
                self._load.keep(int(units[-1]), after - first)
                break
            ended += self._asking.begin(int(rows.frames[given]))
            cues.append(self._cue(rows, given))
            self._reason = None
            left = 0 if self.plan.mode is CueMode.EXPOSURE else self._allowance.limit
            self._load.keep(left, given + 1 - first)
            first = given + 1
        return ended

    def _ask(self, rows: Rows, first: int, after: int, kept: list[CueHeldBack]) -> int | None:
        """Return the first of the rows, all due, at which a cue may be given; keep what holds it back."""
        past = (np.concatenate(pair) for pair in zip(self._before, (rows.frames, rows.ratio), strict=True))
        back = coming_back(rows.frames[first:after], rows.ratio[first:after], *past)
        row = first
        while row < after:
            if blocked := self._allowance.blocked(int(rows.frames[row]) * GRID_US):
                reason, until_us = blocked
                further = int(np.searchsorted(rows.frames[row:after], -(-until_us // GRID_US)))
            elif back[row - first]:
                reason = HeldBack.COMING_BACK
                further = int(np.argmin(back[row - first :])) or after - row
            else:
                return row
            if reason is not self._reason and not self._expected(reason):
                kept.append(self._kept(rows, row, reason, self.limit_s))
            self._reason = reason
            row += max(1, further)
        return None

    def _expected(self, reason: HeldBack) -> bool:
        """Plain threshold cueing is due at every moment after a cue; its refractory time is its period."""
        return self.plan.mode is CueMode.THRESHOLD and reason is HeldBack.REFRACTORY

    def _cue(self, rows: Rows, row: int) -> Cue:
        t_us, allowance = int(rows.frames[row]) * GRID_US, self._allowance
        unanswered, limit_s = allowance.give(t_us), self.limit_s
        return Cue(
            t_us,
            rows.leading(row),
            self.plan.mode,
            limit_s,
            limit_s,
            allowance.used,
            allowance.budget,
            unanswered,
        )

    def _kept(self, rows: Rows, row: int, reason: HeldBack, load_s: float) -> CueHeldBack:
        return CueHeldBack(int(rows.frames[row]) * GRID_US, rows.leading(row), reason, load_s)

    def _settle(self) -> None:
        """Below the limit nothing is due."""
        if self._load.units < self._allowance.limit:
            self._reason = None

    def _frames(self, seconds: float) -> int:
        return max(1, round(seconds * FRAMES_PER_SECOND))
