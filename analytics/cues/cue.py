"""What a wearer is told and what is kept of it: cues, cues held back, and their sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from poise.results import Kind

SENTENCES_VERSION: Final = 2
"""Kept with every cue, so that it can be known later what was read; count it up with any change below."""
SENTENCES: Final = {
    Kind.FORWARD_HEAD: "Let your head come back over your shoulders.",
    Kind.LOOKING_DOWN: "Bring what you look at a little higher and lift your gaze.",
    Kind.SLOUCH: "Sit or stand tall again, as is comfortable.",
    Kind.HIP_LEAN: "Move closer to your work and come back over your hips.",
    Kind.SIDE_BEND: "Come back to the middle and put your weight on both sides.",
    Kind.ROUNDED_SHOULDER_LEFT: "Let your left shoulder open and sink back.",
    Kind.ROUNDED_SHOULDER_RIGHT: "Let your right shoulder open and sink back.",
    Kind.RAISED_SHOULDER_LEFT: "Let your left shoulder sink and your arm rest.",
    Kind.RAISED_SHOULDER_RIGHT: "Let your right shoulder sink and your arm rest.",
}
"""One calm sentence for each kind: what to do. Wording is a project decision."""


class CueMode(StrEnum):
    """How a plan decides that a cue is due."""

    EXPOSURE = "exposure"
    """The load, angle times time, has reached its limit (`analytics.cues.exposure`)."""
    THRESHOLD = "threshold"
    """A posture has been held for the delay without a break."""
    OFF = "off"
    """Tracking: nothing is due."""


UNTIL: Final = {
    CueMode.EXPOSURE: "Stay near upright until the signal ends; that takes a few seconds.",
    CueMode.THRESHOLD: "The signal ends when you are back.",
    CueMode.OFF: "",
}
"""What ends the signal. Wording is a project decision."""


class How(StrEnum):
    """How a cue ended."""

    CONTENT = "content"
    """The wearer came back far enough."""
    IN_VAIN = "in vain"
    """It asked for as long as it may, or another cue came."""
    AWAY = "away"
    """The wearer walked, lay, moved, or was not seen."""


class HeldBack(StrEnum):
    """Why a cue that was due was not given."""

    QUIET_HOURS = "quiet hours"
    PAUSE = "pause"
    BUDGET = "budget"
    REFRACTORY = "refractory"
    COMING_BACK = "coming back"
    FADED = "faded"
    STALE = "stale"
    WALKING = "walking"
    LYING = "lying"
    MOVING = "moving"
    NOT_WORN = "not worn"


@dataclass(frozen=True, slots=True)
class Cue:
    """A reminder that was due and may be given.

    Attributes:
        t_us: UTC µs of the frame at which it was due.
        kind: the posture that it speaks of: the one furthest beyond its threshold.
        mode: how it came to be due.
        load_s: the load, in s at the threshold; in threshold mode the delay, which has been held.
        limit_s: the limit that it reached, after fading, s.
        used: how many cues of the local day this makes.
        budget: how many the local day has, after fading.
        unanswered: how many cues directly before it were not followed by a return.
        sentences_version: the version of `SENTENCES`.
    """

    t_us: int
    kind: Kind
    mode: CueMode
    load_s: float
    limit_s: float
    used: int
    budget: int
    unanswered: int = 0
    sentences_version: int = SENTENCES_VERSION

    @property
    def sentence(self) -> str:
        """What the wearer reads or hears, in the words of this program's version."""
        return SENTENCES[self.kind]

    @property
    def until(self) -> str:
        """What ends the signal, in the words of this program's version."""
        return UNTIL[self.mode]


@dataclass(frozen=True, slots=True)
class CueEnded:
    """The moment from which the signal of a cue is silent.

    Attributes:
        t_us: UTC µs of the frame at which it ended.
        cue_us: `Cue.t_us` of the cue.
        how: content, in vain or away.
    """

    t_us: int
    cue_us: int
    how: How


@dataclass(frozen=True, slots=True)
class CueHeldBack:
    """A cue that was due and was not given, kept for the therapist; one for each reason in a row.

    Attributes:
        t_us: UTC µs of the first frame at which it was due and held back.
        kind: the posture that it would have spoken of.
        reason: why it was not given.
        load_s: as in `Cue`; for an activity, the s for which the posture has been held in it.
    """

    t_us: int
    kind: Kind
    reason: HeldBack
    load_s: float


@dataclass(frozen=True, slots=True)
class Cued:
    """What one update brought.

    Attributes:
        cues: to be given, in order of time.
        held_back: due and not given, in order of time.
        ended: signals that fall silent, in order of time.
    """

    cues: tuple[Cue, ...] = ()
    held_back: tuple[CueHeldBack, ...] = ()
    ended: tuple[CueEnded, ...] = ()


def joined(parts: Sequence[Cued]) -> Cued:
    """Return what several parts brought, one after the other."""
    if len(parts) == 1:
        return parts[0]
    cues = tuple(cue for part in parts for cue in part.cues)
    kept = tuple(kept for part in parts for kept in part.held_back)
    return Cued(cues, kept, tuple(ended for part in parts for ended in part.ended))
