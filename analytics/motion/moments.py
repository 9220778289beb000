"""What the sensors of one run saw at consecutive moments of the grid: the input of everything after it."""

from dataclasses import dataclass

from poise.samples import Floats, Int64s


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments on the 10 Hz grid as arrays; NaN where a sensor was not seen.

    A moment stands for the tenth of a second that ends with it; where nothing was seen there is none.

    Attributes:
        frames: (n,) int64 grid indices (UTC µs / 100,000), increasing.
        segments: (m,) names, the columns.
        q_earth_from_sensor: (n, m, 4) unit quaternions w, x, y, z; each sensor's earth frame has a heading of
            its own that drifts.
        up: (n, m, 3) earth's up in the sensor frame S.
        rate: (n, m) rms angular rate within the tenth of a second, rad/s, with the gyroscope's bias.
        force: (n, m) rms length of the specific force (9.81 at rest) within the tenth of a second, m/s².
        shake: (n, m) standard deviation of the specific force's vector within the tenth of a second, m/s².
    """

    frames: Int64s
    segments: tuple[str, ...]
    q_earth_from_sensor: Floats
    up: Floats
    rate: Floats
    force: Floats
    shake: Floats

    def __len__(self) -> int:
        return len(self.frames)

    def column(self, segment: str) -> int | None:
        """Return the column of a segment, None if it is not worn."""
        return self.segments.index(segment) if segment in self.segments else None
