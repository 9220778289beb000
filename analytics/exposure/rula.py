"""The neck and trunk parts of RULA, frame by frame (McAtamney and Corlett 1993).

doi:10.1016/0003-6870(93)90080-S. Neck: 0 to 10° forward 1, 10 to 20° 2, beyond 3, in extension 4, one more
when bent sideways. Trunk: upright or well supported 1, to 20° 2, to 60° 3, beyond 4, one more when bent
sideways. Twist would add one to both: it needs a heading, and is not judged. Arms, wrists, legs and forces
are not seen, so there is no grand score.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.streams import UNSEEN, Centidegrees

SIDE_DEG: Final = 15
"""RULA names no angle for bent sideways; 15° is where OSHA's neutral head tilt ends."""
UPRIGHT_DEG: Final = 5
"""Within 5° of the person's own upright neither extension nor a lean is scored: a project decision, above
natural sway and the 1° of the inclination. Leaning back scores 1: a back rest cannot be seen, and nobody
leans back long without one."""


def neck_scores(seen: Mapping[str, Centidegrees]) -> NDArray[np.int8]:
    """Return (n,) 1 to 5, 0 where unseen.

    Flexion is the greater of head and C7 against the thorax, so that a head pushed forward with a level gaze
    counts as well; without a thorax sensor they are taken against gravity. Extension is the head's (else
    C7's).

    Args:
        seen: streams, `UNSEEN` where not judged.
    """
    if not seen:
        return np.zeros(0, np.int8)
    lower, upper = (_first_seen(seen, names) for names in (("neck", "c7"), ("head_relative", "head")))
    flexion = np.maximum(lower, upper)
    upper = np.where(upper == UNSEEN, lower, upper)
    score = 1 + (flexion >= 1000).astype(np.int8) + (flexion >= 2000)
    score[(flexion < 1000) & (upper < -100 * UPRIGHT_DEG)] = 4
    return _finished(score, flexion, seen.get("head_side"))


def trunk_scores(seen: Mapping[str, Centidegrees]) -> NDArray[np.int8]:
    """Return (n,) 1 to 5, 0 where unseen."""
    if "trunk" not in seen:
        return np.zeros(0, np.int8)
    lean = seen["trunk"]
    score = 1 + (lean >= 100 * UPRIGHT_DEG).astype(np.int8) + (lean >= 2000) + (lean >= 6000)
    return _finished(score, lean, seen.get("side_bend"))


def _first_seen(seen: Mapping[str, Centidegrees], names: Sequence[str]) -> Centidegrees:
    """Return the first of the streams at each frame that was seen there."""
    found = np.full(len(next(iter(seen.values()))), UNSEEN, np.int16)
    for name in reversed(names):
        if name in seen:
            found = np.where(seen[name] == UNSEEN, found, seen[name])
    return found


def _finished(score: NDArray[np.int8], angle: Centidegrees, side: Centidegrees | None) -> NDArray[np.int8]:
    """Add one where bent sideways, and take the score away where nothing was seen."""
    if side is not None:
        score = score + ((side != UNSEEN) & (np.abs(side.astype(np.int32)) >= 100 * SIDE_DEG))
    found: NDArray[np.int8] = np.where(angle == UNSEEN, 0, score).astype(np.int8)
    return found
