"""What the analytics conclude beyond what is stored of every second: exposure in full, and doubts."""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.exposure.counts import QuarterExposure
from analytics.wearing.doubts import Doubt
from analytics.wearing.worn import TakenOff
from poise.results import Episode, Exposure, Results
from poise.seconds import together


@dataclass(frozen=True, slots=True)
class Conclusions(Results):
    """Results with what therapists' and researchers' figures are made of.

    Attributes:
        quarters: full exposure of quarters that no later frame of their run can change, each once.
        doubts: reasons that became known not to trust the calibration any longer.
        taken_off: sensors that are not worn now, as of the newest frame.
    """

    quarters: tuple[QuarterExposure, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    taken_off: tuple[TakenOff, ...] = ()


def joined(parts: Sequence[Results]) -> Conclusions:
    """Put results of consecutive slices together; of a row with the same key the newest is kept."""
    if len(parts) == 1 and isinstance(parts[0], Conclusions):
        return parts[0]
    full = [part for part in parts if isinstance(part, Conclusions)]
    episodes: dict[str, Episode] = {e.id: e for part in parts for e in part.episodes}
    exposures: dict[tuple[int, int, str], Exposure] = {
        (x.quarter_s, x.run_us, x.kind): x for part in parts for x in part.exposures
    }
    remarks: dict[str, int] = {}
    for part in parts:
        for name, count in part.remarks:
            remarks[name] = remarks.get(name, 0) + count
    return Conclusions(
        tuple(frames for part in parts for frames in part.frames),
        together([part.seconds for part in parts]),
        tuple(episodes.values()),
        tuple(exposures.values()),
        tuple(remarks.items()),
        tuple(row for part in full for row in part.quarters),
        tuple(doubt for part in full for doubt in part.doubts),
        full[-1].taken_off if full else (),
    )
