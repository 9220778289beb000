"""Four simulated weeks before the demonstration's day, so that before and after an injection can be seen.

They are drawn from a seed, not measured, and stored with the origin "simulated", which every page shows.
"""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from poise.results import QUARTER_S, Exposure, Kind, Results

DAYS_BEFORE: Final = 16
DAYS_AFTER: Final = 9
_SHARES: Final = {
    Kind.FORWARD_HEAD: (0.42, 0.27),
    Kind.SLOUCH: (0.16, 0.11),
    Kind.LOOKING_DOWN: (0.07, 0.06),
    Kind.ROUNDED_SHOULDER_RIGHT: (0.22, 0.12),
}
"""Share of the seen time in each kind before and after the injection; invented for the demonstration."""


def simulated_history(today: date, timezone: str, seed: int) -> tuple[date, Results]:
    """Return the day of the injection and the exposure of the working days around it."""
    rng = np.random.default_rng([seed, 99])
    injection = today - timedelta(days=DAYS_AFTER)
    rows: list[Exposure] = []
    for back in range(DAYS_BEFORE + DAYS_AFTER, 0, -1):
        day = today - timedelta(days=back)
        if day.weekday() < 5 and day != injection:
            rows += _day(day, timezone, rng, after=day > injection)
    return injection, Results(exposures=tuple(rows))


def _day(day: date, timezone: str, rng: np.random.Generator, *, after: bool) -> list[Exposure]:
    begin = datetime.combine(day, time(8, 30), ZoneInfo(timezone)).timestamp()
    first = int(begin) // QUARTER_S * QUARTER_S
    mood = float(rng.normal(1.0, 0.12))
    worn = int(rng.choice([9, 22, 26, 28, 31]))
    rows = []
    for quarter_s in range(first, first + worn * QUARTER_S, QUARTER_S):
        seen = round(float(rng.uniform(0.75, 1.0)) * QUARTER_S)
        rows.append(Exposure(quarter_s, first * 1_000_000, "seen", seen))
        for kind, shares in _SHARES.items():
            share = np.clip(shares[after] * mood * rng.uniform(0.6, 1.4), 0, 0.9)
            rows.append(Exposure(quarter_s, first * 1_000_000, kind, round(float(share) * seen, 1)))
    return rows
