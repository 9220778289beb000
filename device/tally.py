"""What has been spooled of each sensor lately: an observer of the gateway for the wearer's eyes."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from poise.samples import SampleMessage

BEFORE: Final = "gateway restarted"
"""What is missing because no gateway ran is no loss that its wearer could mend."""
WINDOW_US: Final = 10_000_000
_SECOND_US: Final = 1_000_000


@dataclass(slots=True)
class Spooled:
    """One sensor's samples.

    Attributes:
        missing: samples reported missing since the gateway began, while it ran.
        spread: by how much that may be off, where sensors do not number their samples.
        samples: spooled since the tally began.
    """

    missing: int = 0
    spread: int = 0
    samples: int = 0
    lately: deque[tuple[int, int]] = field(default_factory=deque)


class Tally:
    """A `device.gateway.Observer`."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.by_sensor: dict[str, Spooled] = {}
        self._newest_us = 0

    def __call__(self, message: SampleMessage) -> None:
        """Take a message that is on disk."""
        for gap in message.gaps:
            if gap.reason == BEFORE:
                continue
            of = self.of(gap.sensor)
            of.missing, of.spread = of.missing + gap.count, of.spread + gap.spread
        for batch in message.batches:
            of, last_us = self.of(batch.sensor), int(batch.t_us[-1])
            of.samples += len(batch)
            of.lately.append((last_us // _SECOND_US, len(batch)))
            self._newest_us = max(self._newest_us, last_us)
        for of in self.by_sensor.values():
            while of.lately and of.lately[0][0] <= (self._newest_us - WINDOW_US) // _SECOND_US:
                of.lately.popleft()

    def of(self, sensor: str) -> Spooled:
        """Return a sensor's samples."""
        return self.by_sensor.setdefault(sensor, Spooled())

    def rate_hz(self, sensor: str, now_us: int) -> float | None:
        """Return samples a second in the newest ten whole seconds on disk, None if there are none.

        A second counts from its first sample on, so that a sensor that has just begun does not look slow.
        """
        lately = [(second, n) for second, n in self.of(sensor).lately if second > now_us // _SECOND_US - 13]
        if len(lately) < 3:
            return None
        first, last = lately[0][0], lately[-1][0]
        whole = [n for second, n in lately if first < second < last]
        return sum(whole) / (last - first - 1) if last - first > 1 else None
