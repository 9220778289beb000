"""The few colours of the pages; the same posture has the same colour everywhere, and none of them is red."""

from enum import StrEnum
from typing import Final

INK: Final = "#1d2b2a"
MUTE: Final = "#566463"
LINE: Final = "#e3e8e7"
GHOST: Final = "#e1e8e6"
TEAL: Final = "#1b7f79"
SAND: Final = "#c6ab6b"
AMBER: Final = "#c97f12"
LOST: Final = "#b3261e"
"""Red is kept for lost data and red flags."""


class Tone(StrEnum):
    """What the colour of a figure or a bar says."""

    UPRIGHT = "upright"
    DRIFTING = "drifting"
    SUSTAINED = "sustained"
    UNKNOWN = "unknown"


COLOUR: Final = {
    Tone.UPRIGHT: TEAL,
    Tone.DRIFTING: SAND,
    Tone.SUSTAINED: AMBER,
    Tone.UNKNOWN: "#b9c4c2",
}
SUSTAINED_S: Final = 60.0
"""A posture held this long is drawn as sustained: the default cue delay (docs/postures.md)."""


def tone_of(held_s: float | None) -> Tone:
    """Return the tone of a posture held for `held_s` seconds, None for none held."""
    if held_s is None:
        return Tone.UPRIGHT
    return Tone.SUSTAINED if held_s >= SUSTAINED_S else Tone.DRIFTING
