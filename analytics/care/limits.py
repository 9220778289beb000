"""How much effort the guard lets pass, from day to day: every figure with its source."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import Final
from zoneinfo import ZoneInfo

from analytics.care.local import day_begins
from poise.care.plans import Effort
from poise.errors import ConfigurationError

TAPER_DAYS: Final = 7
"""Local days in which a limit eases where the plan names no end of it; project decision."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What counts as too much.

    Attributes:
        enmo_mg: wrist: mean of the specific force beyond 1 g within 5 s, in thousandths of g. Hildebrand and
            others 2014 (doi:10.1249/MSS.0000000000000289), adults, non-dominant wrist: 100.6 from moderate,
            428.8 from vigorous activity.
        arm_deg_s: upper arm: rms angular rate within 5 s. The action level proposed for the median of a
            working day is 60 °/s (Arvidsson and others 2021, doi:10.1093/annweh/wxab012). One and a half
            times that for two minutes, and twice, are project decisions: circles of the arm in 3 s each, a
            gentle movement, come to 83.
        blade_deg_s: shoulder blade, without a sensor on that arm: rms angular rate within 5 s beyond the
            trunk's. A third of a raised arm's movement is the shoulder blade's (Inman and others 1944, J
            Bone Joint Surg 26:1); half as much again, since it is an estimate. Project decision.
        overhead_deg: upper arm from hanging. RULA's highest band of the upper arm begins at 90° (McAtamney
            and Corlett 1993, doi:10.1016/0003-6870(93)90080-S); 60° as the stricter one is common in
            measured exposure of the shoulder, and here a project decision.
        bend_deg: trunk forward of upright. RULA's highest band of the trunk begins at 60°; 45° as the
            stricter one, a project decision, is in the middle of the band before.
        bends: how many bends within `bends_s`; project decision.
        window_s: of arm work and of arms held high; longer than a set of gentle movements. Project decision.
        share: of the window that must be above the limit, as in bouts of activity from wrists (80 % of the
            epochs: the usual criterion of the package GGIR).
        bends_s: window of the bends; project decision.
        back_deg: below which the trunk has risen again: RULA's second band ends there.
        bend_s: a bend that lasts longer is a posture, and none for the guard; project decision.
    """

    enmo_mg: float
    arm_deg_s: float
    blade_deg_s: float
    overhead_deg: float
    bend_deg: float
    bends: int
    window_s: float = 120.0
    share: float = 0.8
    bends_s: float = 180.0
    back_deg: float = 20.0
    bend_s: float = 15.0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigurationError: with what it may be.
        """
        if any(getattr(self, field.name) <= 0 for field in fields(self)) or self.share > 1:
            raise ConfigurationError("limits of the guard must be more than 0, and its share at most 1")
        if max(self.window_s, self.bends_s) > LONGEST_S or self.back_deg >= self.bend_deg:
            raise ConfigurationError(f"a window of the guard is up to {LONGEST_S:g} s, a bend ends below it")


LONGEST_S: Final = 600.0
STRICT: Final = GuardLimits(100.6, 90.0, 45.0, 60.0, 45.0, 3)
"""For `Effort.GENTLE`: nothing but gentle movement."""
USUAL: Final = GuardLimits(428.8, 120.0, 60.0, 90.0, 60.0, 6)
"""Where tapering ends."""

Since = tuple[int, GuardLimits | None]
"""From this UTC µs on these limits hold; None: the guard is off."""


def eased(share: float) -> GuardLimits:
    """Return limits between strict (0) and usual (1); the window and what follows it are the same in both."""
    eased_by = {
        name: (1 - share) * getattr(STRICT, name) + share * getattr(USUAL, name)
        for name in ("enmo_mg", "arm_deg_s", "blade_deg_s", "overhead_deg", "bend_deg")
    }
    return GuardLimits(**eased_by, bends=round(STRICT.bends + share * (USUAL.bends - STRICT.bends)))


def schedule(efforts: Sequence[tuple[int, Effort]], zone: ZoneInfo) -> tuple[Since, ...]:
    """Return the limits ahead.

    Args:
        efforts: UTC µs from which an effort holds, in order of time; the same again goes on.
        zone: the wearer's, in whose local days a taper eases.
    """
    found: list[Since] = []
    turns = [one for i, one in enumerate(efforts) if i == 0 or one[1] is not efforts[i - 1][1]]
    ends = [at for at, _ in turns[1:]]
    for (at, effort), end in zip_longest(turns, ends):
        if effort is Effort.GENTLE:
            found.append((at, STRICT))
        elif effort is Effort.TAPERING:
            found += _taper(at, end, zone)
        else:
            found.append((at, None))
    return tuple(found)


def _taper(at: int, end: int | None, zone: ZoneInfo) -> list[Since]:
    """Return a step for each local day: the first is a little above strict, the last a little below usual."""
    today = datetime.fromtimestamp(at / 1e6, zone).date()
    last = today + timedelta(days=TAPER_DAYS - 1)
    if end is not None:
        last = datetime.fromtimestamp((end - 1) / 1e6, zone).date()
    days = (last - today).days + 1
    begins = [at, *(_begin_us(today + timedelta(days=i), zone) for i in range(1, days))]
    steps: list[Since] = [(begin, eased((i + 1) / (days + 1))) for i, begin in enumerate(begins)]
    return steps if end is not None else [*steps, (_begin_us(last + timedelta(days=1), zone), USUAL)]


def _begin_us(day: date, zone: ZoneInfo) -> int:
    return round(day_begins(day, zone).timestamp() * 1e6)
