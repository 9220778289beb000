"""From the tick that a sensor sends with a sample to one that never wraps.

A tick is read against the one before it and the host's time between the two arrivals, which resolves whole
wraps: clocks of 24 bits of µs begin again after 16.8 s, of 16 bits of ms after 65.5 s, of 32 bits of µs after
71.6 min, a sensor that merely numbers its samples with a byte after some seconds.
"""

from dataclasses import dataclass
from typing import Final

WRAP: Final = 1 << 32
LATE_US: Final = 5_000_000
"""How much a notification may lag behind its neighbours and still be believed (link supervision timeout)."""
REPEAT_US: Final = 2_000_000
"""How far a tick may lie back and still be a repetition rather than a clock that began again."""
BELIEVED_PPM: Final = 300.0


@dataclass(frozen=True, slots=True)
class TickRead:
    """What one raw tick turned out to be.

    Attributes:
        tick: unwrapped µs of the sensor's clock.
        repeated: not later than the last one: the same sample again.
        restarted: the sensor's clock began anew, or its owner switched it off; `tick` is as sent.
        unsure_us: by how much the tick may be wrong because the number of wraps is not certain.
    """

    tick: int
    repeated: bool = False
    restarted: bool = False
    unsure_us: int = 0


def read_tick(
    raw: int,
    last_tick: int,
    elapsed_us: int,
    wrap_us: int = WRAP,
    ppm: float = BELIEVED_PPM,
    kept_us: int = 0,
) -> TickRead:
    """Unwrap a tick against the last one.

    Args:
        raw: the tick as sent.
        last_tick: unwrapped tick of the last sample.
        elapsed_us: host µs between the two arrivals.
        wrap_us: after how many µs raw ticks begin again, 0 for never.
        ppm: how far the sensor's clock may be off against the host's.
        kept_us: for how long the sensor may have kept the sample before sending it; only without wraps.
    """
    if wrap_us == 0:
        return _read_unwrapped(raw, raw - last_tick, elapsed_us, ppm, kept_us)
    late_us = min(LATE_US, wrap_us // 4)
    ahead = (raw - last_tick) % wrap_us
    back = ahead - wrap_us if ahead else 0
    if -min(REPEAT_US, wrap_us // 8) < back and abs(back - elapsed_us) < late_us:
        return TickRead(last_tick + back, repeated=True)
    ahead += max(0, round((elapsed_us - ahead) / wrap_us)) * wrap_us
    if not _plausible(ahead, elapsed_us, ppm):
        return TickRead(raw, restarted=True)
    doubt_us = late_us + ppm * 1e-6 * elapsed_us
    unsure = -(-int(doubt_us - wrap_us / 2) // wrap_us) if doubt_us > wrap_us / 2 else 0
    return TickRead(last_tick + ahead, unsure_us=unsure * wrap_us)


def _read_unwrapped(raw: int, ahead: int, elapsed_us: int, ppm: float, kept_us: int) -> TickRead:
    if -REPEAT_US < ahead <= 0 and abs(ahead - elapsed_us) < LATE_US + kept_us:
        return TickRead(raw, repeated=True)
    kept = 0 < ahead <= elapsed_us <= ahead + kept_us
    return TickRead(raw, restarted=not (kept or _plausible(ahead, elapsed_us, ppm)))


def _plausible(ahead: int, elapsed_us: int, ppm: float) -> bool:
    return ahead > 0 and abs(ahead - elapsed_us) <= LATE_US + ppm * 1e-6 * abs(elapsed_us)
