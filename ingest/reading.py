"""The read side of ingest: all that pages, reports and exports may ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from analytics.exposure.counts import QuarterExposure
from poise.notices import Live, Presence, SensorStatus
from poise.results import Episode
from poise.samples import Floats, Gap, Int64s
from poise.strain import Exceedance
from poise.topics import Wearer


@dataclass(frozen=True, slots=True)
class Person:
    """A wearer as the pages list them.

    Attributes:
        wearer: site and pseudonym.
        timezone: IANA name; pages show the wearer's time.
        origin: "worn", "simulated" or "replayed".
        injections: local days of injections, oldest first.
        last_us: UTC µs of the newest stored sample, 0 without one.
    """

    wearer: Wearer
    timezone: str
    origin: str
    injections: tuple[date, ...]
    last_us: int


@dataclass(frozen=True, slots=True)
class Series:
    """One stream's seconds or longer steps; those without data are simply not there, pages draw them as gaps.

    Attributes:
        t_s: (n,) int64 UTC s, increasing; each step's beginning, a multiple of `step_s`.
        mean: (n,) rad, weighted by coverage.
        low: (n,) rad.
        high: (n,) rad.
        coverage: (n,) 0 to 1, of the whole step.
        step_s: s.
    """

    t_s: Int64s
    mean: Floats
    low: Floats
    high: Floats
    coverage: Floats
    step_s: int = 1

    @property
    def columns(self) -> tuple[Int64s, Floats, Floats, Floats, Floats]:
        """The five columns in their order."""
        return self.t_s, self.mean, self.low, self.high, self.coverage


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of exposure.

    Attributes:
        day: the wearer's local day.
        seen_s: s in which posture could be judged.
        seconds: s in episodes, by kind.
    """

    day: date
    seen_s: float
    seconds: Mapping[str, float]


class Reader(Protocol):
    """Reads what is stored. Calls block briefly; asynchronous callers run them in a thread."""

    def people(self) -> Sequence[Person]:
        """Return everybody known, by name."""
        ...

    def person(self, wearer: Wearer) -> Person | None:
        """Return one wearer, None if unknown."""
        ...

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        """Return the streams' seconds in `from_s <= t < to_s`; a stream without data has an empty series.

        With `points`, return the longest steps that still give that many in the time, which is widened to
        whole steps.
        """
        ...

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """Return the episodes that overlap the time, by start."""
        ...

    def days(self, wearer: Wearer, first: date, last: date) -> Sequence[Day]:
        """Return the local days from `first` to `last` that have any data, in the wearer's time zone."""
        ...

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        """Return the full exposure of the quarters that begin in the time, by quarter and run."""
        ...

    def gaps(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Gap]:
        """Return what was reported missing in that time."""
        ...

    def sensors(self, wearer: Wearer) -> Sequence[SensorStatus]:
        """Return the newest status of each of the wearer's sensors."""
        ...

    def calibrated(self, wearer: Wearer) -> Sequence[int]:
        """Return when the wearer was calibrated or re-checked, UTC µs, in order."""
        ...

    def efforts(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Exceedance]:
        """Return the efforts above the limit of their day that began in the time, by start."""
        ...

    def presence(self, wearer: Wearer) -> Presence | None:
        """Return the newest presence of the wearer's gateway."""
        ...


class LiveFeed(Protocol):
    """Hands on the live topic as it comes."""

    def watch(self, wearer: Wearer, callback: Callable[[Live], None]) -> Callable[[], None]:
        """Call `callback` in the event loop with each new `Live`; the function returned ends it."""
        ...
