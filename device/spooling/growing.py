"""Messages that grow: several seconds of a wearer in one message, and on disk second by second all the same.

A message costs its way through broker, ingest and analysis nearly as much for one second of samples as for
ten. So while nobody looks, a gateway may let one grow before it leaves; what it holds so far is on disk.
"""

from dataclasses import dataclass, replace
from typing import Final

from poise.samples import ImuBatch, SampleMessage, mean_period_ns, merge

_MOST_BATCHES: Final = 60  # the wire allows 64 in a message
_MOST_GAPS: Final = 500
_MOST_SAMPLES: Final = 4000  # the wire allows 4096 in a batch
_MOST_BYTES: Final = 220_000  # the wire allows 262,144 in a message; times may take two bytes more
_SAMPLE_BYTES: Final = 12 + 2
"""Of two vectors, and how far its time is from a regular one."""
_HALF_A_SECOND_US: Final = 500_000
_STEP: Final = 1.5
"""Periods between two samples that follow each other without one missing."""


@dataclass(frozen=True, slots=True)
class Open:
    """The message that still grows, always the spool's newest row: it is on disk, and does not leave yet.

    Attributes:
        row: where it is.
        message: what it holds so far.
        size: bytes of its payload.
        since_s: s of the monotonic clock when it began.
    """

    row: int
    message: SampleMessage
    size: int
    since_s: float


def has_room(message: SampleMessage, longest_us: int) -> bool:
    """Tell whether another second can be put to it."""
    last_us = max((int(batch.t_us[-1]) for batch in message.batches), default=0)
    return message.first_us is not None and last_us + _HALF_A_SECOND_US < message.first_us + longest_us


def grown(message: SampleMessage, more: SampleMessage, longest_us: int) -> SampleMessage | None:
    """Return both as one message, None if they must stay two.

    Args:
        message: what has grown so far; its sequence and floor are kept.
        more: what came next.
        longest_us: µs from the first sample to the last that the whole may span.
    """
    if (message.session, message.origin) != (more.session, more.origin) or message.kept or more.kept:
        return None
    first_us, last_us = message.first_us, max((int(b.t_us[-1]) for b in more.batches), default=0)
    if first_us is None or not first_us <= last_us <= first_us + longest_us:
        return None
    batches = _joined(message.batches, more)
    gaps = (*message.gaps, *more.gaps)
    longest = max(len(batch) for batch in batches)
    if len(batches) > _MOST_BATCHES or len(gaps) > _MOST_GAPS or longest > _MOST_SAMPLES:
        return None
    if sum(map(_bytes, batches)) > _MOST_BYTES:
        return None
    return replace(message, batches=batches, gaps=gaps)


def _bytes(batch: ImuBatch) -> int:
    """Return about how much of a payload a batch takes."""
    return len(batch) * (_SAMPLE_BYTES + 6 * (batch.mag is not None) + (batch.flags is not None))


def _joined(batches: tuple[ImuBatch, ...], more: SampleMessage) -> tuple[ImuBatch, ...]:
    """Return the batches with those of the next message, each put to its own where it follows on it."""
    whole = list(batches)
    at = {batch.sensor: i for i, batch in enumerate(whole)}  # the newest of each sensor
    broken = {gap.sensor for gap in more.gaps}
    for batch in more.batches:
        i = at.get(batch.sensor)
        if i is not None and batch.sensor not in broken and _follows(whole[i], batch):
            joined = merge((whole[i], batch))
            whole[i] = replace(joined, period_ns=mean_period_ns(joined.t_us))
        else:
            at[batch.sensor] = len(whole)
            whole.append(batch)
    return tuple(whole)


def _follows(batch: ImuBatch, after: ImuBatch) -> bool:
    """Tell whether `after` is what comes next of the same sensor, by its time and by its ticks."""
    names = ("segment", "scale", "calibration")
    if any(getattr(batch, name) != getattr(after, name) for name in names) or len(batch) < 2:
        return False
    period_us = batch.period_ns / 1000
    step_us = int(after.t_us[0] - batch.t_us[-1])
    ticks_off = after.first_tick - batch.first_tick - len(batch) * period_us
    return 0 < step_us <= _STEP * period_us and abs(ticks_off) < period_us / 2
