"""What is known of a calibration: it outlives runs, and a new run is handed it with the calibration."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

from analytics.wearing.doubts import Doubt, Standing
from analytics.wearing.worn import TakenOff


@dataclass(frozen=True, slots=True)
class Watched:
    """One sensor, as the watch over the day knows it.

    Attributes:
        segment: where it is worn.
        silent: complete blocks in a row in which it was silent; -1 before it was seen in one.
        forward: blocks in a row in which it did not come back to its neighbours, forward or back.
        aside: the same sideways.
        seen: moments counted in the open block.
        apart: how often it was 0°, 1°, 2°, … from its neighbours in the open block: forward, and sideways.
    """

    segment: str
    silent: int = -1
    forward: int = 0
    aside: int = 0
    seen: int = 0
    apart: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of one calibration at one moment; it ends with the next calibration.

    Attributes:
        doubts: all that was found against it, oldest first.
        frame: grid index of the newest moment that was watched, -1 before the first.
        sensors: what the watch has counted.
        off: the sensors that were not worn at the end.
    """

    doubts: tuple[Doubt, ...] = ()
    frame: int = -1
    sensors: tuple[Watched, ...] = ()
    off: tuple[TakenOff, ...] = ()

    @property
    def standing(self) -> Standing:
        """What the calibration is worth; what has ended never holds again."""
        found = {doubt.standing for doubt in self.doubts}
        worst = (Standing.ENDED, Standing.RECHECK)
        return next((standing for standing in worst if standing in found), Standing.HOLDS)

    @property
    def void_us(self) -> dict[str, int]:
        """From which UTC µs on the calibration has ended, by segment."""
        found: dict[str, int] = {}
        for doubt in self.doubts:
            if doubt.standing is Standing.ENDED:
                for segment in doubt.segments:
                    found[segment] = min(doubt.t_us, found.get(segment, doubt.t_us))
        return found

    def with_doubts(self, doubts: Iterable[Doubt]) -> Self:
        """Return it with these doubts too; of the same doubt, the one that was known first."""
        first: dict[object, Doubt] = {}
        for doubt in sorted([*self.doubts, *doubts], key=lambda doubt: doubt.t_us):
            first.setdefault(doubt.about, doubt)
        return replace(self, doubts=tuple(first.values()))

    def as_of(self, t_us: int) -> Self:
        """Return it without the doubts about what was later: late samples may have found more."""
        return replace(self, doubts=tuple(doubt for doubt in self.doubts if doubt.t_us <= t_us))

    def renewed(self) -> "Trust":
        """Return what is left after a re-check: only a full calibration undoes what has ended."""
        ended = tuple(doubt for doubt in self.doubts if doubt.standing is Standing.ENDED)
        return Trust(ended, off=self.off)


UNDOUBTED: Final = Trust()
"""Of a new calibration nothing is known."""
