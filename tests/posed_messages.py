"""Messages of a posed person with six sensors, and the calibration that fits them."""

import posed
from scipy.spatial.transform import Rotation

from poise.samples import SampleMessage

WORN = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")
KNOWN = posed.calibration(segments=WORN)
SECONDS = 45


def messages(
    leans: dict[str, list[tuple[float, float]]], mounts: dict[str, Rotation] | None = None
) -> list[SampleMessage]:
    """Return messages of a person whose segments lean as told, all others upright."""
    person = {s: posed.eased(leans.get(s, []), SECONDS) for s in WORN}
    batches = posed.person(person, mounts)
    return [
        SampleMessage("s", i, tuple(batch.part(50 * i, 50 * i + 50) for batch in batches))
        for i in range(SECONDS)
    ]
