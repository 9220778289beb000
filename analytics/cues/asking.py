"""How long a cue goes on asking: until the wearer is back far enough, or in vain."""

from typing import Final

from analytics.cues.cue import CueEnded, CueMode, How
from analytics.cues.exposure import FRAMES_PER_SECOND
from analytics.cues.plan import CuePlan
from analytics.cues.rows import BARRED, CLOSE, FREE, UNSEEN, Rows
from poise.results import GRID_US

_AWAY: Final = (BARRED, UNSEEN)
_REMEMBERED: Final = 0xFF
"""The last eight cues."""
_IN_VAIN: Final = 3
"""With so many of them in vain the wearer is hard to reach. Project decisions, tried in
`benchmarks/cues.py`."""


class Asking:
    """The newest cue, as long as it asks.

    A device that falls silent as soon as the wearer is just inside the threshold teaches to sit just inside
    the threshold, from where the next lapse is near. So in exposure mode a cue asks until the wearer has been
    near upright for `CuePlan.content_s` without a break. In threshold mode it falls silent once nothing is
    held, as products do. After `CuePlan.ask_s` it gives up.
    """

    def __init__(self, plan: CuePlan) -> None:
        """Begin without a cue."""
        strict = plan.mode is CueMode.EXPOSURE
        self._need = max(1, round(plan.content_s * FRAMES_PER_SECOND)) if strict else 0
        self._patience = max(1, round(plan.ask_s * FRAMES_PER_SECOND))
        self._since: int | None = None
        self._near = 0
        self._vain = 0

    @property
    def hard_to_reach(self) -> bool:
        """Several of the last cues were not followed, or late: to wait first makes each lapse longer yet."""
        return self._vain.bit_count() >= _IN_VAIN

    @property
    def on(self) -> bool:
        """A cue is asking."""
        return self._since is not None

    def stop(self) -> None:
        """Fall silent, because nobody wants to hear it now."""
        self._since = None

    def begin(self, frame: int) -> tuple[CueEnded, ...]:
        """Ask from a cue's frame on; what asked before did so in vain."""
        ended = self._end(frame, How.IN_VAIN) if self._since is not None else ()
        self._since, self._near = frame, 0
        return ended

    def missing(self, frame: int) -> tuple[CueEnded, ...]:
        """Take that frames are missing up to `frame`: nobody asks whom nobody sees."""
        return self._end(frame, How.AWAY) if self._since is not None else ()

    def take(self, rows: Rows, first: int, after: int) -> tuple[CueEnded, ...]:
        """Take rows `first` to `after`, all in one state; return how the cue ended, if it did."""
        if self._since is None or first == after:
            return ()
        frames, state = rows.frames[first:after], int(rows.state[first])
        if state in _AWAY:
            return self._end(int(frames[0]), How.AWAY)
        done, late = self._done(state, after - first), self._since + self._patience
        if done < len(frames) and int(frames[done]) < late:
            return self._end(int(frames[done]), How.CONTENT)
        if int(frames[-1]) < late:
            return ()
        return self._end(max(late, int(frames[0])), How.IN_VAIN)

    def _done(self, state: int, n: int) -> int:
        """Return the row at which the wearer is back far enough; from `n` on: not among these."""
        if not self._need:
            return 0 if state in (FREE, CLOSE) else n
        before = self._near
        self._near = before + n if state == FREE else 0
        return self._need - before - 1 if state == FREE else n

    def _end(self, frame: int, how: How) -> tuple[CueEnded, ...]:
        since = self._since if self._since is not None else frame
        self._since, self._near = None, 0
        if how is not How.AWAY:
            self._vain = (self._vain << 1 | (how is How.IN_VAIN)) & _REMEMBERED
        return (CueEnded(frame * GRID_US, since * GRID_US, how),)
