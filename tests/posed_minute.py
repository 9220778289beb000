"""One minute of a posed body with a forward head and a rounded shoulder, for the laws of the analytics."""

from itertools import pairwise

import numpy as np
import posed
from scipy.spatial.transform import Rotation

from analytics.pipeline import joined
from analytics.state import save
from poise.results import Results
from poise.samples import ImuBatch

SECONDS = 60
BEGIN_US = posed.START_US + 70_000_000
"""Of `NOISY`: half a minute before the end of a quarter, and of a block of exposure."""
FORWARD_HEAD = {"head": [(10, 4)], "c7": [(10, 18), (45, 0)], "t4": [(10, 3)], "lumbar": [(0, 0)]}
SHOULDERS = {"scapula_left": [(0, 0)], "scapula_right": [(12, 19), (40, 0)]}


def leans(script: dict[str, list[tuple[float, float]]] | None = None) -> dict[str, np.ndarray]:
    chosen = FORWARD_HEAD | SHOULDERS | (script or {})
    return {segment: posed.eased(targets, SECONDS) for segment, targets in chosen.items()}


def chunked(batches: list[ImuBatch], cuts: list[int]) -> list[list[ImuBatch]]:
    edges = [0, *sorted(set(cuts)), len(batches[0])]
    return [[b.part(i, j) for b in batches] for i, j in pairwise(edges) if j > i]


def stored(parts: list[Results]) -> tuple[object, ...]:
    whole = joined(parts)
    frames = [f for f in whole.frames if len(f)]
    columns = ("t_us", "sagittal", "frontal", "held", "activity")
    return (
        *(np.concatenate([getattr(f, name) for f in frames]).tobytes() for name in columns),
        sorted(whole.seconds, key=lambda s: (s.t_s, s.stream)),
        sorted(whole.episodes, key=lambda e: e.id),
        [(row.quarter_s, row.run_us, save(row.counts)) for row in whole.quarters],
        whole.doubts,
        sorted(whole.exposures, key=lambda x: (x.quarter_s, x.run_us, x.kind)),
    )


NOISY = [
    posed.batch(segment, lean, mount=Rotation.random(rng=i), noise=0.3, start_us=BEGIN_US)
    for i, (segment, lean) in enumerate(leans().items())
]
MOUNTS = {segment: Rotation.random(rng=i) for i, segment in enumerate(leans())}
