"""What the live topic says of the newest frames, and the advice that holds with them."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from analytics.conclusions import Conclusions
from analytics.wearing.doubts import Cause, Doubt, Standing
from analytics.wearing.worn import TakenOff
from poise.notices import Live
from poise.results import ACTIVITIES, PostureFrames, Results
from poise.samples import Floats
from poise.skeleton import Segment, spoken

_MOST_FRAMES: Final = 50
_SECOND: Final = 10
"""Frames of which the activity is the one that most of them show."""
_PLACES: Final = {str(segment): i for i, segment in enumerate(Segment)}


class Advice:
    """What a wearer should know and do, as of the newest frame.

    What is doubted holds until the next calibration, over silences and restarts. Sensors not worn are named
    anew with every frame.
    """

    def __init__(self, doubts: Sequence[Doubt] = (), taken_off: Sequence[TakenOff] = ()) -> None:
        """Begin with what is known: nothing by default."""
        self._doubts = tuple(doubts)
        self._taken_off = tuple(taken_off)

    @property
    def taken_off(self) -> tuple[TakenOff, ...]:
        """The sensors that are not worn, as of the newest frame."""
        return self._taken_off

    def note(self, results: Results, doubts: Sequence[Doubt]) -> None:
        """Take in what was concluded next.

        Args:
            results: it.
            doubts: all that is known against the calibration in force.
        """
        self._doubts = tuple(doubts)
        if any(len(part) for part in results.frames):
            self._taken_off = results.taken_off if isinstance(results, Conclusions) else ()

    @property
    def sentences(self) -> list[str]:
        """What holds now, most urgent first: put on what is off, then calibrate, or else re-check."""
        off = {sensor.segment for sensor in self._taken_off}
        doubts = [d for d in self._doubts if d.cause is not Cause.PUT_BACK or not off.issuperset(d.segments)]
        ended = [doubt for doubt in doubts if doubt.standing is Standing.ENDED]
        back = [doubt for doubt in ended if doubt.cause is Cause.PUT_BACK]
        # To calibrate again settles everything, so that nothing less is asked for beside it.
        rest = [doubt.sentence for doubt in ended or doubts if doubt.cause is not Cause.PUT_BACK]
        return list(dict.fromkeys([*_not_worn(self._taken_off), *rest, *_put_back(back)]))


def live_notice(frames: PostureFrames, origin: str, advice: Sequence[str] = ()) -> Live:
    """Return the newest frames, at least one, as the live topic carries them (docs/wire.md)."""
    start = max(0, len(frames) - _MOST_FRAMES)
    return Live(
        run_us=frames.run_us,
        calibration=frames.calibration,
        origin=origin,
        segments=list(frames.segments),
        t_us=frames.t_us[start:].tolist(),
        sagittal=_columns(frames.sagittal[start:]),
        frontal=_columns(frames.frontal[start:]),
        kinds=_kinds(frames, start),
        activity=_activity(frames),
        advice=list(advice),
    )


def _activity(frames: PostureFrames) -> str:
    newest = frames.activity[-_SECOND:]
    return str(ACTIVITIES[int(np.bincount(newest).argmax())]) if len(newest) else ""


def _kinds(frames: PostureFrames, start: int) -> list[list[str]]:
    """Return the kinds held at each frame from `start` on."""
    held = frames.held[start:]
    kinds: list[list[str]] = [[] for _ in range(len(held))]
    if held.any():
        names = [str(kind) for kind in frames.kinds]
        for frame, column in np.argwhere(held).tolist():
            kinds[frame].append(names[column])
    return kinds


def _columns(angles: Floats) -> list[list[float | None]]:
    """Return the columns of angles (n, m), None for NaN."""
    columns: list[list[float | None]] = angles.T.tolist()
    if np.isnan(angles).any():
        return [[None if value != value else value for value in column] for column in columns]
    return columns


def _not_worn(sensors: Sequence[TakenOff]) -> list[str]:
    """Say it in one sentence, however many sensors lie on the table."""
    if len(sensors) <= 1:
        return [sensor.sentence for sensor in sensors]
    names = _several(sensor.segment for sensor in sensors)
    sentence = (
        f"The sensors for {names} have not moved at all for some minutes and seem not to be worn. Put them "
        "back on, or switch them off; until then nothing is concluded from them."
    )
    return [sentence]


def _put_back(doubts: Sequence[Doubt]) -> list[str]:
    segments = list(dict.fromkeys(segment for doubt in doubts for segment in doubt.segments))
    if len(segments) <= 1:
        return [doubt.sentence for doubt in doubts]
    names = _several(segments)
    return [f"The sensors on {names} were taken off and put back. Calibrate again: sit tall, then bow."]


def _several(segments: Iterable[str]) -> str:
    """Return "head, C7 and T4", from above to below."""
    *most, last = map(spoken, sorted(segments, key=lambda name: _PLACES.get(name, len(_PLACES))))
    return f"{', '.join(most)} and {last}"
